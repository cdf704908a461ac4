//! A local reply to a client that may still be uploading: drains the upload, then replies. See
//! [`drain`](crate::stream::drain) for the reason and the limits.

use crate::admission::reject::Reply;
use crate::stream::drain::Drain;
use crate::stream::step::{Edit, Step, Then};
use crate::time::UnixTime;

/// A local reply, before or after it is sent.
#[derive(Debug)]
pub(super) enum OutgoingReply {
    /// The rest of the upload is being discarded.
    Draining(Box<DelayedReply>),
    /// The reply has been passed to the host.
    Sent,
}

#[derive(Debug)]
pub(super) struct DelayedReply {
    reply: Reply,
    drain: Drain,
}

/// What the row reports about a local reply.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReplySummary {
    pub(super) status: u16,
    pub(super) error_type: Option<&'static str>,
    /// The reason for counters; `None` if the request was not refused.
    pub(super) reason: Option<&'static str>,
}

impl OutgoingReply {
    /// Replies at once if the request has ended (`drain` is `None`) or a limit of the drain is
    /// already exceeded. Otherwise drains the upload, starting with the `buffered` bytes in Envoy's
    /// buffer.
    pub(super) fn begin(reply: Reply, drain: Option<Drain>, buffered: usize, now: UnixTime) -> (Self, Step) {
        let Some(drain) = drain.filter(|drain| !drain.is_over(now)) else {
            return (Self::Sent, Step::then(Then::Reply(reply)));
        };
        let mut local_reply = Self::Draining(Box::new(DelayedReply { reply, drain }));
        let mut step = match buffered {
            0 => Step::WAIT,
            _ => local_reply.body(buffered, false, now),
        };
        step.edits.insert(0, Edit::StartTimer);
        (local_reply, step)
    }

    /// Discards the buffered body of `size` bytes. With `end_stream`, it is complete.
    ///
    /// This frees Envoy's memory, and its flow control lets the client continue.
    pub(super) fn body(&mut self, size: usize, end_stream: bool, now: UnixTime) -> Step {
        let Self::Draining(draining) = self else {
            return Step::WAIT;
        };
        draining
            .drain
            .discard(u64::try_from(size).unwrap_or(u64::MAX), now);
        let is_over = end_stream || draining.drain.is_over(now);
        let then = if is_over { self.reply() } else { Then::Wait };
        Step {
            edits: vec![Edit::DiscardRequestBody(size)],
            then,
        }
    }

    /// Ends the drain: the request has ended, or a host call failed.
    pub(super) fn end(&mut self) -> Step {
        Step::then(self.reply())
    }

    /// The timer has fired.
    pub(super) fn tick(&mut self, now: UnixTime) -> Step {
        match self {
            Self::Draining(draining) if draining.drain.is_over(now) => self.end(),
            _ => Step::WAIT,
        }
    }

    pub(super) const fn is_draining(&self) -> bool {
        matches!(self, Self::Draining(_))
    }

    /// Returns the reply, unless it was sent already.
    fn reply(&mut self) -> Then {
        match std::mem::replace(self, Self::Sent) {
            Self::Draining(draining) => Then::Reply(draining.reply),
            Self::Sent => Then::Wait,
        }
    }
}
