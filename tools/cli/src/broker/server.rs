//! Serves the broker's credentials on a Unix socket or a port of the loopback address.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use envoy_bedrock::secret::Secret;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

use super::failure::{Failure, FailureCode};
use super::holder::Broker;
use super::{api_key, wire};
use crate::private_socket;

/// A listening broker.
pub(crate) struct BrokerServer {
    listener: Listener,
    /// What clients must present.
    token: Option<Secret>,
}

enum Listener {
    Unix { listener: UnixListener, path: PathBuf },
    Tcp(TcpListener),
}

impl BrokerServer {
    /// Listens at a socket that only this user can connect to.
    ///
    /// # Errors
    /// Those of the operating system. The path may have about 100 bytes.
    pub(crate) fn on_socket(path: &Path) -> io::Result<Self> {
        Ok(Self {
            listener: Listener::Unix {
                listener: private_socket::bind(path)?,
                path: path.to_owned(),
            },
            token: None,
        })
    }

    /// Listens on a port, for clients that present `token` in their `authorization`.
    ///
    /// # Errors
    /// Those of the operating system.
    pub(crate) async fn on_port(address: SocketAddr, token: Secret) -> io::Result<Self> {
        Ok(Self {
            listener: Listener::Tcp(TcpListener::bind(address).await?),
            token: Some(token),
        })
    }

    /// Serves until the task is dropped.
    pub(crate) async fn serve(self, broker: Broker) {
        loop {
            match &self.listener {
                Listener::Unix { listener, .. } => {
                    if let Ok((stream, _)) = listener.accept().await {
                        self.serve_connection(stream, &broker);
                    }
                }
                Listener::Tcp(listener) => {
                    if let Ok((stream, _)) = listener.accept().await {
                        self.serve_connection(stream, &broker);
                    }
                }
            }
        }
    }

    fn serve_connection(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        broker: &Broker,
    ) {
        let (broker, token) = (broker.clone(), self.token.clone());
        let respond = service_fn(move |request| {
            let (broker, token) = (broker.clone(), token.clone());
            async move { Ok::<_, Infallible>(respond(&request, &broker, token.as_ref()).await) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), respond));
    }
}

impl Drop for BrokerServer {
    fn drop(&mut self) {
        if let Listener::Unix { path, .. } = &self.listener {
            let _ = std::fs::remove_file(path);
        }
    }
}

async fn respond(
    request: &Request<Incoming>,
    broker: &Broker,
    token: Option<&Secret>,
) -> Response<Full<Bytes>> {
    let (status, body) = answer(request, broker, token).await;
    let mut response = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn answer(request: &Request<Incoming>, broker: &Broker, token: Option<&Secret>) -> (StatusCode, Value) {
    let refused = |status, code: &str, message: &str| (status, json!({ "code": code, "message": message }));
    if let Some(token) = token {
        let presented = request
            .headers()
            .get(AUTHORIZATION)
            .map_or(&b""[..], HeaderValue::as_bytes);
        // Digests are compared, so the time says nothing about the token.
        if Sha256::digest(presented) != Sha256::digest(token.expose().as_bytes()) {
            return refused(
                StatusCode::UNAUTHORIZED,
                "Unauthorized",
                "wrong or missing authorization token",
            );
        }
    }
    if request.method() != Method::GET {
        return refused(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "expected GET");
    }
    let path: Vec<&str> = request.uri().path().split('/').skip(1).collect();
    let rejected = request
        .uri()
        .query()
        .and_then(|query| query.strip_prefix("rejected="));
    let result = match path[..] {
        ["health"] => Ok(json!({ "status": "ok" })),
        ["credentials", id] => {
            let is_rejected =
                |keys: &aws_credential_types::Credentials| Some(keys.access_key_id()) == rejected;
            let keys = broker.credential(id, is_rejected).await;
            keys.map(|keys| wire::credential(&keys))
        }
        ["bearer", id, region] => {
            let keys = broker.credential(id, |_| rejected.is_some()).await;
            keys.and_then(|keys| api_key::make(&keys, region, std::time::SystemTime::now()))
                .map(|(key, expiry)| wire::api_key(&key, expiry))
        }
        _ => Err(Failure::new(
            FailureCode::NotFound,
            "expected /credentials/ID or /bearer/ID/REGION",
        )),
    };
    match result {
        Ok(body) => (StatusCode::OK, body),
        Err(failure) => {
            let status =
                StatusCode::from_u16(failure.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, wire::error(&failure))
        }
    }
}
