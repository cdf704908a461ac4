//! The parts of Envoy's admin interface that show when its start is over.

use std::net::SocketAddr;

use http::header::HOST;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Longest response body that is read.
const BODY_MAX_BYTES: usize = 1024 * 1024;

/// Whether Envoy serves: its start is over and every worker thread has its VM.
pub(super) async fn is_ready(admin: SocketAddr) -> bool {
    let is_live = get(admin, "/ready")
        .await
        .is_some_and(|body| body.trim() == "LIVE");
    let statistic = "/stats?filter=^listener_manager.workers_started$";
    is_live
        && get(admin, statistic)
            .await
            .is_some_and(|body| body.trim().ends_with(": 1"))
}

/// The address of the listener `name`.
pub(super) async fn listener(admin: SocketAddr, name: &str) -> Option<SocketAddr> {
    let listeners = get(admin, "/listeners").await?;
    listeners.lines().find_map(|line| {
        let (found, address) = line.split_once("::")?;
        (found == name).then(|| address.parse().ok()).flatten()
    })
}

/// The body of the response, if it has status 200.
async fn get(admin: SocketAddr, path: &str) -> Option<String> {
    let stream = TcpStream::connect(admin).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    // Ends when `sender` is dropped.
    tokio::spawn(connection);
    let request = Request::get(path).header(HOST, "localhost");
    let request = request.body(Empty::<Bytes>::new()).ok()?;
    let response = sender.send_request(request).await.ok()?;
    if response.status() != StatusCode::OK {
        return None;
    }
    let body = Limited::new(response.into_body(), BODY_MAX_BYTES).collect().await;
    Some(String::from_utf8_lossy(&body.ok()?.to_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Responds to one request with these bytes, then closes the connection.
    async fn admin(response: impl Into<Vec<u8>>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let response = response.into();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            let _ = stream.write_all(&response).await;
        });
        address
    }

    #[tokio::test]
    async fn a_listener_is_found_in_a_chunked_body() {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let chunks = "9\r\nplain::12\r\nd\r\n7.0.0.1:4000\n\r\n15\r\ntls::127.0.0.1:4443\n\n\r\n0\r\n\r\n";
        let found = listener(admin(format!("{head}{chunks}")).await, "tls").await;
        assert_eq!(found, Some("127.0.0.1:4443".parse().unwrap()));
    }

    #[tokio::test]
    async fn other_statuses_broken_responses_and_endless_bodies_are_ignored() {
        let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat(BODY_MAX_BYTES + 1));
        for response in [
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nLIVE",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nLIVE",
            "LIVE",
            "",
            &endless,
        ] {
            assert!(get(admin(response).await, "/ready").await.is_none());
        }
    }
}
