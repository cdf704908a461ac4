//! A refusal on its way to a client that may still be uploading: discards the rest of the upload, then replies.
//! [`crate::stream::drain`] says why, and for how long.

use super::host::HostError;
use super::{Action, host, reply, ticker};
use crate::admission::reject::Reply;
use crate::stream::drain::Drain;
use crate::time::UnixTime;

/// A reply to a request that does not go upstream.
pub(super) enum Refusal {
    /// Waits for the end of the upload.
    Waiting(Box<Waiting>),
    /// Was sent.
    Sent,
}

/// A request that is still arriving.
pub(super) struct Upload {
    pub(super) drain: Drain,
    /// Bytes of it that Envoy has buffered.
    pub(super) buffered: usize,
    /// The plugin whose timer watches it.
    pub(super) root_id: u32,
}

pub(super) struct Waiting {
    reply: Reply,
    drain: Drain,
}

impl Refusal {
    /// Replies now if the request has ended (`upload` is `None`), else after the upload.
    pub(super) fn begin(reply: Reply, upload: Option<Upload>, now: UnixTime) -> Self {
        let Some(Upload {
            drain,
            buffered,
            root_id,
        }) = upload.filter(|upload| !upload.drain.is_over(now))
        else {
            return Self::at_once(&reply);
        };
        if let Err(error) = ticker::start(root_id) {
            log::error!("a refused upload is not waited for: {error:?}");
            return Self::at_once(&reply);
        }
        let mut refusal = Self::Waiting(Box::new(Waiting { reply, drain }));
        if buffered > 0 {
            refusal.body(buffered, false, now);
        }
        refusal
    }

    /// The body has grown to `size` bytes, and with `ends` it is complete.
    pub(super) fn body(&mut self, size: usize, ends: bool, now: UnixTime) -> Action {
        if let Self::Waiting(waiting) = self {
            let discarded = waiting.discard(size, now);
            if let Err(error) = discarded {
                log::error!("a refused upload could not be discarded: {error:?}");
            }
            if ends || discarded.is_err() || waiting.drain.is_over(now) {
                self.send();
            }
        }
        Action::Pause
    }

    /// The request ended without more of its body.
    pub(super) fn end(&mut self) -> Action {
        self.send();
        Action::Pause
    }

    /// Time passes without anything arriving.
    pub(super) fn tick(&mut self, now: UnixTime) {
        if matches!(self, Self::Waiting(waiting) if waiting.drain.is_over(now)) {
            self.send();
        }
    }

    pub(super) const fn is_waiting(&self) -> bool {
        matches!(self, Self::Waiting(_))
    }

    fn at_once(reply: &Reply) -> Self {
        reply::send(reply);
        Self::Sent
    }

    fn send(&mut self) {
        if let Self::Waiting(waiting) = std::mem::replace(self, Self::Sent) {
            reply::send(&waiting.reply);
        }
    }
}

impl Waiting {
    /// Empties Envoy's buffer, so that its memory is free and its flow control lets the client go on.
    fn discard(&mut self, size: usize, now: UnixTime) -> Result<(), HostError> {
        host::discard_request_body(size)?;
        let bytes = u64::try_from(size).unwrap_or(u64::MAX);
        self.drain.discard(bytes, now);
        Ok(())
    }
}
