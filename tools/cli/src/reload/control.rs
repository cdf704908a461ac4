//! The local socket for commands: `POST /reload`.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};

use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixListener;

use super::engine::ReloadOutcome;
use super::task::ReloadHandle;
use crate::private_socket;

/// A Unix domain socket that only this user can connect to.
pub(crate) struct ControlSocket {
    path: PathBuf,
    listener: UnixListener,
}

impl ControlSocket {
    /// Listens at `path`. A stale socket is replaced.
    ///
    /// # Errors
    /// Those of the operating system. The path may have about 100 bytes.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            listener: private_socket::bind(path)?,
        })
    }

    /// Serves commands until the task is dropped.
    pub(crate) async fn serve(self, reload: ReloadHandle) {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                continue;
            };
            let reload = reload.clone();
            let respond = service_fn(move |request| {
                let reload = reload.clone();
                async move { Ok::<_, Infallible>(respond(&request, &reload).await) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), respond));
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn respond(request: &Request<Incoming>, reload: &ReloadHandle) -> Response<Full<Bytes>> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::POST, "/reload") => match reload.reload().await {
            Some(ReloadOutcome::Reloaded) => (StatusCode::OK, json!({ "status": "reloaded" })),
            Some(ReloadOutcome::Unchanged) => (StatusCode::OK, json!({ "status": "unchanged" })),
            Some(ReloadOutcome::Failed(error)) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                json!({ "status": "failed", "error": error.to_string() }),
            ),
            None => (StatusCode::SERVICE_UNAVAILABLE, json!({ "status": "stopping" })),
        },
        (_, "/reload") => (StatusCode::METHOD_NOT_ALLOWED, expected()),
        _ => (StatusCode::NOT_FOUND, expected()),
    };
    let mut response = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}

fn expected() -> Value {
    json!({ "status": "failed", "error": "expected POST /reload" })
}
