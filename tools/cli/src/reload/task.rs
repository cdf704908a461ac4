//! The task that reloads: on changes of files, on request, and for clean-up.

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::engine::{ConfigSource, Engine, ReloadOutcome};
use super::error::ReloadError;
use super::watcher::FileWatcher;
use crate::admin::Admin;
use crate::render::Ports;

/// What the task is asked to do.
enum ReloadCommand {
    /// Read the configuration now. Responds with what became of it.
    Reload(oneshot::Sender<ReloadOutcome>),
    /// Write all files for an Envoy that is about to start again. Responds once they are written.
    Relaunch(Ports, oneshot::Sender<Result<(), ReloadError>>),
    /// Envoy's admin interface is at another address, or nowhere while Envoy is not running.
    Envoy(Option<Admin>),
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

    /// Writes all files for an Envoy that is about to start again with these ports.
    ///
    /// # Errors
    /// The file that cannot be written.
    pub(crate) async fn relaunch(&self, ports: Ports) -> Result<(), ReloadError> {
        let (sender, receiver) = oneshot::channel();
        let stopped = || ReloadError::Other("the task that writes the files has ended".to_owned());
        let command = ReloadCommand::Relaunch(ports, sender);
        self.commands.send(command).await.map_err(|_| stopped())?;
        receiver.await.map_err(|_| stopped())?
    }

    /// Tells the address of the admin interface of a running Envoy.
    pub(crate) async fn envoy(&self, admin: Option<Admin>) {
        let _ = self.commands.send(ReloadCommand::Envoy(admin)).await;
    }
}

/// Keeps a configuration up to date.
pub(crate) struct ReloadTask<S> {
    engine: Engine<S>,
    watcher: FileWatcher,
    admin: Option<Admin>,
    /// The comment of the bootstrap file.
    header: String,
    commands: mpsc::Receiver<ReloadCommand>,
}

impl<S: ConfigSource> ReloadTask<S> {
    /// A task for `engine`. It begins when [`run`](Self::run) is called.
    pub(crate) fn new(engine: Engine<S>, admin: Option<Admin>, header: String) -> (Self, ReloadHandle) {
        let (sender, receiver) = mpsc::channel(16);
        let task = Self {
            watcher: FileWatcher::start(engine.files()),
            engine,
            admin,
            header,
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
                        tracing::warn!("clusters that are no longer used remain: {error}");
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
            ReloadCommand::Relaunch(ports, reply) => {
                let _ = reply.send(self.engine.relaunch(ports, &self.header));
            }
            ReloadCommand::Envoy(admin) => self.admin = admin,
        }
    }

    /// Reloads, and logs the outcome.
    async fn reload(&mut self) -> ReloadOutcome {
        let outcome = self.reload_unless_unchanged().await;
        if matches!(outcome, ReloadOutcome::Unchanged) {
            tracing::info!("the configuration means the same as before");
        }
        outcome
    }

    /// Reloads, and logs the outcome if it makes a difference.
    async fn reload_unless_unchanged(&mut self) -> ReloadOutcome {
        self.watcher.mark();
        let outcome = self.engine.reload(self.admin).await;
        // The configuration may include other files now.
        self.watcher.watch(self.engine.files());
        match &outcome {
            ReloadOutcome::Reloaded => tracing::info!("the configuration was reloaded"),
            ReloadOutcome::Unchanged => {}
            ReloadOutcome::Failed(error) => tracing::error!(
                "the changed configuration cannot be used, and the previous one serves on: {error}"
            ),
        }
        outcome
    }
}
