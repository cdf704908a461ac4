//! A port on which several Envoys listen, of which the first gets all connections.

use std::io;
use std::net::{SocketAddr, TcpListener};

#[cfg(target_os = "linux")]
use super::reuse_port;

/// A port that is bound to, so that no other user gets it, and on which Envoys may listen.
///
/// Only Linux permits that. On other systems the port is not held, and there is no order.
pub(super) struct SharedPort {
    address: SocketAddr,
    /// Nobody listens with this socket, so connections are refused unless an Envoy listens.
    _socket: Option<TcpListener>,
}

impl SharedPort {
    /// Binds to `address`.
    #[cfg(target_os = "linux")]
    pub(super) fn hold(address: SocketAddr) -> io::Result<Self> {
        let socket = reuse_port::bound(address)?;
        // Otherwise programs with this option could take the port while nobody listens.
        rustix::net::sockopt::set_socket_reuseaddr(&socket, false)?;
        let socket = TcpListener::from(socket);
        Ok(Self {
            address: socket.local_addr()?,
            _socket: Some(socket),
        })
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn hold(address: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            address: TcpListener::bind(address)?.local_addr()?,
            _socket: None,
        })
    }

    /// With the port that the kernel chose, if the caller left it the choice.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, new connections go to the first `sockets` that listen on the port. Call it
    /// while an Envoy listens; once nobody does any more, it is forgotten.
    #[cfg(target_os = "linux")]
    pub(super) fn prefer_first(&self, sockets: u32) -> io::Result<()> {
        let socket = reuse_port::bound(self.address)?;
        // What is set for one of the sockets that listen is set for all, and outlasts this one.
        rustix::net::listen(&socket, 1)?;
        reuse_port::choose_among(&socket, sockets)
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn prefer_first(&self, _sockets: u32) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};

    use rustix::net::listen;

    use super::*;

    /// Sockets that listen on the port, as those of one Envoy.
    fn listeners(port: &SharedPort) -> Vec<TcpListener> {
        let one = || {
            let socket = reuse_port::bound(port.address()).unwrap();
            listen(&socket, 64).unwrap();
            let listener = TcpListener::from(socket);
            listener.set_nonblocking(true).unwrap();
            listener
        };
        vec![one(), one(), one()]
    }

    /// How many of 30 new connections these sockets get.
    fn share(port: &SharedPort, listeners: &[TcpListener]) -> usize {
        let clients: Vec<_> = (0..30)
            .map(|_| TcpStream::connect(port.address()).unwrap())
            .collect();
        let accepted = listeners
            .iter()
            .flat_map(|listener| std::iter::from_fn(|| listener.accept().ok()));
        let count = accepted.count();
        drop(clients);
        count
    }

    fn ports() -> [SharedPort; 2] {
        ["127.0.0.1:0", "[::1]:0"].map(|address| SharedPort::hold(address.parse().unwrap()).unwrap())
    }

    #[test]
    fn a_held_port_refuses_connections_and_other_programs() {
        for port in ports() {
            assert!(TcpStream::connect(port.address()).is_err());
            assert!(TcpListener::bind(port.address()).is_err());
            assert_eq!(share(&port, &listeners(&port)), 30);
        }
    }

    #[test]
    fn the_first_sockets_get_all_connections_and_the_next_take_over_when_they_close() {
        for port in ports() {
            let first = listeners(&port);
            port.prefer_first(3).unwrap();
            let second = listeners(&port);
            assert_eq!(share(&port, &first), 30);
            drop(first);
            assert_eq!(share(&port, &second), 30);
            port.prefer_first(3).unwrap();
            let third = listeners(&port);
            assert_eq!(share(&port, &second), 30);
            drop(third);
            assert_eq!(share(&port, &second), 30);
        }
    }

    #[test]
    fn each_of_the_first_sockets_gets_connections() {
        for port in ports() {
            let first = listeners(&port);
            port.prefer_first(3).unwrap();
            share(&port, &[]);
            share(&port, &[]);
            for listener in &first {
                let (mut stream, _) = listener.accept().unwrap();
                assert_eq!(stream.read(&mut [0]).unwrap(), 0);
            }
        }
    }
}
