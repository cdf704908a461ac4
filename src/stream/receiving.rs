//! A request from its headers until its body is complete.

use std::rc::Rc;

use crate::admission::reject::{Reject, Reply};
use crate::admission::target::Target;
use crate::headers::Headers;
use crate::keys::{VerifiedKey, VirtualKey};
use crate::limits::Limiter;
use crate::routing::active_config::ActiveConfig;
use crate::stream::drain::{Drain, Uploader};
use crate::stream::request::Request;
use crate::stream::step::{Buffer, READ_MAX_BYTES};
use crate::time::UnixTime;

/// What a request's headers lead to.
pub(super) enum Admitted {
    /// A model request, whose body follows.
    Request(Box<Request>),
    /// A local reply.
    Reply(Reply),
    /// A lookup of the row of the request with this id.
    Lookup(String),
}

impl Admitted {
    /// Admits or rejects a request by its headers, or answers a question. Its key is left in `presented`, if it is valid.
    ///
    /// # Errors
    /// The [`Reject`] that ends the request.
    pub(super) fn of(
        config: &Rc<ActiveConfig>,
        headers: Headers<'_>,
        verified: Option<&VerifiedKey>,
        presented: &mut Option<Rc<VirtualKey>>,
        limiter: Option<&Limiter>,
        now: UnixTime,
    ) -> Result<Self, Reject> {
        Ok(match Target::of(config, headers, verified, presented, now)? {
            Target::Model(path, key) => {
                Self::Request(Box::new(Request::begin(Rc::clone(config), path, key, headers)?))
            }
            Target::Probe(probe) => Self::Reply(probe.reply(config, now)),
            Target::Lookup(id) => Self::Lookup(id),
            Target::Inquiry(inquiry, key) => Self::Reply(inquiry.answer(config, &key, limiter, now)?),
        })
    }
}

/// Begins to drain the body of a request that gets a local reply.
pub(super) fn begin_drain(config: &ActiveConfig, headers: Headers<'_>, now: UnixTime) -> Drain {
    let uploader = Uploader::of(config, headers, now);
    let declared = headers.content_length();
    Drain::begin(uploader, config.body_limit_bytes, declared, now, now)
}

/// An admitted request whose body is arriving.
#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) request: Request,
    /// When its headers arrived.
    pub(super) started: UnixTime,
    /// The headers, serialized. Keeping them is cheaper than reading them from Envoy again.
    pub(super) headers: Vec<u8>,
    /// Bytes of the body that have been read.
    pub(super) read_bytes: usize,
}

impl Receiving {
    /// Reads the part of the body that has arrived since the last call.
    ///
    /// # Errors
    /// The [`Reject`] that ends the request.
    pub(super) fn read(&mut self, body: &impl Buffer) -> Result<(), Reject> {
        read_more(body, &mut self.read_bytes, |chunk| self.request.receive(chunk))
    }
}

/// Passes the bytes of `body` after the first `read_bytes` to `receive`, in pieces.
///
/// # Errors
/// [`Reject::Host`], or the error of `receive`.
pub(super) fn read_more(
    body: &impl Buffer,
    read_bytes: &mut usize,
    mut receive: impl FnMut(&[u8]) -> Result<(), Reject>,
) -> Result<(), Reject> {
    while *read_bytes < body.size() {
        let wanted = body.size().saturating_sub(*read_bytes).min(READ_MAX_BYTES);
        let mut received = Ok(());
        let count = body.read(*read_bytes, wanted, &mut |piece| {
            if received.is_ok() {
                received = receive(piece);
            }
        });
        received?;
        if count == 0 {
            return Err(Reject::Host);
        }
        *read_bytes = read_bytes.saturating_add(count);
    }
    Ok(())
}
