//! Why spend logs cannot be added up.

use std::io;

use thiserror::Error;

/// A file that cannot be read.
#[derive(Debug, Error)]
#[error("cannot read {name}: {error}")]
pub(super) struct UnreadableLog {
    /// What messages call the file.
    pub(super) name: String,
    pub(super) error: io::Error,
}

/// Text that is neither a date nor a time.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("expected a date (2026-11-22) or a time (2026-11-22T09:30:00Z), but found '{0}'")]
pub struct TimeError(pub(super) String);
