//! Valid requests, and every part of one that can be changed. AWS's vectors are in
//! `tests/sigv4_inbound.rs`.

use super::*;
use crate::sigv4::{AccessKeyId, CanonicalRequest, authorize};

pub(crate) const BODY: &[u8] = b"{\"messages\":[]}";
pub(crate) const NOW: UnixTime = UnixTime::from_seconds(1_795_357_174);

/// The access key id of the samples.
pub(crate) const ID: &str = "EBAKTEST";

/// A request that a client makes.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// What a client signs with.
pub(crate) struct Signer {
    pub(crate) secret: &'static str,
    pub(crate) service: &'static str,
    pub(crate) signed_at: UnixTime,
}

pub(crate) const SIGNER: Signer = Signer {
    secret: "wJalrXUtnFEMI",
    service: BEDROCK,
    signed_at: NOW,
};

impl Signer {
    /// A request with these headers beside the usual ones. Names that start with `-` are not
    /// signed.
    pub(crate) fn sign(&self, path: &str, more: &[(&str, &str)]) -> Sample {
        let date = self.signed_at.amz_date();
        let fixed = [
            ("content-type", "application/json"),
            ("host", "gateway:4000"),
            ("x-amz-date", date.as_str()),
        ];
        let all: Vec<(&str, &str)> = fixed.into_iter().chain(more.iter().copied()).collect();
        let signed = all.iter().filter(|(name, _)| !name.starts_with('-'));
        let mut signed: Vec<_> = signed
            .map(|(name, value)| SignedHeader::new(name, value.as_bytes()))
            .collect();
        let scope = Scope {
            date,
            region: "eu-central-1",
            service: self.service,
        };
        let (path_only, query) = path.split_once('?').unwrap_or((path, ""));
        let request = CanonicalRequest {
            method: "POST",
            path: path_only.as_bytes(),
            query: query.as_bytes(),
            headers: SignedHeaders::sort(&mut signed),
            payload: &PayloadHash::of(BODY),
            options: OPTIONS,
        };
        let key = SigningKey::derive(&Secret::new(self.secret), &scope);
        let id = AccessKeyId::new(ID).unwrap();
        let authorization = authorize(&key, &id, &scope, &request);
        let mut headers = vec![
            (":method".to_owned(), b"POST".to_vec()),
            (":path".to_owned(), path.into()),
            ("authorization".to_owned(), authorization.into()),
        ];
        headers.extend(all.iter().map(|(name, value)| match *name {
            "host" => (":authority".to_owned(), value.as_bytes().to_vec()),
            name => (name.trim_start_matches('-').to_owned(), value.as_bytes().to_vec()),
        }));
        Sample {
            headers,
            body: BODY.to_vec(),
        }
    }
}

impl Sample {
    fn verified_at(&self, now: UnixTime) -> Result<(), SignatureError> {
        let pairs = self.headers.iter();
        let pairs: Vec<_> = pairs.map(|(name, value)| (name.as_bytes(), &value[..])).collect();
        let headers = Headers(&pairs);
        let authorization = headers.only("authorization").unwrap().unwrap();
        let claim = ClaimedSignature::parse(authorization).unwrap();
        let claim = claim.map_err(SignatureError::Claim)?;
        let secret = Secret::new(SIGNER.secret);
        let pending = PendingSignature::read(&claim, BEDROCK, &secret, headers, now)?;
        pending.verify(&PayloadHash::of(&self.body))
    }

    fn verified(&self) -> Result<(), SignatureError> {
        self.verified_at(NOW)
    }

    fn value(&mut self, name: &str) -> &mut Vec<u8> {
        let mut headers = self.headers.iter_mut();
        &mut headers.find(|(found, _)| found == name).unwrap().1
    }

    /// Replaces a part of a header.
    fn with(mut self, name: &str, from: &str, to: &str) -> Self {
        let value = self.value(name);
        let text = String::from_utf8(value.clone()).unwrap();
        assert!(text.contains(from), "{text}");
        *value = text.replacen(from, to, 1).into_bytes();
        self
    }

