use super::*;
use crate::scenarios;

const KEY: &str = "sk-1234";

/// The key that a request presents, as in [`presented`].
fn offer(headers: &[(Vec<u8>, Vec<u8>)]) -> Result<String, NoKey> {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_slice(), value.as_slice()))
        .collect();
    presented(Headers(&headers)).map(|key| String::from_utf8_lossy(key).into_owned())
}

#[test]
fn the_key_is_found_or_refused_as_in_the_table() {
    for row in scenarios::keys(KEY) {
        let found = offer(&row.headers);
        let name = &row.name;
        match row.reason.as_str() {
            "" => assert_eq!(found.as_deref(), Ok(KEY), "{name}"),
            "no_key" => assert_eq!(found, Err(NoKey::Missing), "{name}"),
            "malformed_key" => assert_eq!(found, Err(NoKey::Malformed), "{name}"),
            "wrong_key" => assert_ne!(found.expect(name), KEY, "{name}"),
            other => panic!("unknown reason {other}: {name}"),
        }
    }
}

#[test]
fn a_key_in_the_credential_field_may_contain_slashes() {
    let value = b"AWS4-HMAC-SHA256 Credential=sk-a/b/c/20261122/us-west-2/bedrock/aws4_request";
    let header = (b"authorization".to_vec(), value.to_vec());
    assert_eq!(offer(&[header]).as_deref(), Ok("sk-a/b/c"));
}

#[test]
fn only_the_same_key_matches() {
    let hash = KeyHash::of(b"sk-1234");
    assert!(hash.matches(&KeyHash::of(b"sk-1234")));
    for other in ["", "sk-123", "sk-12345", "SK-1234"] {
        assert!(!hash.matches(&KeyHash::of(other.as_bytes())), "{other}");
    }
    assert_eq!(format!("{hash:?}"), "[redacted]");
}
