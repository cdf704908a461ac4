//! Checks that ports are free before Envoy starts. Envoy shares its ports between its threads
//! (`SO_REUSEPORT`), so a second Envoy on the same port would start and take half of the
//! connections.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener};

use super::error::{PortError, PortProblem};

/// Checks that `port` can be bound to. `variable` and `option` are the ways to choose another one.
pub(super) fn check_free(
    bind: IpAddr,
    port: u16,
    variable: &'static str,
    option: &'static str,
) -> Result<(), PortError> {
    let Err(error) = TcpListener::bind(SocketAddr::new(bind, port)) else {
        return Ok(());
    };
    let problem = match error.kind() {
        ErrorKind::AddrInUse => PortProblem::Taken,
        ErrorKind::PermissionDenied => PortProblem::NotPermitted,
        _ => PortProblem::Other(error),
    };
    Err(PortError {
        bind,
        port,
        problem,
        variable,
        option,
    })
}
