//! Why a changed configuration is not active.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a changed configuration is not active.
#[derive(Debug, Error)]
pub(crate) enum ReloadError {
    /// The configuration has errors: their messages.
    #[error("{}", .0.join("\n"))]
    Configuration(Vec<String>),
    /// It can be used, but only by an Envoy that is started with it.
    #[error("{0}: restart to use it")]
    NeedsRestart(String),
    /// Envoy does not accept a file.
    #[error("Envoy refused the rendered {file}: its log says why")]
    Refused { file: &'static str },
    /// A rendered file cannot be written.
    #[error("cannot write {}: {error}", path.display())]
    Unwritable { path: PathBuf, error: io::Error },
}
