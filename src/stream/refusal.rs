//! A local reply on its way to a client that may still be uploading: drains the upload, then replies.
//! [`Drain`] says why, and for how long.

use crate::admission::reject::Reply;
use crate::stream::drain::Drain;
use crate::stream::step::{Edit, Step, Then};
use crate::time::UnixTime;

/// The end of a request that does not go upstream.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The rest of the upload is being discarded.
    Draining(Box<DelayedReply>),
    /// The reply was handed to the host.
    Replied,
}

#[derive(Debug)]
pub(super) struct DelayedReply {
    reply: Reply,
    drain: Drain,
}

impl Refusal {
    /// Replies now if the request has ended (`drain` is `None`) or the drain is already over.
    /// Otherwise drains the upload, of which `buffered` bytes are waiting in Envoy's buffer.
    pub(super) fn begin(reply: Reply, drain: Option<Drain>, buffered: usize, now: UnixTime) -> (Self, Step) {
        let Some(drain) = drain.filter(|drain| !drain.is_over(now)) else {
            return (Self::Replied, Step::then(Then::Reply(reply)));
        };
        let mut refusal = Self::Draining(Box::new(DelayedReply { reply, drain }));
        let mut step = match buffered {
            0 => Step::WAIT,
            _ => refusal.body(buffered, false, now),
        };
        step.edits.insert(0, Edit::StartTimer);
        (refusal, step)
    }

    /// The buffered body has grown to `size` bytes; `ends` says that it is complete.
    ///
    /// Discarding it frees Envoy's memory and lets its flow control admit the rest.
    pub(super) fn body(&mut self, size: usize, ends: bool, now: UnixTime) -> Step {
        let Self::Draining(draining) = self else {
            return Step::WAIT;
        };
        draining
            .drain
            .discard(u64::try_from(size).unwrap_or(u64::MAX), now);
        let is_over = ends || draining.drain.is_over(now);
        let then = if is_over { self.reply() } else { Then::Wait };
        Step {
            edits: vec![Edit::DiscardRequestBody(size)],
            then,
        }
    }

    /// The request ended without more of its body, or waiting for it has failed.
    pub(super) fn end(&mut self) -> Step {
        Step::then(self.reply())
    }

    /// Time passes while nothing arrives.
    pub(super) fn tick(&mut self, now: UnixTime) -> Step {
        match self {
            Self::Draining(draining) if draining.drain.is_over(now) => self.end(),
            _ => Step::WAIT,
        }
    }

    pub(super) const fn is_draining(&self) -> bool {
        matches!(self, Self::Draining(_))
    }

    /// Replies unless that has been done.
    fn reply(&mut self) -> Then {
        match std::mem::replace(self, Self::Replied) {
            Self::Draining(draining) => Then::Reply(draining.reply),
            Self::Replied => Then::Wait,
        }
    }
}
