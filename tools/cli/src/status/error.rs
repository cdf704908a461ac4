//! Why there is nothing to show.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::address::AddressError;

/// Why there is nothing to show.
#[derive(Debug, Error)]
pub(super) enum StatusError {
    #[error(
        "no gateway was started with this state directory: there is no {}. Start one with `envoy-bedrock run`, or name \
         the state directory of another one with --state, or the admin interface of your own Envoy with --admin \
         http://127.0.0.1:9901",
        .0.display()
    )]
    NeverStarted(PathBuf),
    #[error("cannot read {}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("the URL of the admin interface: expected one like http://127.0.0.1:9901, found {0}")]
    Url(AddressError),
    #[error(
        "the URL of the admin interface: expected http, found https, which Envoy's admin interface cannot use"
    )]
    Https,
    #[error("cannot find the host of the admin interface {0}")]
    Host(String),
    #[error(
        "no gateway is running at {0}: its admin interface does not respond. Start one with `envoy-bedrock run`, or name \
         another one with --admin or --state"
    )]
    NotRunning(String),
    #[error(
        "no gateway is running at {0}: expected an Envoy with the metric envoy_bedrock_deployment_info, found none. Does \
         it use the filter?"
    )]
    OtherEnvoy(String),
    #[error("cannot start the threads of this command: {0}")]
    Runtime(io::Error),
}
