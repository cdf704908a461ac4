//! Ending the tasks of an emulator.

use tokio::sync::{mpsc, watch};

/// What makes every task of an emulator end, and lets it know when they have.
#[derive(Clone, Debug)]
pub(crate) struct Shutdown {
    /// Becomes true, or loses its sender.
    pub(crate) stop: watch::Receiver<bool>,
    /// Held by each task as long as it lives.
    pub(crate) _alive: mpsc::Sender<()>,
}

impl Shutdown {
    pub(crate) async fn stopped(&mut self) {
        let _ = self.stop.wait_for(|stop| *stop).await;
    }
}
