//! The ids under which the price list may contain a model.

use crate::bedrock::model_id::{Referent, without_geography};

/// Returns the ids under which to look up the price of `model`, the most specific first: the id
/// itself, the id without the geography of a cross-region profile, then both without a throughput
/// variant. `model` is a model id, inference profile id or ARN, not percent-encoded. An ARN that
/// does not name its model yields no ids.
pub fn price_ids(model: &str) -> impl Iterator<Item = &str> {
    let model = match Referent::of(model) {
        Referent::Named(model) => Some(model),
        _ => None,
    };
    let ids = [model, model.and_then(without_throughput)];
    ids.into_iter()
        .flatten()
        .flat_map(|id| [Some(id), without_geography(id)].into_iter().flatten())
}

/// Removes the throughput variant after the version: `…-v2:0:51k` → `…-v2:0`.
fn without_throughput(id: &str) -> Option<&str> {
    let (model, throughput) = id.rsplit_once(':')?;
    let digits = throughput.strip_suffix('k')?;
    let version = model.rsplit_once(':')?.1;
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (number(digits) && number(version)).then_some(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_from_specific_to_general() {
        let ids = |model| price_ids(model).collect::<Vec<_>>();
        assert_eq!(ids("amazon.nova-pro-v1:0"), ["amazon.nova-pro-v1:0"]);
        assert_eq!(ids("us-gov.a.b"), ["us-gov.a.b", "a.b"]);
        assert_eq!(
            ids("us.a.b-v2:0:51k"),
            ["us.a.b-v2:0:51k", "a.b-v2:0:51k", "us.a.b-v2:0", "a.b-v2:0"]
        );
        assert_eq!(
            ids("arn:aws:bedrock:us-east-1:1:inference-profile/us.a.b"),
            ["us.a.b", "a.b"]
        );
        assert_eq!(
            ids("arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/a.b:1"),
            ["a.b:1"]
        );
        assert!(ids("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc").is_empty());
        // A provider may be named like a geography, and a version like a throughput variant.
        assert_eq!(ids("us.nova"), ["us.nova"]);
        assert_eq!(ids("zz.a.b"), ["zz.a.b"]);
        assert_eq!(ids("a.b:51k"), ["a.b:51k"]);
        assert_eq!(ids("a.b:0:k"), ["a.b:0:k"]);
        assert_eq!(ids(""), [""]);
    }
}
