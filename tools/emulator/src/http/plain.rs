//! A plain HTTP/1.1 port, for what is not a region.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::shutdown::Shutdown;

/// Answers requests with `respond` until the emulator stops. An error closes the connection.
pub(crate) async fn serve<R, F, E>(listener: TcpListener, mut shutdown: Shutdown, respond: R)
where
    R: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Full<Bytes>>, E>> + Send,
    E: std::error::Error + Send + Sync + 'static,
{
    let connection_shutdown = shutdown.clone();
    let accepting = async {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let (respond, mut shutdown) = (respond.clone(), connection_shutdown.clone());
            tokio::spawn(async move {
                let serving =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(respond));
                tokio::select! {
                    // An error means that the client is gone, or that the connection was to close.
                    _ = serving => {}
                    () = shutdown.requested() => {}
                }
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = shutdown.requested() => {}
    }
}
