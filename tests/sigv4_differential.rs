//! Our signer compared with AWS's: both must give random requests the same authorization.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use envoy_bedrock::secret::Secret;
use envoy_bedrock::sigv4::{
    AccessKeyId, BEDROCK, CanonicalRequest, CredentialId, PathNormalization, PayloadHash, Scope,
    SignedHeader, SignedHeaders, SigningKeys, SigningOptions, UriEncoding, authorize,
};
use envoy_bedrock::time::UnixTime;
use proptest::prelude::*;

/// Everything that a signature depends on.
#[derive(Clone, Debug)]
struct Signing {
    method: &'static str,
    path: String,
    query: String,
    host: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    access_key_id: String,
    secret: String,
    token: Option<String>,
    region: String,
    seconds: u64,
}

impl Signing {
    /// A Converse request to `path`, signed like the gateway's.
    fn bedrock(path: &str) -> Self {
        Self {
            method: "POST",
            path: path.into(),
            query: String::new(),
            host: "bedrock-runtime.us-west-2.amazonaws.com".into(),
            headers: Vec::new(),
            body: b"{}".into(),
            access_key_id: "AKIDEXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            token: None,
            region: "us-west-2".into(),
            seconds: 1_795_357_174,
        }
    }

    fn ours(&self, options: SigningOptions) -> String {
        let date = UnixTime::from_nanoseconds(self.seconds * 1_000_000_000).amz_date();
        let scope = Scope {
            date,
            region: &self.region,
            service: BEDROCK,
        };
        let mut headers: Vec<SignedHeader<'_>> = self
            .headers
            .iter()
            .map(|(name, value)| SignedHeader::new(name, value.as_bytes()))
            .collect();
        headers.push(SignedHeader::new("host", self.host.as_bytes()));
        headers.push(SignedHeader::new("x-amz-date", date.as_bytes()));
        headers.extend(
            self.token
                .iter()
                .map(|token| SignedHeader::new("x-amz-security-token", token.as_bytes())),
        );
        let request = CanonicalRequest {
            method: self.method,
            path: self.path.as_bytes(),
            query: self.query.as_bytes(),
            headers: SignedHeaders::sort(&mut headers),
            payload: &PayloadHash::of(&self.body),
            options,
        };
        let access_key_id = AccessKeyId::new(self.access_key_id.clone()).unwrap();
        let key = SigningKeys::default().key(CredentialId(0), &Secret::new(self.secret.clone()), &scope);
        authorize(&key, &access_key_id, &scope, &request)
    }

    fn theirs(&self, options: SigningOptions) -> String {
        let mut theirs = SigningSettings::default();
        theirs.excluded_headers = None;
        theirs.percent_encoding_mode = match options.encoding {
            UriEncoding::Once => PercentEncodingMode::Single,
            UriEncoding::Twice => PercentEncodingMode::Double,
        };
        theirs.uri_path_normalization_mode = match options.normalization {
            PathNormalization::AsSent => UriPathNormalizationMode::Disabled,
            PathNormalization::Resolved => UriPathNormalizationMode::Enabled,
        };
        let identity = Credentials::new(
            &self.access_key_id,
            &self.secret,
            self.token.clone(),
            None,
            "test",
        )
        .into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(BEDROCK)
            .time(UNIX_EPOCH + Duration::from_secs(self.seconds))
            .settings(theirs)
            .build()
            .unwrap()
            .into();
        let mark = if self.query.is_empty() { "" } else { "?" };
        let uri = format!("https://{}{}{mark}{}", self.host, self.path, self.query);
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let request =
            SignableRequest::new(self.method, uri, headers, SignableBody::Bytes(&self.body)).unwrap();
        let (instructions, _) = sign(request, &params).unwrap().into_parts();
        let authorization = instructions.headers().find(|(name, _)| *name == "authorization");
        authorization.expect("an authorization header").1.to_owned()
    }
}

/// Paths that AWS's URI parser accepts, weighted towards what signers get wrong.
fn path() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zA-Z0-9._~-]{1,12}",
        "%[0-9a-fA-F]{2}",
        "[:/@!$&'()*+,;=|^\\\\\"{}\\[\\]%é漢😀]",
        Just("/".to_owned()),
        Just("/..".to_owned()),
        Just("/.".to_owned()),
        Just("us.anthropic.claude-3-5-sonnet-20240620-v1%3A0".to_owned()),
    ];
    prop::collection::vec(piece, 0..16).prop_map(|pieces| format!("/{}", pieces.concat()))
}

