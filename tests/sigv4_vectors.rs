//! AWS's own vectors for Signature Version 4, from the package of `aws-sigv4`: every case with
//! every intermediate value.
//!
//! The tests use the files for signatures in headers. The `query-*` files are for presigned URLs,
//! which the gateway does not make, and the `v4a` folder is for an algorithm that Bedrock does not
//! use.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

#[path = "support/package.rs"]
mod package;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use envoy_bedrock::secret::Secret;
use envoy_bedrock::sigv4::{
    AccessKeyId, CanonicalRequest, PathNormalization, PayloadHash, Scope, SignedHeader, SignedHeaders,
    SigningKey, SigningOptions, StringToSign, UriEncoding, authorize,
};
use envoy_bedrock::time::UnixTime;
use serde_json::Value;

/// Cases that our signer deliberately does not support, with the reason.
const UNSUPPORTED: &[(&str, &str)] = &[];

/// Cases without a context file. The context follows from their signed requests; neither has a
/// session token.
const WITHOUT_CONTEXT: &[(&str, &str)] = &[
    ("double-encode-path", ENCODE_PATH),
    ("double-url-encode", URL_ENCODE),
];
/// The package signs this case with its `Credentials::for_tests()`.
const ENCODE_PATH: &str = r#"{"credentials":{"access_key_id":"ANOTREAL",
    "secret_access_key":"notrealrnrELgWzOk3IfjzDKtFBhDby"},"normalize":true,"region":"us-east-1","service":"service",
    "sign_body":false,"timestamp":"2015-08-30T12:36:00Z"}"#;
const URL_ENCODE: &str = r#"{"credentials":{"access_key_id":"AKIDEXAMPLE",
    "secret_access_key":"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"},"normalize":true,"region":"us-east-2",
    "service":"lambda","sign_body":false,"timestamp":"2021-05-11T15:40:45Z"}"#;

/// Cases whose `request.txt` has a percent-encoded path already, as their signed requests show.
const ENCODED_ALREADY: &[&str] = &["get-space-normalized"];

/// The date in the canonical requests of the suite's two oldest cases, whatever the date of their
/// signature.
const CANONICAL_DATE_WITHOUT_CONTEXT: &str = "2021-05-11T15:40:45Z";

/// Whether the session token is a signed header.
#[derive(Clone, Copy, PartialEq)]
enum SessionToken {
    Signed,
    Omitted,
}

/// Whether the payload's hash is a signed header.
#[derive(Clone, Copy, PartialEq)]
enum PayloadHeader {
    Signed,
    Absent,
}

#[test]
fn every_vector_gives_every_intermediate() {
    let suite = suite();
    let cases = names_in(&suite);
    assert!(
        cases.len() >= 40,
        "expected at least 40 cases, but found {}",
        cases.len()
    );
    let listed = UNSUPPORTED.iter().chain(WITHOUT_CONTEXT).map(|(name, _)| name);
    for name in listed.chain(ENCODED_ALREADY) {
        assert!(cases.contains(*name), "the suite has no case {name}");
    }
    for name in cases
        .iter()
        .filter(|name| !UNSUPPORTED.iter().any(|(unsupported, _)| unsupported == name))
    {
        Vector::read(&suite, name).check();
    }
}

/// One folder of the suite.
struct Vector {
    name: String,
    folder: PathBuf,
    context: Value,
    request: VectorRequest,
    /// The date of the canonical request, if it differs from that of the signature.
    canonical_date: Option<&'static str>,
}

impl Vector {
    fn read(suite: &Path, name: &str) -> Self {
        let folder = suite.join(name);
        let substitute = WITHOUT_CONTEXT.iter().find(|(case, _)| *case == name);
        let context = match substitute {
            Some((_, context)) => {
                assert!(
                    !folder.join("context.json").exists(),
                    "{name} has a context file now: use it"
                );
                (*context).to_owned()
            }
            None => read(&folder.join("context.json")),
        };
        Self {
            name: name.to_owned(),
            context: serde_json::from_str(&context).expect("a context is JSON"),
            request: VectorRequest::parse(&read(&folder.join("request.txt"))),
            canonical_date: substitute.map(|_| CANONICAL_DATE_WITHOUT_CONTEXT),
            folder,
        }
    }

    fn check(&self) {
        let name = &self.name;
        let signed = self.outcome(self.text("/timestamp").expect("a context has a time"));
        let canonical = match self.canonical_date {
            Some(date) => self.outcome(date).canonical,
            None => signed.canonical.clone(),
        };
        assert_eq!(
            canonical,
            self.file("header-canonical-request.txt").unwrap(),
            "canonical request of {name}"
        );

        let string_to_sign = self.file("header-string-to-sign.txt");
        let signature = self.file("header-signature.txt");
        if self.canonical_date.is_none() {
            assert!(
                string_to_sign.is_some() && signature.is_some(),
                "{name} lacks an expected result"
            );
        }
        if let Some(expected) = string_to_sign {
            assert_eq!(
                signed.string_to_sign.trim_end(),
                expected.trim_end(),
                "string to sign of {name}"
            );
        }
        if let Some(expected) = signature {
            assert_eq!(signed.signature, expected, "signature of {name}");
        }
        assert_eq!(
            signed.authorization,
            self.expected_authorization(),
            "authorization of {name}"
        );
    }

