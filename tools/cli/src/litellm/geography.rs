//! Cross-region inference profiles: the geography in a model id, and the regions that belong to it.

use envoy_bedrock::bedrock::model_id::{Referent, without_geography};

/// The geographies of profile ids, and the prefixes of the regions that have such profiles.
/// Generous where AWS admits neighbours (`us.` in Canada and Mexico), because a warning must be
/// right.
const REGIONS: [(&str, &[&str]); 8] = [
    ("us", &["us-east-", "us-west-", "ca-", "mx-"]),
    ("us-gov", &["us-gov-"]),
    (
        "eu",
        &["eu-central-", "eu-north-", "eu-south-", "eu-west-", "il-"],
    ),
    ("apac", &["ap-", "me-"]),
    ("in", &["ap-south-"]),
    ("jp", &["ap-northeast-"]),
    ("au", &["ap-southeast-"]),
    ("ca", &["ca-"]),
];

/// The geography of the profile `model`, an id or ARN, if `region` does not belong to it.
pub(crate) fn foreign_to<'a>(model: &'a str, region: &str) -> Option<&'a str> {
    let Referent::Named(id) = Referent::of(model) else {
        return None;
    };
    let geography = id.strip_suffix(without_geography(id)?)?.strip_suffix('.')?;
    let (_, regions) = REGIONS.into_iter().find(|(known, _)| *known == geography)?;
    let belongs = regions.iter().any(|prefix| region.starts_with(prefix));
    (!belongs).then_some(geography)
}

#[cfg(test)]
mod tests {
    use envoy_bedrock::bedrock::model_id::GEOGRAPHIES;

    use super::*;

    #[test]
    fn a_profile_exists_only_in_the_regions_of_its_geography() {
        let regions = [
            "us-east-1",
            "us-west-2",
            "us-gov-west-1",
            "eu-west-1",
            "ap-northeast-1",
            "ap-southeast-2",
            "ca-central-1",
        ];
        for (prefix, home) in [
            ("us", vec!["us-east-1", "us-west-2", "ca-central-1"]),
            ("us-gov", vec!["us-gov-west-1"]),
            ("eu", vec!["eu-west-1"]),
            ("apac", vec!["ap-northeast-1", "ap-southeast-2"]),
            ("jp", vec!["ap-northeast-1"]),
            ("au", vec!["ap-southeast-2"]),
            ("ca", vec!["ca-central-1"]),
        ] {
            for region in regions {
                let id = format!("{prefix}.anthropic.claude-sonnet-4-5-20250929-v1:0");
                let expected = (!home.contains(&region)).then_some(prefix);
                assert_eq!(foreign_to(&id, region), expected, "{id} in {region}");
                let arn = format!("arn:aws:bedrock:us-east-1:123456789012:inference-profile/{id}");
                assert_eq!(foreign_to(&arn, region), expected, "{arn} in {region}");
            }
        }
    }

    #[test]
    fn every_geography_except_global_has_regions() {
        let homes: Vec<&str> = REGIONS.iter().map(|(geography, _)| *geography).collect();
        for geography in GEOGRAPHIES {
            assert_eq!(homes.contains(&geography), geography != "global", "{geography}");
        }
        assert_eq!(homes.len() + 1, GEOGRAPHIES.len());
    }

    #[test]
    fn other_ids_have_no_geography() {
        for id in [
            "anthropic.claude-v2:1",
            "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "us.custom",
            "mars.anthropic.claude-v9",
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/us.a.b",
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-v2",
            "*",
            "us.anthropic.*",
        ] {
            assert_eq!(foreign_to(id, "us-east-1"), None, "{id}");
        }
        assert_eq!(foreign_to("us.anthropic.*", "eu-west-1"), Some("us"));
    }
}
