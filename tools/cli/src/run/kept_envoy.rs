//! An Envoy that is started again when it ends, or replaced by a standby.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep_until};

use super::error::RunError;
use super::exit::EnvoyExit;
use super::launch::Launch;
use super::process::EnvoyProcess;
use super::restarts::Restarts;
use super::standby::Standby;
use crate::admin::Admin;

/// An Envoy that is started again when it ends, or replaced by a standby.
pub(super) struct KeptEnvoy<'a> {
    pub(super) launch: Launch<'a>,
    state: State,
    standby: Standby,
    restarts: Restarts,
    /// Restarts since the beginning.
    count: u64,
}

enum State {
    /// Not ready yet.
    Starting(EnvoyProcess),
    Serving(Serving),
    /// Down until then.
    Waiting(Instant),
}

/// An Envoy that serves.
struct Serving {
    process: EnvoyProcess,
    admin: Admin,
    since: Instant,
}

/// What happened to Envoy.
pub(super) enum EnvoyChange {
    /// It serves again.
    Serving,
    /// A standby is ready, or has ended.
    Standby,
    /// It ended, and this follows.
    Ended(Death, Recovery),
    /// It ended, intentionally or once too often.
    Gone(Death),
}

/// What follows the end of Envoy.
pub(super) enum Recovery {
    /// The standby serves.
    Standby,
    /// Another start after this time.
    Restart(Duration),
}

/// How Envoy ended, and what it logged before.
pub(super) struct Death {
    pub(super) exit: EnvoyExit,
    pub(super) last_lines: Vec<String>,
    /// Number of the restart that follows, within the last minute and since the beginning.
    pub(super) restarts: (u32, u64),
}

impl<'a> KeptEnvoy<'a> {
    /// Starts Envoy for the first time.
    pub(super) fn start(launch: Launch<'a>) -> Result<Self, RunError> {
        let process = EnvoyProcess::start(&launch, true)?;
        let arguments = launch.arguments;
        Ok(Self {
            standby: Standby::new(arguments.wants_standby()),
            restarts: Restarts::up_to(arguments.max_restarts),
            launch,
            state: State::Starting(process),
            count: 0,
        })
    }

    /// Waits for the end of the first start. If it fails, another one would fail too. Cancelling it
    /// loses nothing.
    pub(super) async fn first_start(&mut self) -> Result<(), RunError> {
        let State::Starting(process) = &mut self.state else {
            return Ok(());
        };
        match process.ready().await {
            Ok(admin) => {
                self.serving(admin);
                Ok(())
            }
            Err(exit) => {
                process.log().finish().await;
                let log = process.log().errors();
                Err(RunError::EnvoyFailed { log, exit })
            }
        }
    }

    /// The running Envoy, unless it is down or starting.
    pub(super) fn running(&mut self) -> Option<(&mut EnvoyProcess, Admin)> {
        match &mut self.state {
            State::Serving(serving) => Some((&mut serving.process, serving.admin)),
            State::Starting(_) | State::Waiting(_) => None,
        }
    }

    /// Tells the others in this process where the admin interfaces of the running Envoys are, and
    /// how often Envoy was restarted.
    pub(super) async fn tell_admins(&mut self) {
        let active = self.running().map(|(_, admin)| admin);
        self.launch.admin.forward_to(active);
        let envoys = active.into_iter().chain(self.standby.admin());
        self.launch.reload.envoys(envoys.collect(), self.count).await;
    }

    /// Lets Envoy open its log files again, after they were renamed. Returns false if it is down or
    /// starting, when the signal would kill it: then it opens new files anyway.
    pub(super) async fn reopen_logs(&mut self) -> bool {
        self.standby.replace().await;
        let active = self.running().map(|(process, _)| process.signal(Signal::USR1));
        active.is_some()
    }

    /// Returns the next change, and makes the restarts. Cancelling it loses nothing.
    pub(super) async fn next(&mut self) -> EnvoyChange {
        loop {
            match &mut self.state {
                State::Serving(Serving { process, admin, .. }) => tokio::select! {
                    exit = process.ended() => return self.ended(exit).await,
                    () = self.standby.next(&self.launch, *admin) => return EnvoyChange::Standby,
                },
                State::Starting(process) => match process.ready().await {
                    Ok(admin) => {
                        self.serving(admin);
                        return EnvoyChange::Serving;
                    }
                    Err(exit) => return self.ended(exit).await,
                },
                State::Waiting(until) => {
                    sleep_until(*until).await;
                    match EnvoyProcess::start(&self.launch, false) {
                        Ok(process) => self.state = State::Starting(process),
                        Err(error) => return self.ended(EnvoyExit::NotStarted(error.to_string())).await,
                    }
                }
            }
        }
    }

    /// Ends the standby, so that nobody takes over from an Envoy that is about to be drained.
    pub(super) async fn end_standby(&mut self) {
        self.standby.end().await;
    }

    /// Ends Envoy.
    pub(super) async fn stop(mut self) -> Launch<'a> {
        self.standby.end().await;
        match self.state {
            State::Starting(process) | State::Serving(Serving { process, .. }) => process.stop().await,
            State::Waiting(_) => {}
        }
        self.launch
    }

    fn serving(&mut self, admin: Admin) {
        let waiting = State::Waiting(Instant::now());
        if let State::Starting(mut process) = std::mem::replace(&mut self.state, waiting) {
            process.log().started();
            self.state = State::Serving(Serving {
                process,
                admin,
                since: Instant::now(),
            });
        }
    }

    /// Decides what follows the end of Envoy.
    async fn ended(&mut self, exit: EnvoyExit) -> EnvoyChange {
        let now = Instant::now();
        let (process, served) = match &mut self.state {
            State::Serving(Serving { process, since, .. }) => (Some(process), since.elapsed()),
            State::Starting(process) => (Some(process), Duration::ZERO),
            State::Waiting(_) => (None, Duration::ZERO),
        };
        let mut last_lines = Vec::new();
        if let Some(process) = process {
            process.log().finish().await;
            last_lines = process.log().tail();
        }
        let next = if exit.was_asked_for() {
            None
        } else {
            self.restarts.next(now, served)
        };
        self.count += u64::from(next.is_some());
        let death = Death {
            exit,
            last_lines,
            restarts: (next.as_ref().map_or(0, |restart| restart.number), self.count),
        };
        match next {
            Some(restart) => EnvoyChange::Ended(death, self.recover(now, restart.delay)),
            None => EnvoyChange::Gone(death),
        }
    }

    /// Lets the standby take over, or waits for `delay` before a restart.
    fn recover(&mut self, now: Instant, delay: Duration) -> Recovery {
        let Some((mut process, admin)) = self.standby.take(delay) else {
            self.state = State::Waiting(now + delay);
            return Recovery::Restart(delay);
        };
        process.takes_over();
        let Some(admin) = admin else {
            self.state = State::Starting(process);
            return Recovery::Restart(Duration::ZERO);
        };
        self.state = State::Serving(Serving {
            process,
            admin,
            since: now,
        });
        Recovery::Standby
    }
}
