//! The ports of the gateway, which this process holds as long as it runs.
//!
//! Envoy's sockets share their port (`SO_REUSEPORT`), so a second gateway on the same port would
//! start and take half of the connections. So a port must be free at startup, and nobody else
//! gets it while Envoy is being restarted.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use super::error::{PortError, PortProblem};
use super::shared_port::SharedPort;

/// The ports of the listeners for clients.
pub(super) struct HeldPorts {
    pub(super) plain: SharedPort,
    pub(super) tls: SharedPort,
}

/// Holds a port for Envoy. `choose` names the ways to choose another one.
pub(super) fn hold(bind: IpAddr, port: u16, choose: &'static str) -> Result<SharedPort, PortError> {
    let address = SocketAddr::new(bind, port);
    // Another gateway of this user would share the port.
    let is_free = TcpListener::bind(address).map(drop);
    let held = is_free.and_then(|()| SharedPort::hold(address));
    held.map_err(|error| refused(error, address, choose))
}

/// Listens on a port of 127.0.0.1 for requests to Envoy's admin interface.
pub(super) fn listen_for_admin(port: u16) -> Result<TcpListener, PortError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listener.map_err(|error| refused(error, address, "--admin-port …"))
}

fn refused(error: io::Error, address: SocketAddr, choose: &'static str) -> PortError {
    let problem = match error.kind() {
        ErrorKind::AddrInUse => PortProblem::Taken,
        ErrorKind::PermissionDenied => PortProblem::NotPermitted,
        _ => PortProblem::Other(error),
    };
    PortError {
        bind: address.ip(),
        port: address.port(),
        problem,
        choose,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_port_is_held_once() {
        let bind = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let port = TcpListener::bind((bind, 0)).unwrap().local_addr().unwrap().port();
        let held = hold(bind, port, "--port …").unwrap();
        assert_eq!(held.address(), SocketAddr::new(bind, port));
        let refused = hold(bind, port, "--port …").map(|_| ()).unwrap_err();
        let expected =
            format!("port {port} of {bind} is used by another program: choose another with --port …");
        assert_eq!(refused.to_string(), expected);
    }
}
