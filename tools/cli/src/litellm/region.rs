//! AWS regions: how they are written, and which host Bedrock's runtime has in each partition.

/// Longest name that is taken for a region; the longest of today has 16 characters.
const LENGTH_MAX: usize = 32;

/// DNS suffixes by the first letters of a region's name; everything else is in the commercial partition.
const SUFFIXES: [(&str, &str); 7] = [
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("us-gov-", "amazonaws.com"),
];

/// Whether `name` is written like a region: words of letters and a number at the end, joined by hyphens.
pub(crate) fn is_region(name: &str) -> bool {
    let mut parts = name.split('-').rev();
    let number = parts.next().unwrap_or_default();
    let words: Vec<&str> = parts.collect();
    let is_word = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
    name.len() <= LENGTH_MAX
        && words.len() >= 2
        && words.iter().all(is_word)
        && matches!(number.len(), 1..=2)
        && number.chars().all(|c| c.is_ascii_digit())
}

/// The host of Bedrock's runtime in `region`.
pub(crate) fn runtime_host(region: &str) -> String {
    let suffix = SUFFIXES.iter().find(|(prefix, _)| region.starts_with(prefix));
    format!(
        "bedrock-runtime.{region}.{}",
        suffix.map_or("amazonaws.com", |(_, suffix)| suffix)
    )
}

/// The region whose standard host `host` is.
pub(crate) fn of_runtime_host(host: &str) -> Option<&str> {
    let region = host.strip_prefix("bedrock-runtime.")?.split('.').next()?;
    (is_region(region) && runtime_host(region) == host).then_some(region)
}

/// The region that an ARN names.
pub(crate) fn of_arn(arn: &str) -> Option<&str> {
    let mut parts = arn.split(':');
    if parts.next() != Some("arn") {
        return None;
    }
    parts.nth(2).filter(|region| !region.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_has_its_own_dns_suffix() {
        for (region, host) in [
            ("us-west-2", "bedrock-runtime.us-west-2.amazonaws.com"),
            ("us-gov-west-1", "bedrock-runtime.us-gov-west-1.amazonaws.com"),
            ("cn-north-1", "bedrock-runtime.cn-north-1.amazonaws.com.cn"),
            ("eusc-de-east-1", "bedrock-runtime.eusc-de-east-1.amazonaws.eu"),
            ("us-iso-east-1", "bedrock-runtime.us-iso-east-1.c2s.ic.gov"),
            ("us-isob-east-1", "bedrock-runtime.us-isob-east-1.sc2s.sgov.gov"),
            ("eu-isoe-west-1", "bedrock-runtime.eu-isoe-west-1.cloud.adc-e.uk"),
            (
                "us-isof-south-1",
                "bedrock-runtime.us-isof-south-1.csp.hci.ic.gov",
            ),
        ] {
            assert_eq!(runtime_host(region), host);
            assert_eq!(of_runtime_host(host), Some(region));
        }
        assert_eq!(of_runtime_host("bedrock-runtime.cn-north-1.amazonaws.com"), None);
        assert_eq!(
            of_runtime_host("bedrock-runtime-fips.us-east-1.amazonaws.com"),
            None
        );
    }

    #[test]
    fn names_that_are_no_regions_are_told_apart() {
        for region in [
            "us-east-1",
            "ap-southeast-2",
            "mx-central-1",
            "us-gov-east-1",
            "eusc-de-east-1",
        ] {
            assert!(is_region(region), "{region}");
        }
        for other in [
            "",
            "us-west",
            "us_west_2",
            "US-EAST-1",
            "us-east-1a",
            "us-east-1.evil.com",
            "us-east-",
            "-east-1",
            "us-east-123",
            "global",
            "east-1",
        ] {
            assert!(!is_region(other), "{other}");
        }
        assert!(!is_region(&format!("us-{}-1", "a".repeat(LENGTH_MAX))));
    }

    #[test]
    fn the_region_of_an_arn_may_be_empty() {
        assert_eq!(
            of_arn("arn:aws:bedrock:eu-west-1::foundation-model/x"),
            Some("eu-west-1")
        );
        assert_eq!(of_arn("arn:aws:bedrock:::foundation-model/x"), None);
        assert_eq!(of_arn("us.anthropic.claude-v2:1:a:b"), None);
    }
}
