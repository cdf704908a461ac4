//! A second Envoy that takes over as soon as the first one ends.
//!
//! It has the same files and listens on the same ports, but the kernel sends it no connections as
//! long as the first one listens ([`SharedPort`](super::shared_port::SharedPort)).

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::error::RunError;
use super::exit::EnvoyExit;
use super::launch::Launch;
use super::process::EnvoyProcess;
use crate::admin::Admin;

/// The wait before another standby, if one fails. It doubles with each further one.
const BACKOFF_BASE: Duration = Duration::from_secs(1);
/// The longest wait.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// A second Envoy that takes over as soon as the first one ends.
pub(super) struct Standby {
    state: StandbyState,
    /// Standbys that failed since the last one took over.
    failures: u32,
}

enum StandbyState {
    /// There is none, and none will be started.
    Off,
    /// There is none until then.
    Due(Instant),
    /// Not ready yet.
    Starting(EnvoyProcess),
    Ready(EnvoyProcess, Admin),
}

impl Standby {
    /// None yet. If it `is_wanted`, [`Self::next`] starts one.
    pub(super) fn new(is_wanted: bool) -> Self {
        let state = if is_wanted {
            StandbyState::Due(Instant::now())
        } else {
            StandbyState::Off
        };
        Self { state, failures: 0 }
    }

    /// Keeps a standby for the Envoy that serves, whose admin interface is `active`. Returns when
    /// one is ready, and when that is over. Cancelling it loses nothing.
    pub(super) async fn next(&mut self, launch: &Launch<'_>, active: Admin) {
        loop {
            match &mut self.state {
                StandbyState::Off => return std::future::pending().await,
                StandbyState::Due(until) => {
                    sleep_until(*until).await;
                    self.start(launch, active).await;
                }
                StandbyState::Starting(process) => match process.ready().await {
                    Ok(admin) => {
                        self.ready(admin);
                        return;
                    }
                    Err(exit) => self.failed(exit).await,
                },
                StandbyState::Ready(process, _) => {
                    let exit = process.ended().await;
                    self.failed(exit).await;
                    return;
                }
            }
        }
    }

    /// The admin interface of the standby, if it is ready.
    pub(super) fn admin(&self) -> Option<Admin> {
        match &self.state {
            StandbyState::Ready(_, admin) => Some(*admin),
            _ => None,
        }
    }

    /// Takes the standby, with its admin interface if it is ready. [`Self::next`] starts another
    /// one after `delay`.
    pub(super) fn take(&mut self, delay: Duration) -> Option<(EnvoyProcess, Option<Admin>)> {
        if matches!(self.state, StandbyState::Off) {
            return None;
        }
        self.failures = 0;
        let due = StandbyState::Due(Instant::now() + delay);
        match std::mem::replace(&mut self.state, due) {
            StandbyState::Starting(process) => Some((process, None)),
            // Whatever ended the first one may have ended it too.
            StandbyState::Ready(mut process, admin) => process.is_running().then_some((process, Some(admin))),
            StandbyState::Off | StandbyState::Due(_) => None,
        }
    }

    /// Ends the standby. There will be no other.
    pub(super) async fn end(&mut self) {
        self.change_to(StandbyState::Off).await;
    }

    /// Replaces the standby by another one, which opens its files again. A standby has nothing to
    /// write, and until Envoy writes, it keeps its files open, even those that were deleted.
    pub(super) async fn replace(&mut self) {
        if !matches!(self.state, StandbyState::Off) {
            self.change_to(StandbyState::Due(Instant::now())).await;
        }
    }

    /// Changes the state, and ends the standby of the previous one.
    async fn change_to(&mut self, state: StandbyState) {
        match std::mem::replace(&mut self.state, state) {
            StandbyState::Starting(process) | StandbyState::Ready(process, _) => process.kill().await,
            StandbyState::Off | StandbyState::Due(_) => {}
        }
    }

    async fn start(&mut self, launch: &Launch<'_>, active: Admin) {
        // As many as Envoy has worker threads.
        let Some(sockets) = active.value("server.concurrency").await else {
            // It is probably ending.
            self.state = StandbyState::Due(Instant::now() + BACKOFF_BASE);
            return;
        };
        let ports = &launch.prepared.ports;
        let sockets = u32::try_from(sockets).unwrap_or(u32::MAX);
        for port in [&ports.plain, &ports.tls] {
            if let Err(error) = port.prefer_first(sockets) {
                tracing::warn!(
                    "no standby Envoy: the kernel does not allow ordering the sockets of a port: {error}"
                );
                self.state = StandbyState::Off;
                return;
            }
        }
        match EnvoyProcess::start(launch, true) {
            Ok(process) => self.state = StandbyState::Starting(process),
            Err(error) => self.wait(&describe(&error)),
        }
    }

    fn ready(&mut self, admin: Admin) {
        let off = std::mem::replace(&mut self.state, StandbyState::Off);
        if let StandbyState::Starting(mut process) = off {
            process.log().started();
            tracing::info!("a standby Envoy is ready");
            self.state = StandbyState::Ready(process, admin);
        }
    }

    async fn failed(&mut self, exit: EnvoyExit) {
        let errors = match &mut self.state {
            StandbyState::Starting(process) | StandbyState::Ready(process, _) => {
                process.log().finish().await;
                process.log().errors()
            }
            StandbyState::Off | StandbyState::Due(_) => Vec::new(),
        };
        let error = errors.first().map(|error| format!(": {error}"));
        self.wait(&format!("it {exit}{}", error.unwrap_or_default()));
    }

    /// Waits before another standby is started, because of `problem`.
    fn wait(&mut self, problem: &str) {
        let delay = backoff(self.failures);
        self.failures = self.failures.saturating_add(1);
        tracing::warn!(
            "no standby Envoy: {problem}; starting another one in {} s",
            delay.as_secs()
        );
        self.state = StandbyState::Due(Instant::now() + delay);
    }
}

fn backoff(failures: u32) -> Duration {
    let delay = BACKOFF_BASE.saturating_mul(2_u32.saturating_pow(failures));
    delay.min(BACKOFF_MAX)
}

fn describe(error: &RunError) -> String {
    error.messages().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_a_limit() {
        let seconds = [0, 1, 5, 6, 7, u32::MAX].map(|failures| backoff(failures).as_secs());
        assert_eq!(seconds, [1, 2, 32, 60, 60, 60]);
    }
}
