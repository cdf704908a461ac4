//! How Envoy's stats become metrics with labels and buckets that fit what they measure.
//!
//! The labels are a part of a stat's name (`envoy_bedrock::contract::metrics` tells why), and Envoy's buckets are by default those of
//! its own milliseconds.

use envoy_bedrock::contract::metrics as names;
use envoy_bedrock::contract::metrics::{HISTOGRAMS, LABELS, NAMESPACE};

use super::yaml::{Node, map};

/// Whole answers, in milliseconds: LiteLLM's bounds, up to the ten minutes after which its clients give up.
const DURATION: &[u64] = &[
    5, 10, 25, 50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 420_000,
    600_000,
];
/// First tokens, in milliseconds: the bounds of OpenTelemetry's `gen_ai.server.time_to_first_token`, and a minute more for
/// models that think first.
const FIRST_TOKEN: &[u64] = &[
    1, 5, 10, 20, 40, 60, 80, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000, 30_000, 60_000,
];
/// Time between tokens, in microseconds: the bounds of OpenTelemetry's `gen_ai.server.time_per_output_token`, and finer below.
const PER_TOKEN: &[u64] = &[
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 150_000, 200_000, 300_000, 400_000,
    500_000, 750_000, 1_000_000, 2_500_000,
];
/// Tokens: powers of four, as in OpenTelemetry's `gen_ai.client.token.usage`, up to the largest contexts.
const TOKENS: &[u64] = &[
    1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576,
];
/// The gateway's own time, in microseconds.
const OVERHEAD: &[u64] = &[
    10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000,
];

pub(crate) fn config() -> Node {
    map! {
        "stats_tags" => LABELS.map(tag).to_vec(),
        "histogram_bucket_settings" => HISTOGRAMS.map(buckets).to_vec(),
    }
}

/// The first group is what leaves the name, the second the label's value.
fn tag(label: &'static str) -> Node {
    map! { "tag_name" => label, "regex" => format!("(;{label}=([^;]*))") }
}

/// Envoy compares with the whole name, the labels and the namespace included.
fn buckets(histogram: &'static str) -> Node {
    let bounds = match histogram {
        names::TOKENS_PER_REQUEST => TOKENS,
        names::FIRST_TOKEN => FIRST_TOKEN,
        names::PER_TOKEN => PER_TOKEN,
        names::OVERHEAD => OVERHEAD,
        _ => DURATION,
    };
    map! {
        "match" => map! { "prefix" => format!("{NAMESPACE}.{histogram}") },
        "buckets" => bounds.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_rise_and_belong_to_one_histogram() {
        for bounds in [DURATION, FIRST_TOKEN, PER_TOKEN, TOKENS, OVERHEAD] {
            assert!(bounds.is_sorted_by(|one, next| one < next), "{bounds:?}");
        }
        for one in HISTOGRAMS {
            let taken = HISTOGRAMS.iter().filter(|other| other.starts_with(one));
            assert_eq!(taken.count(), 1, "{one} is the start of another's name");
        }
    }

    #[test]
    fn no_label_is_mistaken_for_another() {
        for one in LABELS {
            let taken = LABELS
                .iter()
                .filter(|other| format!(";{other}=").contains(&format!(";{one}=")));
            assert_eq!(taken.count(), 1, "{one}");
        }
    }
}
