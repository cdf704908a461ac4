//! A cache of signing keys.

use crate::secret::Secret;
use crate::sigv4::key::SigningKey;
use crate::sigv4::scope::Scope;
use crate::time::Day;

/// Maximum number of cached keys, about a quarter of a megabyte. Credentials and regions come from
/// the configuration, so only an extraordinary one exceeds it, at the cost of speed.
pub const SIGNING_KEYS_MAX: usize = 1024;

/// Identifies a secret: an integer that the caller assigns.
///
/// It identifies the **secret**, not its position in the configuration. Replaced or rotated
/// credentials need an id that was never used before, or requests would be signed with the keys of
/// the old secret until midnight UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialId(pub u32);

/// The derived keys of one day, by credential, region and service.
///
/// The first request of another day drops all keys. So does reaching [`SIGNING_KEYS_MAX`], since
/// deriving a key again takes only microseconds.
#[derive(Debug, Default)]
pub struct SigningKeys {
    day: Option<Day>,
    /// Sorted by `CachedKey::identity`.
    entries: Vec<CachedKey>,
}

#[derive(Debug)]
struct CachedKey {
    credential: CredentialId,
    region: Box<str>,
    service: Box<str>,
    key: SigningKey,
}

impl CachedKey {
    fn identity(&self) -> (CredentialId, &str, &str) {
        (self.credential, &self.region, &self.service)
    }
}

impl SigningKeys {
    /// Returns the key of `secret` for `scope`, from the cache if possible. `credential` identifies
    /// `secret`.
    pub fn key(&mut self, credential: CredentialId, secret: &Secret, scope: &Scope<'_>) -> SigningKey {
        let day = scope.date.day();
        if self.day != Some(day) {
            self.day = Some(day);
            self.entries.clear();
        }
        let identity = (credential, scope.region, scope.service);
        let index = self.entries.partition_point(|entry| entry.identity() < identity);
        if let Some(entry) = self.entries.get(index)
            && entry.identity() == identity
        {
            return entry.key.clone();
        }
        let key = SigningKey::derive(secret, scope);
        let (region, service) = (scope.region.into(), scope.service.into());
        self.insert(
            index,
            CachedKey {
                credential,
                region,
                service,
                key: key.clone(),
            },
        );
        key
    }

    fn insert(&mut self, index: usize, entry: CachedKey) {
        if self.entries.len() >= SIGNING_KEYS_MAX {
            self.entries.clear();
            self.entries.push(entry);
        } else {
            self.entries.insert(index, entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigv4::canonical::{CanonicalRequest, SigningOptions};
    use crate::sigv4::headers::SignedHeaders;
    use crate::sigv4::payload::PayloadHash;
    use crate::sigv4::scope::StringToSign;
    use crate::time::UnixTime;

    const MIDNIGHT: u64 = 1_795_305_600_000_000_000;

    fn scope(nanoseconds: u64, region: &str) -> Scope<'_> {
        Scope {
            date: UnixTime::from_nanoseconds(nanoseconds).amz_date(),
            region,
            service: "bedrock",
        }
    }

    /// A signature, by which two keys can be compared.
    fn fingerprint(key: &SigningKey) -> [u8; 32] {
        let request = CanonicalRequest {
            method: "POST",
            path: b"/",
            query: b"",
            headers: SignedHeaders::sort(&mut []),
            payload: &PayloadHash::of(b""),
            options: SigningOptions::BEDROCK,
        };
        *key.sign(&StringToSign {
            scope: &scope(0, "r"),
            request: &request.hash(),
        })
        .as_bytes()
    }

    fn derived(secret: &Secret, scope: &Scope<'_>) -> [u8; 32] {
        fingerprint(&SigningKey::derive(secret, scope))
    }

    #[test]
    fn keys_change_at_midnight_utc() {
        let (mut keys, secret) = (SigningKeys::default(), Secret::new("secret"));
        let (before, after) = (scope(MIDNIGHT - 1, "us-east-1"), scope(MIDNIGHT, "us-east-1"));
        let old = fingerprint(&keys.key(CredentialId(1), &secret, &before));
        let new = fingerprint(&keys.key(CredentialId(1), &secret, &after));
        assert_eq!((old, new), (derived(&secret, &before), derived(&secret, &after)));
        assert_ne!(old, new);
        assert_eq!(keys.entries.len(), 1, "yesterday's keys are dropped");
        let clock_set_back = fingerprint(&keys.key(CredentialId(1), &secret, &before));
        assert_eq!(clock_set_back, old);
    }

    #[test]
    fn a_cached_key_is_not_derived_again() {
        let mut keys = SigningKeys::default();
        let scope = scope(MIDNIGHT, "us-east-1");
        let first = fingerprint(&keys.key(CredentialId(1), &Secret::new("secret"), &scope));
        // With the same id, a different secret makes no difference: the key comes from the cache.
        let second = fingerprint(&keys.key(CredentialId(1), &Secret::new("never used"), &scope));
        assert_eq!(first, second);
        assert_eq!(keys.entries.len(), 1);
    }

    #[test]
    fn replaced_credentials_with_a_new_id_never_get_an_old_key() {
        let mut keys = SigningKeys::default();
        let scope = scope(MIDNIGHT, "us-east-1");
        let (old, new) = (Secret::new("old"), Secret::new("new"));
        keys.key(CredentialId(1), &old, &scope);
        let key = keys.key(CredentialId(2), &new, &scope);
        assert_eq!(fingerprint(&key), derived(&new, &scope));
    }

    #[test]
    fn each_credential_region_and_service_has_its_own_key() {
        let mut keys = SigningKeys::default();
        let secrets = [Secret::new("a"), Secret::new("b"), Secret::new("c")];
        for _ in 0..2 {
            for (id, secret) in secrets.iter().enumerate().rev() {
                for region in ["us-west-2", "eu-west-1", "us-east-1"] {
                    for service in ["sagemaker", "bedrock"] {
                        let scope = Scope {
                            service,
                            ..scope(MIDNIGHT, region)
                        };
                        let key = keys.key(CredentialId(id as u32), secret, &scope);
                        assert_eq!(fingerprint(&key), derived(secret, &scope));
                    }
                }
            }
        }
        assert_eq!(keys.entries.len(), 18);
        assert!(keys.entries.is_sorted_by_key(|entry| entry.identity().0));
    }

    #[test]
    fn the_number_of_keys_is_limited_and_later_keys_are_correct() {
        let mut keys = SigningKeys::default();
        let (secret, scope) = (Secret::new("secret"), scope(MIDNIGHT, "us-east-1"));
        for (id, expected) in [
            (SIGNING_KEYS_MAX - 1, SIGNING_KEYS_MAX - 1),
            (SIGNING_KEYS_MAX, SIGNING_KEYS_MAX),
            (SIGNING_KEYS_MAX + 1, 1),
        ] {
            for id in keys.entries.len()..id {
                keys.key(CredentialId(id as u32), &secret, &scope);
            }
            assert_eq!(keys.entries.len(), expected);
        }
        let key = keys.key(CredentialId(0), &secret, &scope);
        assert_eq!(fingerprint(&key), derived(&secret, &scope));
        assert_eq!(keys.entries.len(), 2);
    }
}
