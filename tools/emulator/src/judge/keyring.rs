//! The credentials and API keys that requests may use, and the principals that they belong to.

use std::collections::HashMap;
use std::time::SystemTime;

use super::auth_failure::AuthFailure;
use crate::config::KnownCredential;

/// The account of the credentials that the configuration names.
pub(crate) const DEFAULT_ACCOUNT: &str = "123456789012";

/// The known credentials and API keys.
#[derive(Debug, Default)]
pub(crate) struct Keyring {
    /// By access key id.
    credentials: HashMap<String, OwnedCredential>,
    pub(crate) api_keys: Vec<String>,
}

/// A credential, its owner and its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnedCredential {
    pub(crate) credential: KnownCredential,
    pub(crate) principal: Principal,
    /// When it expires; `None` if it never does.
    pub(crate) expires: Option<SystemTime>,
    /// Whether the control API revoked it.
    pub(crate) is_revoked: bool,
}

/// Who signs with a credential, as `GetCallerIdentity` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Principal {
    /// Twelve digits.
    pub(crate) account: String,
    pub(crate) arn: String,
    pub(crate) user_id: String,
}

impl OwnedCredential {
    /// A long-term credential of an IAM user.
    pub(crate) fn of_user(credential: KnownCredential, account: &str, user: &str) -> Self {
        Self {
            principal: Principal {
                account: account.to_owned(),
                arn: format!("arn:aws:iam::{account}:user/{user}"),
                user_id: format!("AIDA{}", credential.access_key_id.get(4..).unwrap_or_default()),
            },
            credential,
            expires: None,
            is_revoked: false,
        }
    }

    pub(crate) fn is_expired(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl Keyring {
    /// What a configuration names. The first of two credentials with one id counts.
    pub(crate) fn of(credentials: Vec<KnownCredential>, api_keys: Vec<String>) -> Self {
        let mut keyring = Self {
            credentials: HashMap::new(),
            api_keys,
        };
        for credential in credentials.into_iter().rev() {
            keyring.insert(OwnedCredential::of_user(credential, DEFAULT_ACCOUNT, "emulator"));
        }
        keyring
    }

    /// Adds a credential, in place of one with the same access key id.
    pub(crate) fn insert(&mut self, owned: OwnedCredential) {
        self.credentials
            .insert(owned.credential.access_key_id.clone(), owned);
    }

    /// Adds everything from `more`, whose credentials replace those with the same access key id.
    pub(crate) fn extend(&mut self, more: Self) {
        self.credentials.extend(more.credentials);
        self.api_keys.extend(more.api_keys);
        self.api_keys.sort();
        self.api_keys.dedup();
    }

    pub(crate) fn find(&self, access_key_id: &str) -> Option<&OwnedCredential> {
        self.credentials.get(access_key_id)
    }

    pub(crate) fn credentials(&self) -> impl Iterator<Item = &OwnedCredential> {
        self.credentials.values()
    }

    /// Revokes this credential, or every temporary one. Returns how many were revoked.
    pub(crate) fn revoke(&mut self, access_key_id: Option<&str>) -> usize {
        let mut revoked = 0;
        for owned in self.credentials.values_mut() {
            let is_meant = match access_key_id {
                Some(id) => owned.credential.access_key_id == id,
                None => owned.expires.is_some(),
            };
            if is_meant && !owned.is_revoked {
                owned.is_revoked = true;
                revoked += 1;
            }
        }
        revoked
    }

    /// The credential that a request claims, if it may be used at `now` with this session token.
    pub(super) fn admit(
        &self,
        access_key_id: &str,
        token: Option<&[u8]>,
        now: SystemTime,
    ) -> Result<&OwnedCredential, Box<AuthFailure>> {
        let owned = self
            .find(access_key_id)
            .ok_or_else(|| AuthFailure::unrecognized("unknown access key id"))?;
        if owned.is_revoked {
            return Err(AuthFailure::unrecognized("revoked credential"));
        }
        if token
            != owned
                .credential
                .session_token
                .as_ref()
                .map(|token| token.as_bytes())
        {
            return Err(AuthFailure::unrecognized("wrong security token"));
        }
        if owned.is_expired(now) {
            return Err(AuthFailure::expired_credential());
        }
        Ok(owned)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn keyring() -> Keyring {
        let credential = |secret: &str| KnownCredential {
            access_key_id: "ASIAX".to_owned(),
            secret_access_key: secret.to_owned(),
            session_token: Some("token".to_owned()),
        };
        let mut keyring = Keyring::of(vec![credential("first"), credential("second")], Vec::new());
        assert_eq!(
            keyring.find("ASIAX").unwrap().credential.secret_access_key,
            "first"
        );
        let mut owned = OwnedCredential::of_user(credential("issued"), "111122223333", "u");
        owned.expires = Some(at(100));
        keyring.insert(owned);
        keyring
    }

    fn admit(keyring: &Keyring, token: Option<&str>, now: u64) -> Result<String, &'static str> {
        let admitted = keyring.admit("ASIAX", token.map(str::as_bytes), at(now));
        admitted
            .map(|owned| owned.principal.account.clone())
            .map_err(|failure| failure.reason)
    }

    #[test]
    fn a_credential_is_valid_until_the_second_in_which_it_expires() {
        let keyring = keyring();
        assert_eq!(admit(&keyring, Some("token"), 99), Ok("111122223333".to_owned()));
        for now in [100, 101] {
            assert_eq!(admit(&keyring, Some("token"), now), Err("expired credential"));
        }
    }

    #[test]
    fn a_wrong_token_is_refused_even_when_expired() {
        let keyring = keyring();
        for token in [None, Some("other"), Some("token ")] {
            assert_eq!(admit(&keyring, token, 101), Err("wrong security token"));
        }
    }

    #[test]
    fn a_revoked_credential_is_refused_like_an_unknown_one() {
        let mut keyring = keyring();
        assert_eq!(keyring.revoke(Some("ASIAY")), 0);
        assert_eq!(keyring.revoke(None), 1);
        assert_eq!(admit(&keyring, Some("token"), 1), Err("revoked credential"));
        assert_eq!(keyring.revoke(Some("ASIAX")), 0);
    }
}
