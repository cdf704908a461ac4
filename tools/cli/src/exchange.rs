//! A single HTTP request without TLS: to Envoy's admin interface, or to the gateway.

use std::net::SocketAddr;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest response body that is read. A gateway with thousands of deployments has statistics of
/// several megabytes.
pub(crate) const BODY_MAX_BYTES: usize = 16 * 1024 * 1024;
/// Time limit for a response.
const RESPONSE_MAX: Duration = Duration::from_secs(5);

/// Sends a request on a connection of its own. Returns the status and the body of the response;
/// `None` unless a complete response arrives.
pub(crate) async fn exchange(
    address: SocketAddr,
    request: Request<Empty<Bytes>>,
) -> Option<(StatusCode, String)> {
    timeout(RESPONSE_MAX, send(address, request)).await.ok()?
}

async fn send(address: SocketAddr, request: Request<Empty<Bytes>>) -> Option<(StatusCode, String)> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    // Ends when `sender` is dropped.
    tokio::spawn(connection);
    let response = sender.send_request(request).await.ok()?;
    let status = response.status();
    let body = Limited::new(response.into_body(), BODY_MAX_BYTES).collect().await;
    let text = String::from_utf8_lossy(&body.ok()?.to_bytes()).into_owned();
    Some((status, text))
}
