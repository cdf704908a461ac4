//! Envoy as a child process.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

use super::error::RunError;
use super::exit::EnvoyExit;
use super::launch::Launch;
use super::oom_kills::OomKills;
use crate::admin::Admin;
use crate::log::Relay;

/// Time limit for Envoy's start, including name resolution.
const START_MAX: Duration = Duration::from_secs(90);
/// Time limit for Envoy to end after SIGTERM.
const STOP_MAX: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

/// A process that was started and whose end was not yet noticed.
pub(super) struct EnvoyProcess {
    child: Child,
    admin_address: PathBuf,
    log: Relay,
    oom_kills: OomKills,
    oom_kills_before: u64,
    started: Instant,
}

impl EnvoyProcess {
    /// Must be called on the thread that lives as long as this process: the kernel ends Envoy when
    /// the thread that started it ends.
    ///
    /// With `withholds_errors`, the errors in its log are kept until [`Relay::started`] is called.
    pub(super) fn start(launch: &Launch<'_>, withholds_errors: bool) -> Result<Self, RunError> {
        let failed = |error| RunError::System("start Envoy", error);
        let configuration = launch.configuration();
        let admin_address = launch.next_admin_address();
        let _ = std::fs::remove_file(&admin_address);
        let oom_kills = OomKills::of_this_cgroup();
        let oom_kills_before = oom_kills.count();
        let mut command = launch.command(&configuration, &admin_address).map_err(failed)?;
        let mut child = command.spawn().map_err(failed)?;
        let log = Relay::start(child.stderr.take(), withholds_errors);
        Ok(Self {
            child,
            admin_address,
            log,
            oom_kills,
            oom_kills_before,
            started: Instant::now(),
        })
    }

    /// The lines that Envoy logs.
    pub(super) fn log(&mut self) -> &mut Relay {
        &mut self.log
    }

    /// Returns when the process has ended. Cancelling it loses nothing.
    pub(super) async fn ended(&mut self) -> EnvoyExit {
        match self.child.wait().await {
            Ok(status) => self.exit(status),
            Err(error) => EnvoyExit::NotStarted(error.to_string()),
        }
    }

    /// Whether the process has not ended yet.
    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn exit(&self, status: ExitStatus) -> EnvoyExit {
        let oom_kills = self.oom_kills.count().saturating_sub(self.oom_kills_before);
        EnvoyExit::Ended { status, oom_kills }
    }

    /// Waits until Envoy serves, and returns its admin interface. After the time limit Envoy is
    /// killed. Cancelling it loses nothing.
    pub(super) async fn ready(&mut self) -> Result<Admin, EnvoyExit> {
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(self.exit(status));
            }
            if self.started.elapsed() > START_MAX {
                let _ = self.child.kill().await;
                return Err(EnvoyExit::TooSlow(START_MAX.as_secs()));
            }
            let written = std::fs::read_to_string(&self.admin_address).ok();
            if let Some(address) = written.and_then(|text| text.trim().parse().ok())
                && Admin::at(address).is_ready().await
            {
                let admin = Admin::at(address);
                // Envoy starts even without listeners.
                if admin.has_refused().await {
                    let _ = self.child.kill().await;
                    return Err(EnvoyExit::Refused);
                }
                return Ok(admin);
            }
            sleep(POLL).await;
        }
    }

    /// Sends a signal, unless the process has ended.
    pub(super) fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(process) = id.and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process(process, signal);
        }
    }

    /// From now on the process serves. What happened in the cgroup before did not end it.
    pub(super) fn takes_over(&mut self) {
        self.oom_kills_before = self.oom_kills.count();
        self.log.started();
    }

    /// Ends an Envoy that has not served anybody.
    pub(super) async fn kill(mut self) {
        let _ = self.child.kill().await;
        self.log.finish().await;
    }

    /// Ends Envoy with SIGTERM: it writes its access logs, closes all connections and exits. After
    /// the time limit it is killed.
    pub(super) async fn stop(mut self) {
        self.signal(Signal::TERM);
        let _ = timeout(STOP_MAX, self.child.wait()).await;
        let _ = self.child.kill().await;
        self.log.finish().await;
    }
}

impl Drop for EnvoyProcess {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.admin_address);
    }
}
