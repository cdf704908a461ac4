//! Stopping the tasks of an emulator.

use tokio::sync::{mpsc, watch};

/// Tells a task that the emulator stops. Each task holds a clone for as long as it runs.
#[derive(Clone, Debug)]
pub(crate) struct Shutdown {
    stop: watch::Receiver<bool>,
    _running: mpsc::Sender<()>,
}

impl Shutdown {
    /// Returns once the emulator stops or is dropped.
    pub(crate) async fn requested(&mut self) {
        let _ = self.stop.wait_for(|stop| *stop).await;
    }
}

/// Stops every task that holds a [`Shutdown`].
#[derive(Debug)]
pub(crate) struct ShutdownTrigger {
    stop: watch::Sender<bool>,
    running: mpsc::Receiver<()>,
}

impl ShutdownTrigger {
    pub(crate) fn new() -> (Self, Shutdown) {
        let (stop_sender, stop_receiver) = watch::channel(false);
        let (running_sender, running_receiver) = mpsc::channel(1);
        let trigger = Self {
            stop: stop_sender,
            running: running_receiver,
        };
        let shutdown = Shutdown {
            stop: stop_receiver,
            _running: running_sender,
        };
        (trigger, shutdown)
    }

    pub(crate) fn request(&self) {
        self.stop.send_replace(true);
    }

    /// Returns once every task has ended.
    pub(crate) async fn done(&mut self) {
        let _ = self.running.recv().await;
    }
}
