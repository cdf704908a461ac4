//! The expected upstream request, according to AWS's own signer.

use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use filter_tests::{HeaderMap, HttpMessage};

use crate::fixtures::{
    ACCESS_KEY_ID, API_KEY, SECRET_ACCESS_KEY, SESSION_TOKEN, TEMPORARY_ACCESS_KEY_ID,
    TEMPORARY_SECRET_ACCESS_KEY, TestCredentials, TestDeployment,
};

/// Asserts that `sent` is a complete request to `deployment` for `operation` with `body`,
/// authenticated at the UNIX time `seconds` and without the gateway's internal headers.
pub(crate) fn assert_signed(
    sent: &HttpMessage,
    deployment: &TestDeployment,
    operation: &str,
    body: &[u8],
    seconds: u64,
) {
    assert!(sent.ended, "{sent:?}");
    assert_eq!(sent.body(), body);
    let headers = sent.headers.as_ref().expect("headers");
    let segment = match operation {
        "count-tokens" => deployment.counted,
        _ => deployment.segment,
    };
    let path = format!("{}/model/{segment}/{operation}", deployment.base_path);
    for (name, expected) in [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", deployment.authority),
        (":path", &path),
        ("content-length", &body.len().to_string()),
    ] {
        assert_eq!(only(headers, name), Some(expected.to_owned()), "{name}");
    }
    assert!(
        !headers.pairs().iter().any(|(name, _)| name.starts_with(b"x-eb-")),
        "{headers:?}"
    );
    for (name, expected) in credentials(deployment, &path, body, seconds) {
        assert_eq!(only(headers, name), expected, "{name} at {deployment:?}");
    }
}

/// The value of a header that occurs at most once.
fn only(headers: &HeaderMap, name: &str) -> Option<String> {
    assert!(headers.values(name).count() <= 1, "{name} twice in {headers:?}");
    headers.text(name).map(str::to_owned)
}

fn credentials(
    deployment: &TestDeployment,
    path: &str,
    body: &[u8],
    seconds: u64,
) -> [(&'static str, Option<String>); 3] {
    let (id, secret, token) = match deployment.credentials {
        TestCredentials::Plain => (ACCESS_KEY_ID, SECRET_ACCESS_KEY, None),
        TestCredentials::Temporary | TestCredentials::Brokered => (
            TEMPORARY_ACCESS_KEY_ID,
            TEMPORARY_SECRET_ACCESS_KEY,
            Some(SESSION_TOKEN.to_owned()),
        ),
        TestCredentials::ApiKey | TestCredentials::BrokeredApiKey => {
            return [
                ("authorization", Some(format!("Bearer {API_KEY}"))),
                ("x-amz-date", None),
                ("x-amz-security-token", None),
            ];
        }
    };
    let mut settings = SigningSettings::default();
    settings.excluded_headers = None;
    settings.percent_encoding_mode = PercentEncodingMode::Double;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    let identity = aws_credential_types::Credentials::new(id, secret, token, None, "test").into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(deployment.region)
        .name("bedrock")
        .time(UNIX_EPOCH + Duration::from_secs(seconds))
        .settings(settings)
        .build()
        .expect("all parameters")
        .into();
    let uri = format!("https://{}{path}", deployment.authority);
    let host = [("host", deployment.authority)];
    let request = SignableRequest::new("POST", uri, host.into_iter(), SignableBody::Bytes(body));
    let signed = sign(request.expect("a request"), &params).expect("a signature");
    let value = |name: &str| {
        let mut headers = signed.output().headers();
        headers
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
    };
    ["authorization", "x-amz-date", "x-amz-security-token"].map(|name| (name, value(name)))
}
