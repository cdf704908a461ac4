//! A stream of a plugin that has not accepted a configuration. It is refused.

use super::refusal::{Refusal, Upload};
use super::{Action, host};
use crate::admission::reject::Reject;
use crate::stream::drain::{Drain, Uploader};
use crate::time::UnixTime;

pub(super) struct Unconfigured {
    root_id: u32,
    refusal: Refusal,
}

impl Unconfigured {
    pub(super) const fn new(root_id: u32) -> Self {
        Self {
            root_id,
            refusal: Refusal::Sent,
        }
    }

    pub(super) fn request_headers(&mut self, ends: bool) -> Action {
        let reply = Reject::Host.reply();
        let now = now();
        let upload = Upload {
            // Without a configuration there are no keys and no body limit.
            drain: Drain::begin(Uploader::Unknown, 0, None, now, now),
            buffered: 0,
            root_id: self.root_id,
        };
        self.refusal = Refusal::begin(reply, (!ends).then_some(upload), now);
        Action::Pause
    }

    pub(super) fn request_body(&mut self, size: usize, ends: bool) -> Action {
        self.refusal.body(size, ends, now())
    }

    pub(super) fn request_trailers(&mut self) -> Action {
        self.refusal.end()
    }

    pub(super) fn tick(&mut self, now: UnixTime) {
        self.refusal.tick(now);
    }

    pub(super) const fn is_waiting(&self) -> bool {
        self.refusal.is_waiting()
    }
}

fn now() -> UnixTime {
    host::now_nanoseconds().map_or_else(|_| UnixTime::default(), UnixTime::from_nanoseconds)
}
