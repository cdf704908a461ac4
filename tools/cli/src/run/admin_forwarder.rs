//! One address for the admin interface of whichever Envoy serves.

use std::io;
use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::admin::Admin;

/// Passes connections on to the admin interface of the Envoy that serves. While there is none, it
/// closes them.
pub(super) struct AdminForwarder {
    address: SocketAddr,
    target: watch::Sender<Option<Admin>>,
}

impl AdminForwarder {
    /// Starts to accept connections, within a runtime.
    pub(super) fn start(listener: std::net::TcpListener) -> io::Result<Self> {
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let (target, receiver) = watch::channel(None);
        tokio::spawn(serve(listener, receiver));
        Ok(Self { address, target })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Passes further connections on to `admin`.
    pub(super) fn forward_to(&self, admin: Option<Admin>) {
        self.target.send_replace(admin);
    }
}

/// Accepts connections until the forwarder is dropped.
async fn serve(listener: TcpListener, mut target: watch::Receiver<Option<Admin>>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            changed = target.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        let admin = *target.borrow();
        if let (Ok((client, _)), Some(admin)) = (accepted, admin) {
            tokio::spawn(forward(client, admin));
        }
    }
}

async fn forward(mut client: TcpStream, admin: Admin) {
    if let Ok(mut envoy) = TcpStream::connect(admin.address()).await {
        let _closed = copy_bidirectional(&mut client, &mut envoy).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// An admin interface that greets each client with its name.
    async fn envoy(name: &'static str) -> Admin {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.write_all(name.as_bytes()).await.unwrap();
            }
        });
        Admin::at(address)
    }

    #[tokio::test]
    async fn connections_go_to_the_envoy_that_serves_and_are_closed_without_one() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let forwarder = AdminForwarder::start(listener).unwrap();
        let greeting = async || {
            let mut text = String::new();
            let mut stream = TcpStream::connect(forwarder.address()).await.unwrap();
            let _reset = stream.read_to_string(&mut text).await;
            text
        };
        assert_eq!(greeting().await, "");
        for name in ["one", "two"] {
            forwarder.forward_to(Some(envoy(name).await));
            assert_eq!(greeting().await, name);
        }
        forwarder.forward_to(None);
        assert_eq!(greeting().await, "");
    }
}
