//! A signed request until its body is complete, because the signature covers the body. Until then,
//! nothing else is checked, so that nobody without the secret learns what exists.

use crate::admission::reject::Reject;
use crate::keys::{UnverifiedKey, VerifiedKey};
use crate::sigv4::PayloadHasher;
use crate::stream::receiving::read_more;
use crate::stream::step::Buffer;
use crate::time::UnixTime;

/// A signed request whose body is arriving. Envoy holds the body.
#[derive(Debug)]
pub(super) struct Verifying {
    request: UnverifiedKey,
    hasher: PayloadHasher,
    read_bytes: usize,
    /// Largest body, in bytes.
    limit: u64,
    /// When the request's headers arrived.
    pub(super) started: UnixTime,
    /// The headers, serialized.
    pub(super) headers: Vec<u8>,
}

impl Verifying {
    /// Begins with the headers of a request.
    pub(super) fn new(request: UnverifiedKey, headers: Vec<u8>, limit: u64, now: UnixTime) -> Self {
        Self {
            request,
            hasher: PayloadHasher::default(),
            read_bytes: 0,
            limit,
            started: now,
            headers,
        }
    }

    /// Reads the part of the body that has arrived since the last call.
    ///
    /// # Errors
    /// [`Reject::BodyTooLarge`] or [`Reject::Host`].
    pub(super) fn read(&mut self, body: &impl Buffer) -> Result<(), Reject> {
        let bytes = u64::try_from(body.size()).unwrap_or(u64::MAX);
        if bytes > self.limit {
            return Err(Reject::BodyTooLarge(self.limit));
        }
        read_more(body, &mut self.read_bytes, |chunk| {
            self.hasher.update(chunk);
            Ok(())
        })
    }

    /// The body is complete: checks the signature. Returns the key and the headers.
    ///
    /// # Errors
    /// [`Reject::Signature`]
    pub(super) fn verify(self) -> Result<(VerifiedKey, Vec<u8>), Reject> {
        let verified = self.request.verify(&self.hasher.finish())?;
        Ok((verified, self.headers))
    }
}
