//! What the shell does after a callback.

use std::rc::Rc;

use crate::admission::reject::Reply;
use crate::guardrail::BodyEdit;
use crate::routing::plan::Plan;

/// Edits, then how the stream goes on.
///
/// When the host fails an edit, the rest of the step does not happen and the shell calls
/// [`Stream::failed`](super::Stream::failed) for another step.
#[derive(Debug)]
#[must_use]
pub struct Step {
    /// Changes to what Envoy holds, in order.
    pub edits: Vec<Edit>,
    /// What follows once all edits are made.
    pub then: Then,
}

/// How a stream goes on.
#[derive(Debug, PartialEq, Eq)]
pub enum Then {
    /// Envoy continues with the next filter.
    Continue,
    /// Envoy buffers and waits.
    Wait,
    /// The gateway ends the stream with a local reply.
    Reply(Reply),
    /// The shell looks for the row of the request with this id, then calls
    /// [`Stream::found`](super::Stream::found).
    Lookup(String),
}

/// A change to what Envoy holds for a stream.
#[derive(Debug)]
pub enum Edit {
    /// Makes a plan available to the signer role for as long as the stream lives.
    Plan(Rc<Plan>),
    /// Replaces all request headers with these, in the ABI's serialised form.
    RequestHeaders(Vec<u8>),
    /// Removes all request trailers.
    ClearRequestTrailers,
    /// Edits the buffered request body.
    RequestBody {
        /// The edit.
        edit: BodyEdit,
        /// Length of the buffered body, in bytes.
        size: usize,
    },
    /// Discards this many bytes of the buffered request body: all of it.
    DiscardRequestBody(usize),
    /// Starts the timer that calls [`Stream::tick`](super::Stream::tick).
    StartTimer,
    /// Replaces all response headers with these, in the ABI's serialised form.
    ResponseHeaders(Vec<u8>),
}

impl Step {
    /// Continues without an edit.
    pub(super) const CONTINUE: Self = Self::then(Then::Continue);
    /// Waits without an edit.
    pub(super) const WAIT: Self = Self::then(Then::Wait);

    /// No edits, then `then`.
    pub(super) const fn then(then: Then) -> Self {
        Self {
            edits: Vec::new(),
            then,
        }
    }

    /// Edits, then continues.
    pub(super) const fn edit(edits: Vec<Edit>) -> Self {
        Self {
            edits,
            then: Then::Continue,
        }
    }
}

/// A body as far as the host has buffered it.
pub trait Buffer {
    /// Its length, in bytes.
    fn size(&self) -> usize;
    /// At most `max_size` bytes from `start` on. `None` if the host does not give any.
    fn read(&self, start: usize, max_size: usize) -> Option<Vec<u8>>;
}

/// Bytes read from a [`Buffer`] at once. The VM's memory never shrinks, so one large read would
/// keep its memory for good.
pub(super) const READ_MAX_BYTES: usize = 256 * 1024;
