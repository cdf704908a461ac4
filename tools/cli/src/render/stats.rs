//! How Envoy's stats become metrics with labels, and histograms with suitable buckets.
//!
//! The labels are part of a stat's name ([`envoy_bedrock::contract::metrics`] says why), and
//! Envoy's default buckets are meant for milliseconds.

use envoy_bedrock::contract::metrics::{self, HISTOGRAMS, LABELS, NAMESPACE};
use serde_json::{Value, json};

/// Whole responses, in milliseconds: LiteLLM's bounds, up to the ten minutes after which its
/// clients give up.
const DURATION: &[u64] = &[
    5, 10, 25, 50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 420_000,
    600_000,
];
/// First tokens, in milliseconds: the bounds of OpenTelemetry's
/// `gen_ai.server.time_to_first_token`, extended to a minute for models that reason first.
const FIRST_TOKEN: &[u64] = &[
    1, 5, 10, 20, 40, 60, 80, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000, 30_000, 60_000,
];
/// Time between tokens, in microseconds: the bounds of OpenTelemetry's
/// `gen_ai.server.time_per_output_token`, with finer ones below.
const PER_TOKEN: &[u64] = &[
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 150_000, 200_000, 300_000, 400_000,
    500_000, 750_000, 1_000_000, 2_500_000,
];
/// Tokens: powers of four, as in OpenTelemetry's `gen_ai.client.token.usage`, up to the largest
/// context windows.
const TOKENS: &[u64] = &[
    1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576,
];
/// The gateway's own time, in microseconds.
const OVERHEAD: &[u64] = &[
    10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000,
];

pub(super) fn config() -> Value {
    json!({
        "stats_tags": LABELS.map(tag),
        "histogram_bucket_settings": HISTOGRAMS.map(buckets),
    })
}

/// The first group is removed from the name; the second is the label's value.
fn tag(label: &str) -> Value {
    json!({ "tag_name": label, "regex": format!("(;{label}=([^;]*))") })
}

/// Envoy matches the whole name, with its namespace and labels.
fn buckets(histogram: &str) -> Value {
    let bounds = match histogram {
        metrics::TOKENS_PER_REQUEST => TOKENS,
        metrics::FIRST_TOKEN => FIRST_TOKEN,
        metrics::PER_TOKEN => PER_TOKEN,
        metrics::OVERHEAD => OVERHEAD,
        _ => DURATION,
    };
    json!({
        "match": { "prefix": format!("{NAMESPACE}.{histogram}") },
        "buckets": bounds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_ascend_and_no_histogram_name_is_a_prefix_of_another() {
        for bounds in [DURATION, FIRST_TOKEN, PER_TOKEN, TOKENS, OVERHEAD] {
            assert!(bounds.is_sorted_by(|one, next| one < next), "{bounds:?}");
        }
        for one in HISTOGRAMS {
            let matching = HISTOGRAMS.iter().filter(|other| other.starts_with(one));
            assert_eq!(matching.count(), 1, "{one} is a prefix of another name");
        }
    }

    #[test]
    fn no_label_is_mistaken_for_another() {
        for one in LABELS {
            let matching = LABELS
                .iter()
                .filter(|other| format!(";{other}=").contains(&format!(";{one}=")));
            assert_eq!(matching.count(), 1, "{one}");
        }
    }
}
