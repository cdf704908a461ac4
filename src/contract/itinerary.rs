//! The itinerary of a request: the region cluster of each attempt, as a property of the stream.
//!
//! Envoy chooses the cluster of a request again before each retry (`refresh_cluster_on_retry`). The
//! rendered route looks for a [`leg`] in this property:
//!
//! - Before the first attempt, the leg of attempt 1.
//! - After attempt *n*, if it failed before its filters ran, the leg of attempt *n* + 1. The request
//!   then has the number *n* in [`HEADER_ATTEMPT`](crate::contract::names::HEADER_ATTEMPT).
//! - After an attempt that was signed, the [`NEXT`] leg. The signer role keeps it up to date. The
//!   request then has only the headers that were signed.
//!
//! The property begins with the key of the plan: `17|1=us-west-2|2=us-east-1|next=us-east-1|`.

use crate::encoding::decimal::push_decimal;

/// The label of the leg after an attempt that was signed.
pub const NEXT: &str = "next";
/// The cluster of a leg when there must be no further attempt.
pub const NOWHERE: &str = "nowhere";

const SEPARATOR: char = '|';
/// Enough for a few attempts, so that the property does not reallocate.
const CAPACITY_BYTES: usize = 128;

/// A leg, with its separators: what the route looks for.
pub fn leg(label: &str, cluster: &str) -> String {
    format!("{SEPARATOR}{label}={cluster}{SEPARATOR}")
}

/// The property for the plan `key`, whose attempts from `first` on go to `clusters`.
pub(crate) fn property<'a>(
    key: u64,
    first: u64,
    clusters: impl Iterator<Item = &'a str> + Clone,
    next: Option<&str>,
) -> String {
    let mut property = String::with_capacity(CAPACITY_BYTES);
    push_decimal(&mut property, key);
    for (cluster, number) in clusters.chain([NOWHERE]).zip(first..) {
        property.push(SEPARATOR);
        push_decimal(&mut property, number);
        property.push('=');
        property.push_str(cluster);
    }
    property.push(SEPARATOR);
    property.push_str(NEXT);
    property.push('=');
    property.push_str(next.unwrap_or(NOWHERE));
    property.push(SEPARATOR);
    property
}

/// The key of the plan in a property.
pub(crate) fn plan_key(property: &[u8]) -> Option<u64> {
    let property = std::str::from_utf8(property).ok()?;
    let (key, _) = property.split_once(SEPARATOR)?;
    key.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_has_the_key_and_the_legs() {
        let property = property(17, 1, ["west", "east"].into_iter(), Some("east"));
        assert_eq!(property, "17|1=west|2=east|3=nowhere|next=east|");
        for expected in [
            leg("1", "west"),
            leg("2", "east"),
            leg("3", NOWHERE),
            leg(NEXT, "east"),
        ] {
            assert!(property.contains(&expected), "{expected}");
        }
        assert_eq!(plan_key(property.as_bytes()), Some(17));
        for malformed in ["", "17", "x|1=west|", "-1|", "\u{fffd}"] {
            assert_eq!(plan_key(malformed.as_bytes()), None, "{malformed}");
        }
    }
}
