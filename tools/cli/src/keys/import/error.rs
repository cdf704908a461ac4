//! Why keys cannot be imported.

use std::io;
use std::path::PathBuf;

/// An error of `envoy-bedrock keys import`.
#[derive(Debug, thiserror::Error)]
pub(in crate::keys) enum ImportError {
    #[error("cannot read {}: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{}: {problem}", path.display())]
    Malformed { path: PathBuf, problem: String },
    #[error(
        "{}: expected a table with the column {column}, as psql's \\copy writes {table} with `csv header`, \
         but found other columns", path.display()
    )]
    OtherTable {
        path: PathBuf,
        table: &'static str,
        column: &'static str,
    },
    #[error("cannot read LiteLLM's database at {server}: {problem}")]
    Database { server: String, problem: String },
    #[error("--database-url: {0}")]
    DatabaseUrl(String),
    #[error("--database-url: the environment variable {0} is not set")]
    NoVariable(String),
    #[error(
        "nothing was imported, because some of LiteLLM's settings protect something and have no equal here. Accept \
         them by name, or import these keys and teams as blocked with --block-unprotected:\n\n{table}\n  \
         --accept-unprotected {names}"
    )]
    Unprotected { table: String, names: String },
}
