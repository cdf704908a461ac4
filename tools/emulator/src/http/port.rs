//! A region: its ports, and whether they are open.

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

use crate::control::fault::PortMode;
use crate::http::pipeline::{ConnectionInfo, handle};
use crate::http::reset::{ResetHandle, ResettableStream};
use crate::shutdown::Shutdown;
use crate::state::RegionState;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;
/// Time for a TLS handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// Largest request headers, in bytes: session tokens alone are more than 1 KB.
const HEADERS_LIMIT_BYTES: u32 = 256 * 1024;
/// HTTP/2 flow control: large bodies should not be what a benchmark measures.
const STREAM_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
const STREAMS_PER_CONNECTION: u32 = 1000;

/// A port of a region.
pub(crate) struct RegionPort {
    pub(crate) region: Arc<RegionState>,
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<TlsAcceptor>,
    /// Says which state of the door this port has reached.
    pub(crate) reached: watch::Sender<PortMode>,
    pub(crate) life: Shutdown,
}

impl RegionPort {
    /// Serves until the emulator stops, opening and closing with the region's door.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let mut life = self.life.clone();
        let mut door = self.region.door.subscribe();
        tokio::select! {
            () = life.stopped() => {}
            () = self.follow(&mut door, listener) => {}
        }
    }

    async fn follow(&self, door: &mut watch::Receiver<PortMode>, listener: TcpListener) {
        let mut listener = Some(listener);
        loop {
            let state = *door.borrow_and_update();
            if state == PortMode::Refused {
                drop(listener.take());
                let placeholder = self.hold_port();
                self.reached.send_replace(state);
                if door.changed().await.is_err() {
                    return;
                }
                listener = placeholder.and_then(|socket| socket.listen(BACKLOG).ok());
                continue;
            }
            if listener.is_none() {
                listener = self.hold_port().and_then(|socket| socket.listen(BACKLOG).ok());
            }
            let Some(open) = &listener else {
                // Somebody else has the port: until it is free again, refusing is all that can be done.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            self.reached.send_replace(state);
            tokio::select! {
                changed = door.changed() => if changed.is_err() { return },
                () = self.accept(open, state == PortMode::Blackhole) => {}
            }
        }
    }

    /// The port without anybody listening on it: connections are refused, and no other process gets it.
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

    /// Accepts for ever. Into a black hole, connections are only kept.
    async fn accept(&self, listener: &TcpListener, into_black_hole: bool) {
        let mut kept = Vec::new();
        loop {
            match listener.accept().await {
                Ok((stream, _)) if into_black_hole => kept.push(stream),
                Ok((stream, _)) => {
                    let _ = stream.set_nodelay(true);
                    let (region, tls, life) = (self.region.clone(), self.tls.clone(), self.life.clone());
                    tokio::spawn(serve_connection(region, tls, life, stream));
                }
                // Out of file descriptors, or gone before it was accepted: the next one may do better.
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }
}

async fn serve_connection(
    region: Arc<RegionState>,
    tls: Option<TlsAcceptor>,
    mut life: Shutdown,
    stream: TcpStream,
) {
    let breaker = Arc::new(ResetHandle::default());
    let connection = ConnectionInfo {
        number: region.shared.connections.fetch_add(1, Ordering::Relaxed),
        tls: tls.is_some(),
        breaker: breaker.clone(),
    };
    let mut door = region.door.subscribe();
    let wire = ResettableStream::new(stream, breaker.clone());
    let tasks = TaskExecutor(life.clone());
    let serving = pin!(async {
        match tls {
            None => serve_http(region.clone(), connection, tasks, wire).await,
            Some(acceptor) => {
                if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(wire)).await {
                    serve_http(region.clone(), connection, tasks, stream).await;
                }
            }
        }
    });
    tokio::select! {
        () = serving => {}
        () = breaker.struck() => {}
        () = life.stopped() => {}
        _ = door.wait_for(|door| *door == PortMode::Refused) => breaker.reset(),
    }
}

async fn serve_http<S>(region: Arc<RegionState>, connection: ConnectionInfo, tasks: TaskExecutor, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new(tasks);
    builder
        .http2()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .max_header_list_size(HEADERS_LIMIT_BYTES);
    let service = service_fn(|request| handle(region.clone(), connection.clone(), request));
    // A broken connection is in the log as what it did to its requests.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

/// Runs the streams of one HTTP/2 connection. They end with it, and the emulator waits for them.
#[derive(Clone)]
struct TaskExecutor(Shutdown);

impl<F> hyper::rt::Executor<F> for TaskExecutor
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, future: F) {
        let life = self.0.clone();
        tokio::spawn(async move {
            let _ = future.await;
            drop(life);
        });
    }
}
