//! The phases of a stream, and what each means for its row.

use crate::records::row::Outcome;
use crate::stream::dispatched::{Dispatched, Held};
use crate::stream::drain::Drain;
use crate::stream::local_reply::{OutgoingReply, ReplySummary};
use crate::stream::receiving::Receiving;
use crate::stream::verifying::Verifying;
use crate::stream::waiting::Waiting;
use crate::time::UnixTime;

/// A phase of a [`Stream`](super::Stream).
#[derive(Debug)]
pub(super) enum Phase {
    /// The request's headers have not arrived.
    New,
    /// The body of a signed request is arriving.
    Verifying(Box<Verifying>),
    /// The shell is looking up a row.
    Lookup(Upload),
    /// The request's body is arriving.
    Receiving(Box<Receiving>),
    /// The request waits for credentials.
    Waiting(Box<Waiting>),
    /// The request has gone upstream.
    Dispatched {
        dispatched: Box<Dispatched>,
        held: Option<Held>,
    },
    /// The gateway sends a local reply.
    LocalReply {
        reply: OutgoingReply,
        summary: ReplySummary,
    },
}

/// The drain of a request that is still arriving; `None` if it has ended.
pub(super) type Upload = Option<Drain>;

impl Phase {
    /// The request that has gone upstream, if it has.
    pub(super) fn dispatched(&self) -> Option<&Dispatched> {
        match self {
            Self::Dispatched { dispatched, .. } => Some(dispatched),
            _ => None,
        }
    }

    /// Whether an upload is being drained or the request waits for credentials.
    pub(super) const fn needs_ticks(&self) -> bool {
        match self {
            Self::LocalReply { reply, .. } => reply.is_draining(),
            Self::Waiting(_) => true,
            _ => false,
        }
    }

    /// What happened to a request whose stream ends in this phase. `client_status` is called only
    /// if the client's status may differ from the one seen here.
    pub(super) fn outcome(
        &self,
        first_content: Option<UnixTime>,
        overhead_us: u64,
        client_status: impl FnOnce() -> Option<u16>,
    ) -> Outcome<'_> {
        match self {
            Self::New | Self::Verifying(_) | Self::Lookup(_) | Self::Receiving(_) | Self::Waiting(_) => {
                Outcome::Incomplete
            }
            Self::Dispatched { dispatched, .. } if dispatched.is_incomplete() => Outcome::Incomplete,
            Self::Dispatched { dispatched, held } => {
                // A held response has not reached the client, whose status is then Envoy's.
                let status = if held.is_some() {
                    client_status()
                } else {
                    dispatched.status()
                };
                Outcome::Served(dispatched.served(status, first_content, overhead_us))
            }
            Self::LocalReply { reply, summary } => {
                let status = if reply.is_draining() {
                    client_status()
                } else {
                    Some(summary.status)
                };
                match (summary.reason, status) {
                    (Some(reason), status) => Outcome::Refused {
                        status,
                        error_type: summary.error_type,
                        reason,
                    },
                    (None, Some(status)) => Outcome::Internal { status },
                    (None, None) => Outcome::Incomplete,
                }
            }
        }
    }
}
