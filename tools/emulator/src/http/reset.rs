//! A TCP connection that can be reset from inside, instead of being closed cleanly.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Resets one connection.
#[derive(Debug, Default)]
pub(super) struct ResetHandle {
    requested: AtomicBool,
    notify: Notify,
}

impl ResetHandle {
    /// Resets the connection and every request on it.
    pub(super) fn reset(&self) {
        self.requested.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    /// Returns once [`ResetHandle::reset`] was called.
    pub(super) async fn requested(&self) {
        self.notify.notified().await;
    }
}

/// A TCP stream. When it is dropped after its [`ResetHandle`] was used, the connection is reset.
#[derive(Debug)]
pub(super) struct ResettableStream {
    stream: TcpStream,
    handle: Arc<ResetHandle>,
}

impl ResettableStream {
    pub(super) fn new(stream: TcpStream, handle: Arc<ResetHandle>) -> Self {
        Self { stream, handle }
    }
}

impl Drop for ResettableStream {
    fn drop(&mut self) {
        if self.handle.requested.load(Ordering::Acquire) {
            // On failure the connection closes all the same.
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
