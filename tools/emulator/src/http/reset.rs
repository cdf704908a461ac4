//! A connection that can be broken from inside: with a reset, never with a clean end.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Breaks one connection.
#[derive(Debug, Default)]
pub(crate) struct ResetHandle {
    reset: AtomicBool,
    struck: Notify,
}

impl ResetHandle {
    /// Resets the connection, with every request on it.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
        self.struck.notify_one();
    }

    /// Returns when somebody reset the connection.
    pub(crate) async fn struck(&self) {
        self.struck.notified().await;
    }
}

/// A TCP stream that is reset when it is dropped after its breaker was struck.
#[derive(Debug)]
pub(crate) struct ResettableStream {
    stream: TcpStream,
    breaker: Arc<ResetHandle>,
}

impl ResettableStream {
    pub(crate) fn new(stream: TcpStream, breaker: Arc<ResetHandle>) -> Self {
        Self { stream, breaker }
    }
}

impl Drop for ResettableStream {
    fn drop(&mut self) {
        if self.breaker.reset.load(Ordering::Acquire) {
            // Nothing is left to do about a failure: the connection closes either way.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for ResettableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for ResettableStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
