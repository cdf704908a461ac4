//! An Envoy that is started again when it ends.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::error::RunError;
use super::exit::EnvoyExit;
use super::launch::{Addresses, Launch};
use super::process::EnvoyProcess;
use super::restarts::Restarts;
use crate::admin::Admin;

/// An Envoy that is started again when it ends.
pub(super) struct KeptEnvoy<'a> {
    pub(super) launch: Launch<'a>,
    state: State,
    restarts: Restarts,
    /// Restarts since the beginning.
    count: u64,
}

enum State {
    /// Not ready yet.
    Starting(EnvoyProcess),
    Serving(EnvoyProcess, Admin),
    /// Down until then.
    Waiting(Instant),
}

/// What happened to Envoy.
pub(super) enum EnvoyChange {
    /// It serves again.
    Serving,
    /// It ended and will be started again after `delay`.
    Restarting(Death, Duration),
    /// It ended, and that was once too often, or intended.
    Gone(Death),
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
        let process = EnvoyProcess::start(&launch)?;
        Ok(Self {
            restarts: Restarts::up_to(launch.arguments.max_restarts),
            launch,
            state: State::Starting(process),
            count: 0,
        })
    }

    /// Waits for the end of the first start. If it fails, another one would fail too. Cancelling it
    /// loses nothing.
    pub(super) async fn first_start(&mut self) -> Result<Addresses, RunError> {
        let State::Starting(process) = &mut self.state else {
            return Err(RunError::NoListeners);
        };
        match process.ready().await {
            Ok(admin) => {
                let addresses = self.launch.learn_addresses(admin).await?;
                self.serving(admin);
                Ok(addresses)
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
            State::Serving(process, admin) => Some((process, *admin)),
            State::Starting(_) | State::Waiting(_) => None,
        }
    }

    /// Tells the task that reloads where Envoy's admin interface is, if Envoy is running.
    pub(super) async fn tell_reload(&mut self) {
        let admin = self.running().map(|(_, admin)| admin);
        self.launch.reload.envoy(admin).await;
    }

    /// Returns the next change, and makes the restarts. Cancelling it loses nothing.
    pub(super) async fn next(&mut self) -> EnvoyChange {
        loop {
            match &mut self.state {
                State::Serving(process, _) => {
                    let exit = process.ended().await;
                    process.log().finish().await;
                    return self.ended(exit);
                }
                State::Starting(process) => match process.ready().await {
                    Ok(admin) => {
                        self.serving(admin);
                        return EnvoyChange::Serving;
                    }
                    Err(exit) => {
                        process.log().finish().await;
                        return self.ended(exit);
                    }
                },
                State::Waiting(until) => {
                    sleep_until(*until).await;
                    let renewed = self.launch.renew().await;
                    match renewed.and_then(|()| EnvoyProcess::start(&self.launch)) {
                        Ok(process) => self.state = State::Starting(process),
                        Err(error) => return self.ended(EnvoyExit::NotStarted(error.to_string())),
                    }
                }
            }
        }
    }

    /// Ends Envoy.
    pub(super) async fn stop(self) -> Launch<'a> {
        match self.state {
            State::Starting(process) | State::Serving(process, _) => process.stop().await,
            State::Waiting(_) => {}
        }
        self.launch
    }

    fn serving(&mut self, admin: Admin) {
        let waiting = State::Waiting(Instant::now());
        if let State::Starting(mut process) = std::mem::replace(&mut self.state, waiting) {
            process.log().started();
            self.state = State::Serving(process, admin);
        }
    }

    /// Decides what follows the end of Envoy.
    fn ended(&mut self, exit: EnvoyExit) -> EnvoyChange {
        let now = Instant::now();
        let next = if exit.was_asked_for() {
            None
        } else {
            self.restarts.next(now)
        };
        let delay = next.as_ref().map_or(Duration::ZERO, |restart| restart.delay);
        let ended = std::mem::replace(&mut self.state, State::Waiting(now + delay));
        let last_lines = match ended {
            State::Starting(mut process) | State::Serving(mut process, _) => process.log().tail(),
            State::Waiting(_) => Vec::new(),
        };
        let number = next.as_ref().map_or(0, |restart| restart.number);
        self.count += u64::from(next.is_some());
        let death = Death {
            exit,
            last_lines,
            restarts: (number, self.count),
        };
        match next {
            Some(_) => EnvoyChange::Restarting(death, delay),
            None => EnvoyChange::Gone(death),
        }
    }
}
