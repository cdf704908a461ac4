//! Whether a port can be had, asked before anything is started: Envoy shares its ports among its threads, so a second
//! one on the same port would start and take half of the connections.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener};

/// Nothing if `port` can be bound to, else what to do. `variable` and `flag` are how another is chosen.
pub(super) fn free(bind: IpAddr, port: u16, variable: &str, flag: &str) -> Result<(), String> {
    let found = match TcpListener::bind(SocketAddr::new(bind, port)) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => "it taken by another program".to_owned(),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            "that this user may not use it".to_owned()
        }
        Err(error) => error.to_string(),
    };
    Err(format!(
        "expected port {port} of {bind} to be free, but found {found}: choose another with {variable}=… or {flag} …"
    ))
}
