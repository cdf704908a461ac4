//! Response bodies: whole, or as steps that send, wait, break off or fall silent.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::HeaderMap;
use tokio::time::{Instant, Sleep, sleep_until};

use super::reset::ResetHandle;
use crate::log::entry::{Ended, unix_ms};
use crate::log::recording::Recording;
use crate::response::frame::EventFrame;

/// Time before a break for sent bytes to reach the client, since a reset discards those that have
/// not. Again for every [`BREAK_UNIT_BYTES`].
const BREAK_DELAY: Duration = Duration::from_millis(100);
/// What a slow, busy machine receives in [`BREAK_DELAY`].
const BREAK_UNIT_BYTES: usize = 256 * 1024;

/// One step of a body.
#[derive(Debug)]
pub(super) enum BodyStep {
    /// Sends a frame.
    Frame(EventFrame),
    /// Waits.
    Wait(Duration),
    /// Breaks off.
    Break,
    /// Sends nothing more and does not end.
    Silence,
}

/// The body of a response.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    steps: VecDeque<BodyStep>,
    sent_bytes: usize,
    /// The length of a whole body.
    length: Option<u64>,
    /// Sent after the body.
    trailers: Option<HeaderMap>,
    pause: Option<Pin<Box<Sleep>>>,
    recording: Box<Recording>,
    /// Set for HTTP/1.1, where breaking off a response resets the connection.
    reset: Option<Arc<ResetHandle>>,
}

impl ResponseBody {
    /// A whole body. It reports the usage in the log entry, if any.
    pub(super) fn whole(bytes: Bytes, mut recording: Box<Recording>) -> Self {
        let length = u64::try_from(bytes.len()).ok();
        if bytes.is_empty() {
            recording.end(Ended::Complete);
        }
        let frame = EventFrame {
            bytes,
            reports_usage: true,
        };
        Self {
            steps: [BodyStep::Frame(frame)].into(),
            sent_bytes: 0,
            length,
            trailers: None,
            pause: None,
            recording,
            reset: None,
        }
    }

    /// A body in steps.
    pub(super) fn steps(
        steps: VecDeque<BodyStep>,
        recording: Box<Recording>,
        reset: Option<Arc<ResetHandle>>,
    ) -> Self {
        Self {
            steps,
            sent_bytes: 0,
            length: None,
            trailers: None,
            pause: None,
            recording,
            reset,
        }
    }

    /// Sends these trailers after the body, whose length is then not announced.
    pub(super) fn add_trailers(&mut self, trailers: HeaderMap) {
        if !trailers.is_empty() {
            self.trailers = Some(trailers);
            self.length = None;
        }
    }

    fn wait(&mut self, time: Duration) {
        self.pause = Some(Box::pin(sleep_until(Instant::now() + time)));
    }

    fn send(&mut self, frame: EventFrame) -> Bytes {
        let entry = &mut self.recording.entry;
        entry.usage_reported |= frame.reports_usage && entry.usage.is_some();
        if self.length.is_some() {
            self.recording.end(Ended::Complete);
        } else {
            entry.frames_unix_ms.push(unix_ms());
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
                Some(BodyStep::Break) if self.recording.entry.ended != Ended::Fault => {
                    // Recorded first, so that the next poll does not wait again.
                    self.recording.entry.ended = Ended::Fault;
                    self.steps.push_front(BodyStep::Break);
                    let units = u32::try_from(self.sent_bytes / BREAK_UNIT_BYTES).unwrap_or(u32::MAX);
                    self.wait(BREAK_DELAY.saturating_mul(units.saturating_add(1)));
                }
                Some(BodyStep::Break) => {
                    self.recording.end(Ended::Fault);
                    if let Some(reset) = &self.reset {
                        reset.reset();
                    }
                    return Poll::Ready(Some(Err(BrokenOff)));
                }
                None => {
                    self.recording.end(Ended::Complete);
                    let trailers = self.trailers.take();
                    return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
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
