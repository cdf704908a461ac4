//! A credential that the broker has issued.

use std::cell::{Cell, RefCell};

use crate::secret::Secret;
use crate::sigv4::{AccessKeyId, CredentialId, Scope, SigningKey, SigningKeys};
use crate::time::UnixTime;

/// A credential, with the signing keys derived from it. They are dropped with it.
#[derive(Debug)]
pub struct IssuedCredential {
    /// What authenticates requests.
    pub(crate) secret: IssuedSecret,
    /// When AWS stops accepting it; `None` if never.
    pub(crate) expires: Option<UnixTime>,
    /// What the broker calls it in `?rejected=`.
    pub(crate) name: String,
    signing_keys: RefCell<SigningKeys>,
    /// Whether AWS has refused it since the broker was last asked.
    rejected: Cell<bool>,
}

/// What authenticates requests to AWS.
#[derive(Debug)]
pub enum IssuedSecret {
    /// An access key.
    Keys {
        /// The access key id.
        access_key_id: AccessKeyId,
        /// The secret access key.
        secret_access_key: Secret,
        /// The session token.
        session_token: Option<Secret>,
    },
    /// A short-term Bedrock API key. Holds the whole value of `authorization`.
    Bearer(Secret),
}

impl IssuedCredential {
    pub(super) fn new(secret: IssuedSecret, expires: Option<UnixTime>, name: String) -> Self {
        Self {
            secret,
            expires,
            name,
            signing_keys: RefCell::default(),
            rejected: Cell::default(),
        }
    }

    /// Whether AWS still accepts it at `now`.
    pub(crate) fn is_valid(&self, now: UnixTime) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// The signing key of `secret`, which is that of this credential, for `scope`.
    pub(crate) fn signing_key(&self, secret: &Secret, scope: &Scope<'_>) -> SigningKey {
        // Only one secret uses this cache.
        self.signing_keys.borrow_mut().key(CredentialId(0), secret, scope)
    }

    /// AWS has refused it. Its slot asks for another, unless it already has one.
    pub(crate) fn reject(&self) {
        self.rejected.set(true);
    }

    pub(super) const fn is_rejected(&self) -> bool {
        self.rejected.get()
    }

    /// The broker is being asked because AWS has refused it.
    pub(super) fn reported(&self) {
        self.rejected.set(false);
    }

    /// Whether the broker has answered with the same credential twice.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.name == other.name && self.expires == other.expires
    }
}
