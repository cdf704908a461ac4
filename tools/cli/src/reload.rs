//! Keeps the configuration of a running Envoy up to date.
//!
//! A change of a file is read like the first configuration. If it can be used, it is rendered into
//! the directory that Envoy watches. If it cannot, nothing changes but the status: readiness and
//! metrics show the error, and the previous configuration stays in use.

mod control;
mod engine;
mod error;
mod fingerprint;
mod opening;
mod publisher;
mod task;
mod watcher;

pub(crate) use control::ControlSocket;
pub(crate) use engine::{ConfigSource, Engine, ReloadOutcome};
pub(crate) use error::ReloadError;
pub(crate) use opening::OpeningBalances;
pub(crate) use publisher::Publisher;
pub(crate) use task::{ReloadHandle, ReloadTask};
pub(crate) use watcher::FileWatcher;
