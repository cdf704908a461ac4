//! Envoy's admin interface: whether Envoy has started, what is open, and how to drain it.

use std::net::SocketAddr;

use http::header::HOST;
use http::{Method, Request, StatusCode};
use http_body_util::Empty;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::exchange::exchange;

/// Envoy's admin interface.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admin(SocketAddr);

impl Admin {
    pub(crate) const fn at(address: SocketAddr) -> Self {
        Self(address)
    }

    pub(crate) const fn address(self) -> SocketAddr {
        self.0
    }

    /// Whether Envoy serves: it has started, and every worker thread has its VM.
    pub(crate) async fn is_ready(self) -> bool {
        let is_live = self
            .send(Method::GET, "/ready")
            .await
            .is_some_and(|body| body.trim() == "LIVE");
        is_live && self.value("listener_manager.workers_started").await == Some(1)
    }

    /// Whether Envoy has refused any of the files that it reads again when they change.
    pub(crate) async fn has_refused(self) -> bool {
        let rejected = self.stats(r"\.update_rejected$").await.unwrap_or_default();
        rejected.lines().any(|line| !line.ends_with(": 0"))
    }

    /// Makes every response close its connection (`connection: close`, or GOAWAY), and readiness
    /// false. Returns whether Envoy did so.
    pub(crate) async fn fail_health_checks(self) -> bool {
        self.send(Method::POST, "/healthcheck/fail").await.is_some()
    }

    /// Closes the listeners. Connections stay open. Returns whether Envoy did so.
    pub(crate) async fn close_listeners(self) -> bool {
        self.send(Method::POST, "/drain_listeners").await.is_some()
    }

    /// What clients are waiting for; `None` if Envoy does not respond.
    pub(crate) async fn open(self) -> Option<Open> {
        Some(Open {
            requests: self.value("http.gateway.downstream_rq_active").await?,
            bytes: self.value("http.gateway.downstream_cx_tx_bytes_buffered").await?,
        })
    }

    /// The value of a counter or gauge.
    pub(crate) async fn value(self, statistic: &str) -> Option<u64> {
        let pattern = statistic.replace('.', "\\.");
        let body = self.stats(&format!("^{pattern}$")).await?;
        let (_, value) = body.trim().rsplit_once(": ")?;
        value.parse().ok()
    }

    /// The statistics whose names match a regular expression: `name: value` lines.
    pub(crate) async fn stats(self, pattern: &str) -> Option<String> {
        let filter = utf8_percent_encode(pattern, NON_ALPHANUMERIC);
        self.send(Method::GET, &format!("/stats?filter={filter}")).await
    }

    /// The port of a listener.
    pub(crate) async fn listener_port(self, name: &str) -> Option<u16> {
        let body = self.send(Method::GET, "/listeners?format=json").await?;
        let body: Value = serde_json::from_str(&body).ok()?;
        let mut listeners = body["listener_statuses"].as_array()?.iter();
        let listener = listeners.find(|listener| listener["name"] == name)?;
        let port = listener["local_address"]["socket_address"]["port_value"].as_u64()?;
        u16::try_from(port).ok()
    }

    /// The body of the response, if it has status 200.
    async fn send(self, method: Method, path: &str) -> Option<String> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "localhost");
        let (status, body) = exchange(self.0, request.body(Empty::new()).ok()?).await?;
        (status == StatusCode::OK).then_some(body)
    }
}

/// What clients are waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) requests: u64,
    /// Bytes of complete responses that clients have not read yet, among others.
    pub(crate) bytes: u64,
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::exchange::BODY_MAX_BYTES;

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
    async fn a_value_is_found_in_a_chunked_body() {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let chunks = "9\r\nserver.co\r\nd\r\nncurrency: 1\n\r\n0\r\n\r\n";
        let found = Admin::at(admin(format!("{head}{chunks}")).await);
        assert_eq!(found.value("server.concurrency").await, Some(1));
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
            let broken = Admin::at(admin(response).await);
            assert!(broken.send(Method::GET, "/ready").await.is_none());
        }
    }
}
