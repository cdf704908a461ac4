//! AWS's vectors for Signature Version 4 as requests of clients: the signed request of every case
//! is verified, and refused once anything in it changes.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "support/package.rs"]
mod package;

use std::fs;
use std::path::Path;

use envoy_bedrock::admission::signature::{PendingSignature, SignatureError};
use envoy_bedrock::headers::Headers;
use envoy_bedrock::secret::Secret;
use envoy_bedrock::sigv4::{ClaimedSignature, PayloadHash};
use envoy_bedrock::time::UnixTime;

/// Cases that must be refused, with the reason.
fn refusal(name: &str) -> Option<SignatureError> {
    match name {
        // A pair has no session token.
        "get-vanilla-with-session-token" | "post-sts-header-after" | "post-sts-header-before" => {
            Some(SignatureError::Unrecognized)
        }
        // Dot segments and repeated slashes are resolved, as by AWS for every service but S3.
        "get-relative-relative-unnormalized"
        | "get-relative-unnormalized"
        | "get-slash-dot-slash-unnormalized"
        | "get-slash-pointless-dot-unnormalized"
        | "get-slash-unnormalized"
        | "get-slashes-unnormalized" => Some(SignatureError::Mismatch),
        _ => None,
    }
}

/// A request of a client.
#[derive(Clone)]
struct Inbound {
    headers: Vec<(String, String)>,
    body: String,
}

impl Inbound {
    fn read(folder: &Path) -> Self {
        let text = fs::read_to_string(folder.join("header-signed-request.txt")).unwrap();
        let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
        // A line that starts with a space continues the previous header.
        let head = head.replace("\n ", " ");
        let mut lines = head.lines();
        let request = lines.next().unwrap();
        let (method, target) = request.split_once(' ').unwrap();
        let path = target.strip_suffix(" HTTP/1.1").unwrap_or(target);
        let mut headers = vec![
            (":method".to_owned(), method.to_owned()),
            (":path".to_owned(), path.to_owned()),
        ];
        // As Envoy presents them.
        headers.extend(lines.map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            let name = match name.to_ascii_lowercase() {
                name if name == "host" => ":authority".to_owned(),
                name => name,
            };
            (name, value.trim().to_owned())
        }));
        Self {
            headers,
            body: body.to_owned(),
        }
    }

    fn verified(&self, secret: &str) -> Result<(), SignatureError> {
        let pairs = self.headers.iter();
        let pairs: Vec<_> = pairs
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        let headers = Headers(&pairs);
        let only = |name: &str| std::str::from_utf8(headers.only(name).unwrap().unwrap()).unwrap();
        let claim = ClaimedSignature::parse(only("authorization").as_bytes()).unwrap();
        let claim = claim.map_err(SignatureError::Claim)?;
        let service = match claim.service {
            "lambda" => "lambda",
            _ => "service",
        };
        let now = UnixTime::parse_amz_date(only("x-amz-date")).unwrap();
        let pending = PendingSignature::read(&claim, service, &Secret::new(secret), headers, now)?;
        pending.verify(&PayloadHash::of(self.body.as_bytes()))
    }

    /// The same request with one thing changed, in every way that counts.
    fn mutations(&self) -> Vec<Self> {
        let signed = self
            .headers
            .iter()
            .position(|(name, _)| name == "authorization")
            .unwrap();
        let mut mutations = Vec::new();
        for index in 0..self.headers.len() {
            let mut changed = self.clone();
            let value = &mut changed.headers[index].1;
            if index == signed {
                let last = value.pop().unwrap();
                value.push(if last == '0' { '1' } else { '0' });
            } else if self.headers[index].0 == "x-amz-date" {
                let other = if value.contains("20150830") {
                    "20150831"
                } else {
                    "20150830"
                };
                *value = format!("{other}{}", &value[8..]);
            } else {
                value.push('x');
            }
            mutations.push(changed);
        }
        let mut longer = self.clone();
        longer.body.push('x');
        let mut more = self.clone();
        more.headers.push(("x-amz-more".to_owned(), String::new()));
        mutations.extend([longer, more]);
        mutations
    }
}

#[test]
fn every_signed_request_is_verified_and_no_changed_one() {
    let suite = package::folder("aws-sigv4")
        .join("aws-signing-test-suite")
        .join("v4");
    let mut verified = 0;
    for entry in fs::read_dir(&suite).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap();
        // The secret of the cases without a context is in `sigv4_vectors.rs`.
        let secret = match name {
            "double-encode-path" => "notrealrnrELgWzOk3IfjzDKtFBhDby".to_owned(),
            "double-url-encode" => "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            _ => {
                let context = fs::read_to_string(folder.join("context.json")).unwrap();
                let context: serde_json::Value = serde_json::from_str(&context).unwrap();
                context["credentials"]["secret_access_key"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            }
        };
        let request = Inbound::read(&folder);
        let expected = refusal(name).map_or(Ok(()), Err);
        assert_eq!(request.verified(&secret), expected, "{name}");
        if expected.is_err() {
            continue;
        }
        verified += 1;
        for (index, changed) in request.mutations().iter().enumerate() {
            assert!(changed.verified(&secret).is_err(), "{name}: mutation {index}");
        }
        assert_eq!(request.verified("other"), Err(SignatureError::Mismatch), "{name}");
    }
    assert!(verified >= 31, "only {verified} cases were verified");
}