    fn and(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

const PATH: &str = "/bedrock/model/team%2Fclaude-v1%3A0/converse";

fn valid() -> Sample {
    let digest = PayloadHash::of(BODY);
    let more = [
        ("x-amz-content-sha256", digest.as_str()),
        ("x-amz-user-agent", "a  b"),
        ("-user-agent", "x"),
    ];
    SIGNER.sign(PATH, &more)
}

#[test]
fn a_signed_request_is_verified() {
    assert_eq!(valid().verified(), Ok(()));
    for path in [
        PATH,
        "/model/a:0/converse",
        "//model/a/converse",
        "/key/info?key=a%20b&x",
        "/",
    ] {
        assert_eq!(SIGNER.sign(path, &[]).verified(), Ok(()), "{path}");
    }
}

#[test]
fn headers_that_are_not_signed_may_change() {
    let mut sent = valid()
        .and("x-forwarded-for", "1.2.3.4")
        .and("x-amzn-trace-id", "a");
    *sent.value("user-agent") = b"y".to_vec();
    assert_eq!(sent.verified(), Ok(()));
}

#[test]
fn every_bit_of_what_is_signed_counts() {
    for name in [
        ":method",
        ":path",
        ":authority",
        "content-type",
        "x-amz-user-agent",
    ] {
        let length = valid().value(name).len();
        for bit in 0..length * 8 {
            let mut sent = valid();
            let changed = sent.value(name);
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(sent.verified().is_err(), "{name} {bit}");
        }
    }
    for bit in 0..BODY.len() * 8 {
        let mut sent = valid();
        sent.body[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(sent.verified(), Err(SignatureError::Mismatch), "{bit}");
    }
}

#[test]
fn every_digit_of_the_signature_counts() {
    let mut sent = valid();
    let start = sent.value("authorization").len() - 64;
    for position in start..start + 64 {
        let mut sent = valid();
        let digit = &mut sent.value("authorization")[position];
        *digit = if *digit == b'0' { b'1' } else { b'0' };
        assert_eq!(sent.verified(), Err(SignatureError::Mismatch), "{position}");
    }
}

#[test]
fn every_part_of_the_authorization_is_checked() {
    use SignatureError::*;
    let day = "20261122";
    for (from, to, expected) in [
        (day, "20261121", Day),
        ("eu-central-1", "eu-central-2", Mismatch),
        ("/bedrock/", "/s3/", Service),
        ("/bedrock/", "/bedrock-runtime/", Service),
        ("aws4_request", "aws5_request", Claim(ClaimError::Credential)),
        ("content-type;", "", Mismatch),
        ("host;", "", Host),
        ("host;", ":authority;", Host),
        (
            "x-amz-user-agent",
            "x-amz-date",
            Unsigned("x-amz-user-agent".into()),
        ),
        (";x-amz-date", "", Unsigned("x-amz-date".into())),
        (
            "x-amz-content-sha256;",
            "",
            Unsigned("x-amz-content-sha256".into()),
        ),
        ("content-type;host", "host;content-type", Mismatch),
        ("content-type;", "content-type;content-type;", Mismatch),
        ("content-type;", "Content-Type;", Mismatch),
        ("content-type;", "absent;content-type;", Mismatch),
        ("content-type;", ";content-type;", Mismatch),
        ("SignedHeaders=", "Signed=", Claim(ClaimError::Unknown)),
        ("Signature=", "Signature=0", Claim(ClaimError::Signature)),
    ] {
        let refused = valid().with("authorization", from, to).verified();
        assert_eq!(refused, Err(expected), "{from} {to}");
    }
}

#[test]
fn headers_that_would_change_the_meaning_are_refused() {
    use SignatureError::*;
    for (name, value, expected) in [
        ("x-amz-security-token", "token", Unrecognized),
        ("x-amz-new", "1", Unsigned("x-amz-new".into())),
        ("x-amz-date", "20261122T141934Z", Date),
        ("x-amz-content-sha256", "0", Payload),
        (":authority", "other", Mismatch),
        (":path", "/", Mismatch),
        (":method", "GET", Mismatch),
        ("content-type", "application/json", Mismatch),
    ] {
        let refused = valid().and(name, value).verified();
        assert_eq!(refused, Err(expected), "{name}");
    }
    let other = Signer {
        secret: "other",
        ..SIGNER
    };
    assert_eq!(other.sign(PATH, &[]).verified(), Err(Mismatch));
    let foreign = Signer {
        service: "sts",
        ..SIGNER
    };
    assert_eq!(foreign.sign(PATH, &[]).verified(), Err(Service));
    assert_eq!(
        SIGNER.sign(PATH, &[("x-amz-security-token", "t")]).verified(),
        Err(Unrecognized)
    );
}

#[test]
fn a_body_must_be_signed_by_its_hash() {
    let chunked = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    for value in [
        "UNSIGNED-PAYLOAD",
        chunked,
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "",
        "abc",
    ] {
        let sent = SIGNER.sign(PATH, &[("x-amz-content-sha256", value)]);
        assert_eq!(sent.verified(), Err(SignatureError::Payload), "{value}");
    }
    let digest = PayloadHash::of(b"other");
    let sent = SIGNER.sign(PATH, &[("x-amz-content-sha256", digest.as_str())]);
    assert_eq!(sent.verified(), Err(SignatureError::Mismatch));
}

#[test]
fn a_signature_in_the_query_is_refused() {
    for query in [
        "X-Amz-Signature=ab",
        "a=b&x-amz-signature=ab",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
    ] {
        let sent = SIGNER.sign(&format!("{PATH}?{query}"), &[]);
        assert_eq!(sent.verified(), Err(SignatureError::Presigned), "{query}");
    }
}

#[test]
fn a_signature_is_valid_for_five_minutes_in_both_directions() {
    let at = |offset: i64| UnixTime::from_seconds(NOW.seconds().checked_add_signed(offset).unwrap());
    for (offset, is_valid) in [(-301, false), (-300, true), (0, true), (300, true), (301, false)] {
        let refused = valid().verified_at(at(offset));
        assert_eq!(refused.is_ok(), is_valid, "{offset}: {refused:?}");
    }
    let message = |offset| valid().verified_at(at(offset)).unwrap_err().message();
    assert_eq!(
        message(301),
        "Signature expired: 20261122T141934Z is now earlier than 20261122T141935Z (20261122T142435Z - 5 min.)"
    );
    assert_eq!(
        message(-301),
        "Signature not yet current: 20261122T141934Z is still later than 20261122T141933Z (20261122T141433Z + \
         5 min.)"
    );
    let mut sent = valid();
    *sent.value("x-amz-date") = b"20261122T141935Z".to_vec();
    assert_eq!(sent.verified(), Err(SignatureError::Mismatch));
    *sent.value("x-amz-date") = b"2026-11-22T14:19:34Z".to_vec();
    assert_eq!(sent.verified(), Err(SignatureError::Date));
    sent.headers.retain(|(name, _)| name != "x-amz-date");
    assert_eq!(sent.verified(), Err(SignatureError::Date));
}
