//! Response bodies: one piece, or steps that send, wait, break off or fall silent.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::http::reset::ResetHandle;
use crate::log::recording::Recording;
use crate::log::request_log::{Ended, unix_ms};

/// Time for what was sent before a break to leave: a reset throws away what has not. As much again for each
/// [`BREAK_UNIT_BYTES`] of it.
const BEFORE_BREAK: Duration = Duration::from_millis(100);
/// As a slow machine takes in that time, besides all else that it does.
const BREAK_UNIT_BYTES: usize = 256 * 1024;

/// One step of a body.
#[derive(Debug)]
pub(crate) enum BodyStep {
    /// Sends a frame.
    Frame(crate::response::frame::EventFrame),
    /// Waits this long.
    Wait(Duration),
    /// Breaks off.
    Break,
    /// Sends nothing any more, and does not end.
    Silence,
}

/// The body of a response.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    steps: VecDeque<BodyStep>,
    sent_bytes: usize,
    /// Known only for bodies in one piece.
    length: Option<u64>,
    pause: Option<Pin<Box<Sleep>>>,
    exchange: Box<Recording>,
    /// Set for HTTP/1.1, where a stream is broken with its connection.
    breaker: Option<Arc<ResetHandle>>,
}

impl ResponseBody {
    /// A body in one piece, which reports the usage that the entry has.
    pub(crate) fn whole(bytes: Bytes, mut exchange: Box<Recording>) -> Self {
        let length = u64::try_from(bytes.len()).ok();
        if bytes.is_empty() {
            exchange.end(Ended::Complete);
        }
        let frame = crate::response::frame::EventFrame {
            bytes,
            reports_usage: true,
        };
        Self {
            steps: [BodyStep::Frame(frame)].into(),
            sent_bytes: 0,
            length,
            pause: None,
            exchange,
            breaker: None,
        }
    }

    /// A body in steps.
    pub(crate) fn steps(
        steps: VecDeque<BodyStep>,
        exchange: Box<Recording>,
        breaker: Option<Arc<ResetHandle>>,
    ) -> Self {
        Self {
            steps,
            sent_bytes: 0,
            length: None,
            pause: None,
            exchange,
            breaker,
        }
    }

    fn wait(&mut self, time: Duration) {
        self.pause = Some(Box::pin(sleep_until(Instant::now() + time)));
    }

    fn send(&mut self, frame: crate::response::frame::EventFrame) -> Bytes {
        let entry = &mut self.exchange.entry;
        entry.usage_reported |= frame.reports_usage && entry.usage.is_some();
        if self.length.is_none() {
            entry.frames_unix_ms.push(unix_ms());
        }
        if self.length.is_some() {
            self.exchange.end(Ended::Complete);
        }
        self.sent_bytes = self.sent_bytes.saturating_add(frame.bytes.len());
        frame.bytes
    }
}

/// A body was broken off on purpose.
#[derive(Debug)]
pub(crate) struct BrokenOff;

impl fmt::Display for BrokenOff {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("broken off by a fault")
    }
}

impl std::error::Error for BrokenOff {}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        loop {
            if let Some(pause) = &mut self.pause {
                std::task::ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match self.steps.pop_front() {
                Some(BodyStep::Frame(frame)) => {
                    let bytes = self.send(frame);
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(BodyStep::Wait(time)) => self.wait(time),
                Some(BodyStep::Silence) => {
                    self.steps.push_front(BodyStep::Silence);
                    return Poll::Pending;
                }
                Some(BodyStep::Break) if self.exchange.entry.ended != Ended::Fault => {
                    // Marked first, so that the pause does not come twice.
                    self.exchange.entry.ended = Ended::Fault;
                    self.steps.push_front(BodyStep::Break);
                    let units = u32::try_from(self.sent_bytes / BREAK_UNIT_BYTES).unwrap_or(u32::MAX);
                    self.wait(BEFORE_BREAK.saturating_mul(units.saturating_add(1)));
                }
                Some(BodyStep::Break) => {
                    self.exchange.end(Ended::Fault);
                    if let Some(breaker) = &self.breaker {
                        breaker.reset();
                    }
                    return Poll::Ready(Some(Err(BrokenOff)));
                }
                None => {
                    self.exchange.end(Ended::Complete);
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.length.is_some() && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}
