//! What cools down: a model in a region, with one set of credentials.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

/// The number of keys for the models of a wildcard. Clients choose the names of these models, so
/// each having a key of its own would let them fill the shared data.
const WILDCARD_KEYS: u64 = 64;

/// What deployments have in common if one is throttled or unusable whenever the other is. The same
/// one may be in several model groups.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CooldownTarget<'a> {
    /// The region cluster.
    pub(crate) cluster: &'a str,
    pub(crate) base_path: &'a str,
    pub(crate) region: &'a str,
    /// The model id, with its wildcards replaced.
    pub(crate) model: &'a str,
    /// Whether the configured model id has wildcards.
    pub(crate) is_wildcard: bool,
    /// What identifies the credentials. Not a secret: a digest of it is in the shared data.
    pub(crate) credentials: &'a str,
}

/// A digest of a [`CooldownTarget`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TargetKey(pub(crate) u64);

impl TargetKey {
    pub(crate) fn of(target: CooldownTarget<'_>) -> Self {
        let bucket = digest(&[target.model])
            .checked_rem(WILDCARD_KEYS)
            .unwrap_or_default();
        if target.is_wildcard {
            Self::with(target, "", &bucket.to_string())
        } else {
            Self::with(target, target.model, "")
        }
    }

    /// The keys of all models of a wildcard.
    pub(crate) fn of_wildcard(target: CooldownTarget<'_>) -> BTreeSet<Self> {
        let buckets = 0..WILDCARD_KEYS;
        buckets
            .map(|bucket| Self::with(target, "", &bucket.to_string()))
            .collect()
    }

    fn with(target: CooldownTarget<'_>, model: &str, bucket: &str) -> Self {
        let CooldownTarget {
            cluster,
            base_path,
            region,
            credentials,
            ..
        } = target;
        Self(digest(&[cluster, base_path, region, model, bucket, credentials]))
    }
}

/// A digest of these texts, in which their boundaries matter.
fn digest(texts: &[&str]) -> u64 {
    let mut sha = Sha256::new();
    for text in texts {
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        sha.update(length.to_le_bytes());
        sha.update(text.as_bytes());
    }
    let digest = sha.finalize();
    digest.first_chunk().copied().map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: CooldownTarget<'_> = CooldownTarget {
        cluster: "us-west-2",
        base_path: "",
        region: "us-west-2",
        model: "anthropic.x:0",
        is_wildcard: false,
        credentials: "a",
    };

    #[test]
    fn targets_that_differ_in_anything_have_different_keys() {
        let keys = [
            TARGET,
            CooldownTarget {
                cluster: "us-west-2b",
                ..TARGET
            },
            CooldownTarget {
                base_path: "/base",
                ..TARGET
            },
            CooldownTarget {
                region: "us-east-1",
                ..TARGET
            },
            CooldownTarget {
                model: "anthropic.x:1",
                ..TARGET
            },
            CooldownTarget {
                model: "anthropic.x:0a",
                credentials: "",
                ..TARGET
            },
            CooldownTarget {
                is_wildcard: true,
                ..TARGET
            },
            CooldownTarget {
                credentials: "b",
                ..TARGET
            },
        ]
        .map(TargetKey::of);
        assert_eq!(BTreeSet::from(keys).len(), keys.len());
        assert_eq!(TargetKey::of(TARGET), keys[0]);
    }

    #[test]
    fn the_models_of_a_wildcard_share_64_keys() {
        let keys = |is_wildcard| {
            let names = (0..2000).map(|number| format!("anthropic.{number}"));
            let keys = names.map(|model| {
                TargetKey::of(CooldownTarget {
                    model: &model,
                    is_wildcard,
                    ..TARGET
                })
            });
            keys.collect::<BTreeSet<_>>()
        };
        assert_eq!(keys(true), TargetKey::of_wildcard(TARGET));
        assert_eq!((keys(true).len(), keys(false).len()), (64, 2000));
    }
}
