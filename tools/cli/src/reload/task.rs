//! The task that reloads: on changes of files, on request, and for clean-up.

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::engine::{ConfigSource, Engine, ReloadOutcome};
use super::watcher::FileWatcher;
use crate::admin::Admin;

/// What the task is asked to do.
enum ReloadCommand {
    /// Read the configuration now. Responds with what happened to it.
    Reload(oneshot::Sender<ReloadOutcome>),
    /// Other Envoys are running: their admin interfaces, and the number of restarts.
    Envoys(Vec<Admin>, u64),
}

/// Sends commands to the task.
#[derive(Clone)]
pub(crate) struct ReloadHandle {
    commands: mpsc::Sender<ReloadCommand>,
}

impl ReloadHandle {
    /// Reloads now. `None` if the task has ended.
    pub(crate) async fn reload(&self) -> Option<ReloadOutcome> {
        let (sender, receiver) = oneshot::channel();
        self.commands.send(ReloadCommand::Reload(sender)).await.ok()?;
        receiver.await.ok()
    }

    /// Tells the admin interfaces of the Envoys that are running, and how often one was restarted.
    pub(crate) async fn envoys(&self, envoys: Vec<Admin>, restarts: u64) {
        let command = ReloadCommand::Envoys(envoys, restarts);
        let _ = self.commands.send(command).await;
    }
}

/// Keeps a configuration up to date.
pub(crate) struct ReloadTask<S> {
    engine: Engine<S>,
    watcher: FileWatcher,
    /// The admin interfaces of the running Envoys.
    envoys: Vec<Admin>,
    commands: mpsc::Receiver<ReloadCommand>,
}

impl<S: ConfigSource> ReloadTask<S> {
    /// A task for `engine`. It starts when [`run`](Self::run) is called.
    pub(crate) fn new(engine: Engine<S>, envoys: Vec<Admin>) -> (Self, ReloadHandle) {
        let (sender, receiver) = mpsc::channel(16);
        let task = Self {
            watcher: FileWatcher::start(engine.files()),
            engine,
            envoys,
            commands: receiver,
        };
        (task, ReloadHandle { commands: sender })
    }

    /// Runs until all handles are gone.
    pub(crate) async fn run(mut self) {
        // A file may have changed after it was read and before it was watched.
        self.reload_unless_unchanged().await;
        loop {
            let removal = self.engine.publisher().next_removal();
            let removal_time = removal.unwrap_or_else(Instant::now);
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => return,
                },
                () = self.watcher.changed() => drop(self.reload().await),
                () = sleep_until(removal_time), if removal.is_some() => {
                    if let Err(error) = self.engine.publisher().remove_lingering(Instant::now()) {
                        tracing::warn!("unused clusters could not be removed: {error}");
                    }
                }
            }
        }
    }

    async fn obey(&mut self, command: ReloadCommand) {
        match command {
            ReloadCommand::Reload(reply) => {
                let outcome = self.reload().await;
                let _ = reply.send(outcome);
            }
            ReloadCommand::Envoys(envoys, restarts) => {
                self.envoys = envoys;
                self.engine.restarted(restarts, &self.envoys).await;
            }
        }
    }

    /// Reloads, and logs the outcome.
    async fn reload(&mut self) -> ReloadOutcome {
        let outcome = self.reload_unless_unchanged().await;
        if matches!(outcome, ReloadOutcome::Unchanged) {
            tracing::info!("the configuration is equivalent to the previous one");
        }
        outcome
    }

    /// Reloads, and logs the outcome if it makes a difference.
    async fn reload_unless_unchanged(&mut self) -> ReloadOutcome {
        self.watcher.mark();
        let outcome = self.engine.reload(&self.envoys).await;
        // The configuration may include other files now.
        self.watcher.watch(self.engine.files());
        match &outcome {
            ReloadOutcome::Reloaded => tracing::info!("the configuration was reloaded"),
            ReloadOutcome::Unchanged => {}
            ReloadOutcome::Failed(error) => tracing::error!(
                "the changed configuration cannot be used, and the previous one stays in use: {error}"
            ),
        }
        outcome
    }
}