    fn outcome(&self, timestamp: &str) -> SignedVector {
        let time = unix_time(timestamp);
        let date = time.amz_date();
        let scope = Scope {
            date,
            region: self.text("/region").unwrap(),
            service: self.text("/service").unwrap(),
        };
        let payload = PayloadHash::of(self.request.body.as_bytes());
        let mut headers: Vec<SignedHeader<'_>> = self
            .request
            .headers
            .iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case("x-amz-date"))
            .map(|(name, value)| SignedHeader::new(name, value.as_bytes()))
            .collect();
        headers.push(SignedHeader::new("X-Amz-Date", date.as_bytes()));
        if let (Some(token), SessionToken::Signed) = (self.text("/credentials/token"), self.session_token()) {
            headers.push(SignedHeader::new("X-Amz-Security-Token", token.as_bytes()));
        }
        if self.payload_header() == PayloadHeader::Signed {
            headers.push(SignedHeader::new("x-amz-content-sha256", payload.as_bytes()));
        }
        let request = CanonicalRequest {
            method: &self.request.method,
            path: self.request.path.as_bytes(),
            query: self.request.query.as_bytes(),
            headers: SignedHeaders::sort(&mut headers),
            payload: &payload,
            options: SigningOptions {
                encoding: self.encoding(),
                normalization: self.normalization(),
            },
        };
        let secret = Secret::new(self.text("/credentials/secret_access_key").unwrap());
        let access_key_id = AccessKeyId::new(self.text("/credentials/access_key_id").unwrap()).unwrap();
        let key = SigningKey::derive(&secret, &scope);
        let hash = request.hash();
        let string_to_sign = StringToSign {
            scope: &scope,
            request: &hash,
        };
        let mut signature = String::new();
        key.sign(&string_to_sign).write_hexadecimal(&mut signature);
        SignedVector {
            canonical: String::from_utf8(request.text()).unwrap(),
            string_to_sign: string_to_sign.to_string(),
            signature,
            authorization: authorize(&key, &access_key_id, &scope, &request),
        }
    }

    fn encoding(&self) -> UriEncoding {
        match ENCODED_ALREADY.contains(&self.name.as_str()) {
            true => UriEncoding::Once,
            false => UriEncoding::Twice,
        }
    }

    fn normalization(&self) -> PathNormalization {
        match self
            .flag("/normalize")
            .expect("a context says whether to normalise")
        {
            true => PathNormalization::Resolved,
            false => PathNormalization::AsSent,
        }
    }

    fn session_token(&self) -> SessionToken {
        match self.flag("/omit_session_token") {
            Some(true) => SessionToken::Omitted,
            _ => SessionToken::Signed,
        }
    }

    fn payload_header(&self) -> PayloadHeader {
        match self
            .flag("/sign_body")
            .expect("a context says whether to sign the body")
        {
            true => PayloadHeader::Signed,
            false => PayloadHeader::Absent,
        }
    }

    fn expected_authorization(&self) -> String {
        let signed = self
            .file("header-signed-request.txt")
            .expect("every case has its signed request");
        let line = signed
            .lines()
            .find_map(|line| line.strip_prefix("Authorization:"));
        line.expect("a signed request has an authorization")
            .trim()
            .to_owned()
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        self.context.pointer(pointer).and_then(Value::as_str)
    }

    fn flag(&self, pointer: &str) -> Option<bool> {
        self.context.pointer(pointer).and_then(Value::as_bool)
    }

    fn file(&self, name: &str) -> Option<String> {
        let path = self.folder.join(name);
        path.exists().then(|| read(&path))
    }
}

struct SignedVector {
    canonical: String,
    string_to_sign: String,
    signature: String,
    authorization: String,
}

/// A `request.txt`.
struct VectorRequest {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl VectorRequest {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        // A line that starts with a space continues the previous header. The fold counts as one
        // space.
        let head = head.replace("\n ", " ");
        let mut lines = head.lines();
        let request_line = lines.next().expect("a request has a first line");
        let (method, rest) = request_line.split_once(' ').expect("a request has a method");
        let target = rest.strip_suffix(" HTTP/1.1").expect("a request has a version");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = lines
            .map(|line| line.split_once(':').expect("a header has a colon"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self {
            method: method.into(),
            path: path.into(),
            query: query.into(),
            headers,
            body: body.into(),
        }
    }
}

/// Parses a timestamp like `2015-08-30T12:36:00Z`.
fn unix_time(timestamp: &str) -> UnixTime {
    let numbers: Vec<u64> = timestamp
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|part| part.parse().ok())
        .collect();
    let [year, month, day, hour, minute, second] = numbers[..] else {
        panic!("not a timestamp: {timestamp}")
    };
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let february = if is_leap(year) { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let days = (1970..year)
        .map(|year| if is_leap(year) { 366 } else { 365 })
        .sum::<u64>()
        + months[..month as usize - 1].iter().sum::<u64>()
        + day
        - 1;
    UnixTime::from_nanoseconds((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000_000)
}

/// The suite's `v4` folder, in the package that cargo has unpacked.
fn suite() -> PathBuf {
    package::folder("aws-sigv4")
        .join("aws-signing-test-suite")
        .join("v4")
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
