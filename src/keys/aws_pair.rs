//! The AWS pair of a key: an access key id and a secret access key, with which the client signs its
//! requests as for AWS.

use crate::admission::reject::Reject;
use crate::admission::signature::{PendingSignature, SignatureError};
use crate::headers::Headers;
use crate::keys::ring_entry::RingEntry;
use crate::secret::Secret;
use crate::sigv4::{BEDROCK, ClaimedSignature, PayloadHash};
use crate::time::UnixTime;

/// A pair.
#[derive(Debug)]
pub(crate) struct AwsPair {
    pub(crate) access_key_id: String,
    pub(crate) secret: Secret,
    /// Until when it can be used, if it was replaced by another one.
    pub(crate) valid_until: Option<UnixTime>,
}

/// A request with the access key id of a pair. Its signature is not verified yet.
#[derive(Debug)]
pub(crate) struct UnverifiedKey {
    entry: RingEntry,
    signature: PendingSignature,
}

/// The key with whose pair a request is signed, which is proven.
#[derive(Debug)]
pub(crate) struct VerifiedKey(RingEntry);

impl UnverifiedKey {
    /// Checks the headers of a request that claims to be signed with the pair of `entry`.
    ///
    /// # Errors
    /// [`Reject::Signature`], or [`Reject::WrongKey`] if the headers have no signature with it.
    pub(super) fn read(
        entry: &RingEntry,
        access_key_id: &str,
        secret: &Secret,
        headers: Headers<'_>,
        now: UnixTime,
    ) -> Result<Self, Reject> {
        let authorization = headers.only("authorization").ok().flatten();
        let claim = authorization.and_then(ClaimedSignature::parse);
        let claim = claim.ok_or(Reject::WrongKey)?.map_err(SignatureError::Claim)?;
        if claim.access_key_id != access_key_id {
            return Err(Reject::WrongKey);
        }
        Ok(Self {
            entry: entry.clone(),
            signature: PendingSignature::read(&claim, BEDROCK, secret, headers, now)?,
        })
    }

    /// Checks the signature. `body` is the hash of the complete body.
    ///
    /// # Errors
    /// [`Reject::Signature`]
    pub(crate) fn verify(self, body: &PayloadHash) -> Result<VerifiedKey, Reject> {
        self.signature.verify(body)?;
        Ok(VerifiedKey(self.entry))
    }
}

impl VerifiedKey {
    pub(super) const fn entry(&self) -> &RingEntry {
        &self.0
    }
}
