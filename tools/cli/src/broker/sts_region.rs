//! The region in an endpoint of STS, which requests to it must be signed for.

use http::Uri;

/// The region of AWS's global endpoint.
const GLOBAL: (&str, &str) = ("sts.amazonaws.com", "us-east-1");

/// The region of `endpoint` if it is one of AWS's: `https://sts.REGION.amazonaws.com`, its FIPS
/// form or a VPC endpoint.
pub(super) fn of_endpoint(endpoint: &str) -> Option<String> {
    let uri: Uri = endpoint.parse().ok()?;
    let host = uri.host()?;
    if host == GLOBAL.0 {
        return Some(GLOBAL.1.to_owned());
    }
    let mut labels = host
        .split('.')
        .skip_while(|label| !matches!(*label, "sts" | "sts-fips"));
    let (_, region, domain) = (labels.next()?, labels.next()?, labels.next()?);
    (matches!(domain, "amazonaws" | "vpce" | "api") && region.contains('-')).then(|| region.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_in_the_host_of_awss_endpoints() {
        for (endpoint, region) in [
            ("https://sts.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("https://sts.eu-west-1.amazonaws.com/", Some("eu-west-1")),
            (
                "https://sts-fips.us-gov-west-1.amazonaws.com",
                Some("us-gov-west-1"),
            ),
            ("https://sts.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("https://sts.us-west-2.api.aws", Some("us-west-2")),
            (
                "https://vpce-0a1-b2.sts.us-east-2.vpce.amazonaws.com",
                Some("us-east-2"),
            ),
            ("https://sts.amazonaws.com", Some("us-east-1")),
            ("http://127.0.0.1:4566", None),
            ("https://sts.example.com", None),
            ("nonsense", None),
        ] {
            assert_eq!(of_endpoint(endpoint).as_deref(), region, "{endpoint}");
        }
    }
}
