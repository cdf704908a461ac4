//! AWS pairs: an access key id and a secret access key, for clients that sign as for AWS. The file
//! has the secret sealed, because the gateway needs it to verify signatures.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use envoy_bedrock::contract::keys::ACCESS_KEY_ID_PREFIX;
use envoy_bedrock::sealing::{SEALING_KEY, SealingKey};
use envoy_bedrock::secret::Secret;

use super::error::KeysError;
use super::stored::{StoredAwsPair, StoredKeys};
use crate::environment::Environment;
use crate::random;

/// The characters of an access key id, as in AWS: 5 bits each.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A new pair.
pub(super) struct MintedPair {
    pub(super) secret: Secret,
    pub(super) stored: StoredAwsPair,
}

/// Makes pairs with the sealing key of the environment.
pub(super) struct Mint(SealingKey);

impl Mint {
    pub(super) fn new(environment: &Environment) -> Result<Self, KeysError> {
        let digits = environment.value(SEALING_KEY).ok_or(KeysError::NoSealingKey)?;
        SealingKey::parse(digits)
            .map(Self)
            .ok_or(KeysError::BadSealingKey)
    }

    /// A new pair: 80 random bits for the id, which is no secret, and 240 for the secret, which is
    /// as long as AWS's.
    pub(super) fn mint(&self) -> Result<MintedPair, KeysError> {
        let id = random::bytes::<16>().map_err(KeysError::NoRandomness)?;
        let characters = id.map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
        let access_key_id: String = ACCESS_KEY_ID_PREFIX.chars().chain(characters).collect();
        let secret = random::bytes::<30>().map_err(KeysError::NoRandomness)?;
        let secret = Secret::new(URL_SAFE_NO_PAD.encode(secret));
        Ok(MintedPair {
            stored: StoredAwsPair {
                sealed_secret: self.0.seal(&access_key_id, &secret),
                access_key_id,
                valid_until: None,
            },
            secret,
        })
    }

    /// Checks that the file has no pair that was sealed with another key, because the gateway has
    /// only one.
    pub(super) fn check(&self, keys: &StoredKeys) -> Result<(), KeysError> {
        let mut pairs = keys.keys.iter().flat_map(|key| &key.aws_pairs);
        match pairs.find(|pair| !self.opens(pair)) {
            Some(pair) => Err(KeysError::OtherSealingKey(pair.access_key_id.clone())),
            None => Ok(()),
        }
    }

    /// Replaces the pairs of a key by a new one. The old ones remain valid until `valid_until` at
    /// most. Those that were sealed with another key end, because they cannot be used any more.
    pub(super) fn replace(&self, pairs: &mut Vec<StoredAwsPair>, new: StoredAwsPair, valid_until: &str) {
        pairs.retain(|pair| self.opens(pair));
        for pair in pairs.iter_mut() {
            if pair
                .valid_until
                .as_deref()
                .is_none_or(|until| until > valid_until)
            {
                pair.valid_until = Some(valid_until.to_owned());
            }
        }
        pairs.push(new);
    }

    fn opens(&self, pair: &StoredAwsPair) -> bool {
        self.0.open(&pair.access_key_id, &pair.sealed_secret).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mint(digit: &str) -> Mint {
        let environment = [(SEALING_KEY, digit.repeat(64))].into_iter().collect();
        Mint::new(&environment).unwrap()
    }

    #[test]
    fn a_pair_looks_like_one_of_aws_and_only_its_sealing_key_opens_it() {
        let MintedPair { secret, stored } = mint("a").mint().unwrap();
        assert_eq!((stored.access_key_id.len(), secret.expose().len()), (20, 40));
        assert!(stored.access_key_id.starts_with("EBAK"), "{stored:?}");
        assert!(!serde_json::to_string(&stored).unwrap().contains(secret.expose()));
        assert!(mint("a").opens(&stored) && !mint("b").opens(&stored));
        let other = mint("a").mint().unwrap();
        assert_ne!(other.stored.access_key_id, stored.access_key_id);
        assert_ne!(other.secret.expose(), secret.expose());
    }

    #[test]
    fn a_replaced_pair_ends_no_later_than_before() {
        let mint_a = mint("a");
        let new = || mint_a.mint().unwrap().stored;
        let mut pairs = vec![mint("b").mint().unwrap().stored, new()];
        mint_a.replace(&mut pairs, new(), "2027-01-02T00:00:00Z");
        mint_a.replace(&mut pairs, new(), "2027-01-03T00:00:00Z");
        let ends: Vec<_> = pairs.iter().map(|pair| pair.valid_until.as_deref()).collect();
        assert_eq!(
            ends,
            [Some("2027-01-02T00:00:00Z"), Some("2027-01-03T00:00:00Z"), None]
        );
    }

    #[test]
    fn a_sealing_key_is_needed() {
        for (value, expected) in [(None, "is not set"), (Some("abc"), "is not a key")] {
            let environment = value.map(|value| (SEALING_KEY, value)).into_iter().collect();
            let error = Mint::new(&environment).err().unwrap().to_string();
            assert!(error.contains(expected) && error.contains(SEALING_KEY), "{error}");
        }
    }
}
