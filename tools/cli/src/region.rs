//! AWS regions: their names, and the host of Bedrock's runtime in each partition.

/// Longest name that counts as a region; the longest today has 16 characters.
const LENGTH_MAX: usize = 32;

/// DNS suffixes by the prefix of a region's name, the second one for dual-stack endpoints. All
/// other regions are in the commercial partition.
const SUFFIXES: [(&str, &str, &str); 6] = [
    ("cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    ("eusc-", "amazonaws.eu", "api.amazonwebservices.eu"),
    ("us-iso-", "c2s.ic.gov", "api.aws.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov", "api.aws.scloud"),
    ("eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
];

/// Selects one of AWS's hosts of a region, as the environment does for the AWS SDKs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EndpointVariant {
    /// `AWS_USE_FIPS_ENDPOINT`: FIPS-validated cryptography.
    pub fips: bool,
    /// `AWS_USE_DUALSTACK_ENDPOINT`: IPv6 as well as IPv4.
    pub dual_stack: bool,
}

impl EndpointVariant {
    const ALL: [EndpointVariant; 4] = [
        EndpointVariant {
            fips: false,
            dual_stack: false,
        },
        EndpointVariant {
            fips: true,
            dual_stack: false,
        },
        EndpointVariant {
            fips: false,
            dual_stack: true,
        },
        EndpointVariant {
            fips: true,
            dual_stack: true,
        },
    ];
}

/// Whether `name` has the form of a region: words of letters and a final number, joined by hyphens.
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
pub(crate) fn runtime_host(region: &str, variant: EndpointVariant) -> String {
    let (_, standard, dual_stack) = SUFFIXES
        .into_iter()
        .find(|(prefix, ..)| region.starts_with(prefix))
        .unwrap_or(("", "amazonaws.com", "api.aws"));
    let service = if variant.fips {
        "bedrock-runtime-fips"
    } else {
        "bedrock-runtime"
    };
    let suffix = if variant.dual_stack { dual_stack } else { standard };
    format!("{service}.{region}.{suffix}")
}

/// The region and variant of an AWS host.
pub(crate) fn of_runtime_host(host: &str) -> Option<(&str, EndpointVariant)> {
    let region = host.split('.').nth(1)?;
    let variant = EndpointVariant::ALL
        .into_iter()
        .find(|variant| runtime_host(region, *variant) == host)?;
    is_region(region).then_some((region, variant))
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
    fn each_partition_has_its_own_dns_suffixes() {
        for (region, standard, dual_stack) in [
            ("us-west-2", "us-west-2.amazonaws.com", "us-west-2.api.aws"),
            (
                "us-gov-west-1",
                "us-gov-west-1.amazonaws.com",
                "us-gov-west-1.api.aws",
            ),
            (
                "cn-north-1",
                "cn-north-1.amazonaws.com.cn",
                "cn-north-1.api.amazonwebservices.com.cn",
            ),
            (
                "eusc-de-east-1",
                "eusc-de-east-1.amazonaws.eu",
                "eusc-de-east-1.api.amazonwebservices.eu",
            ),
            (
                "us-iso-east-1",
                "us-iso-east-1.c2s.ic.gov",
                "us-iso-east-1.api.aws.ic.gov",
            ),
            (
                "us-isob-east-1",
                "us-isob-east-1.sc2s.sgov.gov",
                "us-isob-east-1.api.aws.scloud",
            ),
            (
                "eu-isoe-west-1",
                "eu-isoe-west-1.cloud.adc-e.uk",
                "eu-isoe-west-1.api.cloud-aws.adc-e.uk",
            ),
            (
                "us-isof-south-1",
                "us-isof-south-1.csp.hci.ic.gov",
                "us-isof-south-1.api.aws.hci.ic.gov",
            ),
        ] {
            for variant in EndpointVariant::ALL {
                let service = if variant.fips {
                    "bedrock-runtime-fips"
                } else {
                    "bedrock-runtime"
                };
                let suffix = if variant.dual_stack { dual_stack } else { standard };
                let host = format!("{service}.{suffix}");
                assert_eq!(runtime_host(region, variant), host);
                assert_eq!(of_runtime_host(&host), Some((region, variant)));
            }
        }
        for host in [
            "bedrock-runtime.cn-north-1.amazonaws.com",
            "bedrock.us-east-1.amazonaws.com",
            "vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com",
            "bedrock-runtime.global.amazonaws.com",
            "localhost",
        ] {
            assert_eq!(of_runtime_host(host), None, "{host}");
        }
    }

    #[test]
    fn other_names_are_not_regions() {
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
