//! The ports of a region: accepting connections, opening and closing.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::arrival::ConnectionInfo;
use super::pipeline::handle;
use super::reset::{ResetHandle, ResettableStream};
use crate::control::fault::PortMode;
use crate::shutdown::Shutdown;
use crate::state::RegionState;

/// Connections waiting to be accepted.
const BACKLOG: u32 = 1024;
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// Largest request headers, in bytes. Session tokens alone exceed 1 KB.
const HEADERS_LIMIT_BYTES: u32 = 256 * 1024;
/// HTTP/2 windows, large enough that flow control does not limit a benchmark with large bodies.
const STREAM_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
const STREAMS_PER_CONNECTION: u32 = 1000;

/// A port of a region.
pub(crate) struct RegionPort {
    pub(crate) region: Arc<RegionState>,
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<TlsAcceptor>,
    /// The state that the port has reached.
    pub(crate) reached: watch::Sender<PortMode>,
    pub(crate) shutdown: Shutdown,
}

impl RegionPort {
    /// Serves until the emulator stops. The port opens and closes with its region.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let mut shutdown = self.shutdown.clone();
        let mut mode = self.region.port_mode.subscribe();
        tokio::select! {
            () = shutdown.requested() => {}
            () = self.follow(&mut mode, listener) => {}
        }
    }

    async fn follow(&self, mode: &mut watch::Receiver<PortMode>, listener: TcpListener) {
        let mut listener = Some(listener);
        loop {
            let wanted = *mode.borrow_and_update();
            if wanted == PortMode::Refused {
                drop(listener.take());
                let placeholder = self.hold_port();
                self.reached.send_replace(wanted);
                if mode.changed().await.is_err() {
                    return;
                }
                listener = placeholder.and_then(|socket| socket.listen(BACKLOG).ok());
                continue;
            }
            if listener.is_none() {
                listener = self.hold_port().and_then(|socket| socket.listen(BACKLOG).ok());
            }
            let Some(open) = &listener else {
                // Another process took the port. Connections are refused until the port is free
                // again.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            self.reached.send_replace(wanted);
            tokio::select! {
                changed = mode.changed() => if changed.is_err() { return },
                () = self.accept(open, wanted == PortMode::Blackhole) => {}
            }
        }
    }

    /// Binds the port without listening: connections are refused, and no other process can take the
    /// port.
    fn hold_port(&self) -> Option<TcpSocket> {
        let socket = if self.address.is_ipv4() {
            TcpSocket::new_v4()
        } else {
            TcpSocket::new_v6()
        }
        .ok()?;
        socket.set_reuseaddr(true).ok()?;
        socket.bind(self.address).ok()?;
        Some(socket)
    }

    /// Accepts connections forever. A black hole keeps them open and never reads from them.
    async fn accept(&self, listener: &TcpListener, is_blackhole: bool) {
        let mut kept = Vec::new();
        loop {
            match listener.accept().await {
                Ok((stream, _)) if is_blackhole => kept.push(stream),
                Ok((stream, _)) => {
                    let _ = stream.set_nodelay(true);
                    let (region, tls, shutdown) =
                        (self.region.clone(), self.tls.clone(), self.shutdown.clone());
                    tokio::spawn(serve_connection(region, tls, shutdown, stream));
                }
                // No file descriptor is left, or the client is gone. The next connection may
                // succeed.
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }
}

async fn serve_connection(
    region: Arc<RegionState>,
    tls: Option<TlsAcceptor>,
    mut shutdown: Shutdown,
    stream: TcpStream,
) {
    let reset = Arc::new(ResetHandle::default());
    let connection = ConnectionInfo {
        number: region.emulator.connections.fetch_add(1, Ordering::Relaxed),
        tls: tls.is_some(),
        reset: reset.clone(),
    };
    let mut mode = region.port_mode.subscribe();
    let stream = ResettableStream::new(stream, reset.clone());
    let executor = TaskExecutor(shutdown.clone());
    let serving = pin!(async {
        match tls {
            None => serve_http(region.clone(), connection, executor, stream).await,
            Some(acceptor) => {
                if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
                    serve_http(region.clone(), connection, executor, stream).await;
                }
            }
        }
    });
    tokio::select! {
        () = serving => {}
        () = reset.requested() => {}
        () = shutdown.requested() => {}
        _ = mode.wait_for(|mode| *mode == PortMode::Refused) => reset.reset(),
    }
}

async fn serve_http<S>(
    region: Arc<RegionState>,
    connection: ConnectionInfo,
    executor: TaskExecutor,
    stream: S,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new(executor);
    builder
        .http2()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .max_header_list_size(HEADERS_LIMIT_BYTES);
    let service = service_fn(|request| handle(region.clone(), connection.clone(), request));
    // The log entries of its requests show that a connection broke.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

/// Runs the streams of an HTTP/2 connection as tasks that the emulator waits for when it stops.
#[derive(Clone)]
struct TaskExecutor(Shutdown);

impl<F> hyper::rt::Executor<F> for TaskExecutor
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, future: F) {
        let shutdown = self.0.clone();
        tokio::spawn(async move {
            let _ = future.await;
            drop(shutdown);
        });
    }
}