/// Queries without escapes that are not UTF-8, which AWS's decoder would replace.
fn query() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zA-Z0-9._~-]{1,6}",
        "%[2-7][0-9a-fA-F]",
        "[&=+:/?@!$'()*,;é漢]",
        "%[g-z]",
        "%E6%BC%A2"
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        "[a-zA-Z][a-zA-Z0-9-]{0,10}",
        Just("x-amzn-trace-id".to_owned()),
        "[aA]"
    ];
    let name = name.prop_filter("the signers add this header", |name| {
        !name.eq_ignore_ascii_case("host")
    });
    prop::collection::vec((name, "( {0,3}[!-~é漢\t]{1,4}){0,4} {0,3}"), 0..8)
}

fn options() -> impl Strategy<Value = SigningOptions> {
    (
        prop_oneof![Just(UriEncoding::Once), Just(UriEncoding::Twice)],
        prop_oneof![Just(PathNormalization::AsSent), Just(PathNormalization::Resolved)],
    )
        .prop_map(|(encoding, normalization)| SigningOptions {
            encoding,
            normalization,
        })
}

fn signing() -> impl Strategy<Value = Signing> {
    let request = (
        prop_oneof![Just("POST"), Just("GET")],
        path(),
        query(),
        "[a-z0-9-]{1,20}(\\.[a-z0-9]{1,9}){0,3}(:[1-9][0-9]{3})?",
        headers(),
        prop::collection::vec(any::<u8>(), 0..300),
    );
    let credentials = (
        "[A-Z0-9]{1,128}",
        "[A-Za-z0-9+/]{0,100}",
        prop::option::of("[A-Za-z0-9+/]{1,1500}={0,2}"),
        "[a-z]{2}-[a-z]{4,9}-[1-9]",
        // Until the year 2554, the last of `UnixTime`.
        0..18_446_744_073_u64,
    );
    (request, credentials).prop_map(
        |((method, path, query, host, headers, body), (access_key_id, secret, token, region, seconds))| {
            Signing {
                method,
                path,
                query,
                host,
                headers,
                body,
                access_key_id,
                secret,
                token,
                region,
                seconds,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_request_gets_the_authorization_of_awss_signer(signing in signing(), options in options()) {
        prop_assert_eq!(signing.ours(options), signing.theirs(options));
    }

    #[test]
    fn a_gateway_request_gets_the_authorization_of_an_aws_client(signing in signing()) {
        // An AWS client resolves dot segments. No path with one reaches our signer.
        let segments: Vec<&str> =
            signing.path.split('/').filter(|segment| !["", ".", ".."].contains(segment)).collect();
        let signing = Signing { path: format!("/{}", segments.join("/")), query: String::new(), ..signing };
        let client = SigningOptions { encoding: UriEncoding::Twice, normalization: PathNormalization::Resolved };
        prop_assert_eq!(signing.ours(SigningOptions::BEDROCK), signing.theirs(client));
    }
}

#[test]
fn a_model_id_with_a_colon_has_a_known_authorization() {
    let path = "/model/us.anthropic.claude-3-5-sonnet-20240620-v1%3A0/converse";
    check(
        &Signing::bedrock(path),
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-west-2/bedrock/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature=7a2127ee8fc0aa627d8599b2deb0b4bef01a407431c355c297f8ad9ed25d56b0",
    );
}

#[test]
fn an_arn_with_a_session_token_has_a_known_authorization() {
    let path = "/model/arn%3Aaws%3Abedrock%3Aus-west-2%3A123456789012%3Ainference-profile%2F\
                us.amazon.nova-lite-v1%3A0/converse-stream";
    let token = Some("AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22w==".into());
    check(
        &Signing {
            token,
            ..Signing::bedrock(path)
        },
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-west-2/bedrock/aws4_request, \
         SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=ef40d9f88105d9702b722dec8612ffc2508f1b923717384cd66e2537dcf0a758",
    );
}

fn check(signing: &Signing, expected: &str) {
    assert_eq!(signing.ours(SigningOptions::BEDROCK), expected);
    assert_eq!(signing.theirs(SigningOptions::BEDROCK), expected);
}
