//! What the shell must do after a callback.

use std::rc::Rc;

use crate::admission::reject::Reply;
use crate::guardrail::BodyEdit;
use crate::headers::HeaderEdit;
use crate::routing::plan::Plan;

/// The result of a callback: edits, and how the stream continues after them.
///
/// If an edit fails, the shell skips the rest of the step and calls
/// [`Stream::edit_failed`](super::Stream::edit_failed) for another step.
#[derive(Debug)]
#[must_use]
pub struct Step {
    /// The edits, in order.
    pub edits: Vec<Edit>,
    /// What to do after the edits.
    pub then: Then,
}

/// How a stream continues.
#[derive(Debug, PartialEq, Eq)]
pub enum Then {
    /// Envoy passes the stream on to the next filter.
    Continue,
    /// Envoy stops iterating over its filters and buffers the body.
    Wait,
    /// The shell sends a local reply, which ends the stream.
    Reply(Reply),
    /// The shell looks up the row of the request with this id, then calls
    /// [`Stream::lookup_finished`](super::Stream::lookup_finished).
    Lookup(String),
}

/// A change to the state that Envoy holds for a stream.
#[derive(Debug)]
pub enum Edit {
    /// Makes the plan available to the signer role until the stream is destroyed.
    Plan(Rc<Plan>),
    /// Changes the request headers.
    RequestHeaders(HeaderEdit),
    /// Removes all request trailers.
    ClearRequestTrailers,
    /// Edits the buffered request body.
    RequestBody {
        /// The edit.
        edit: BodyEdit,
        /// Length of the buffered body, in bytes.
        size: usize,
    },
    /// Discards the whole buffered request body of this size, in bytes.
    DiscardRequestBody(usize),
    /// Starts the timer that calls [`Stream::tick`](super::Stream::tick).
    StartTimer,
    /// Logs a warning about the request.
    Warn(String),
    /// Changes the response headers.
    ResponseHeaders(HeaderEdit),
    /// Changes the response trailers.
    ResponseTrailers(HeaderEdit),
}

impl Step {
    /// Continues without an edit.
    pub(super) const CONTINUE: Self = Self::then(Then::Continue);
    /// Waits without an edit.
    pub(super) const WAIT: Self = Self::then(Then::Wait);

    /// A step without edits.
    pub(super) const fn then(then: Then) -> Self {
        Self {
            edits: Vec::new(),
            then,
        }
    }

    /// A step that continues after `edits`.
    pub(super) const fn continue_with(edits: Vec<Edit>) -> Self {
        Self {
            edits,
            then: Then::Continue,
        }
    }
}

/// The part of a body that the host has buffered.
pub trait Buffer {
    /// Its length, in bytes.
    fn size(&self) -> usize;
    /// Passes up to `max_size` bytes from offset `start` to `receive`, in one or several pieces.
    /// Returns their number, which is 0 if the host call fails.
    fn read(&self, start: usize, max_size: usize, receive: &mut dyn FnMut(&[u8])) -> usize;
}

/// Maximum bytes to read from a [`Buffer`] at once. The memory of a VM never shrinks, so a single
/// large read would occupy it permanently.
pub(super) const READ_MAX_BYTES: usize = 256 * 1024;
