use super::*;

fn offer(headers: &[(&str, &str)]) -> Result<String, NoKey> {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    offered(Headers(&headers)).map(|key| String::from_utf8(key.to_vec()).unwrap())
}

const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=sk-1234/20261122/us-west-2/bedrock/aws4_request, \
                      SignedHeaders=host;x-amz-date, Signature=ab";

#[test]
fn a_key_is_read_from_every_supported_header() {
    for (name, value) in [
        ("authorization", "Bearer sk-1234"),
        ("authorization", "bearer sk-1234"),
        ("authorization", "BEARER   sk-1234 "),
        ("authorization", SIGNED),
        ("authorization", &SIGNED.replace("=sk-1234", "=Bearer sk-1234")),
        ("authorization", &SIGNED.replace(", ", ",")),
        ("authorization", &SIGNED.replace("SHA256 ", "SHA256   ")),
        ("x-litellm-api-key", "sk-1234"),
        ("x-litellm-api-key", "Bearer sk-1234"),
        ("x-api-key", "sk-1234"),
        ("api-key", "sk-1234"),
        ("litellm_user_api_key", "sk-1234"),
        ("litellm_user_api_key", "Bearer sk-1234"),
    ] {
        assert_eq!(
            offer(&[(name, value)]).as_deref(),
            Ok("sk-1234"),
            "{name}: {value}"
        );
    }
}

#[test]
fn a_key_in_the_credential_field_may_contain_slashes() {
    let value = SIGNED.replace("sk-1234", "sk-a/b/c");
    assert_eq!(offer(&[("authorization", &value)]).as_deref(), Ok("sk-a/b/c"));
}

#[test]
fn litellm_headers_take_precedence_over_authorization_and_authorization_over_the_rest() {
    let litellm = ("x-litellm-api-key", "sk-l");
    assert_eq!(
        offer(&[("authorization", SIGNED), litellm]).as_deref(),
        Ok("sk-l")
    );
    assert_eq!(
        offer(&[("authorization", "nonsense"), litellm]).as_deref(),
        Ok("sk-l")
    );
    assert_eq!(
        offer(&[("x-api-key", "sk-x"), ("authorization", "Bearer sk-a")]).as_deref(),
        Ok("sk-a")
    );
    assert_eq!(
        offer(&[("x-api-key", "sk-x"), ("authorization", "nonsense")]),
        Err(NoKey::Malformed)
    );
    assert_eq!(
        offer(&[("api-key", "sk-b"), ("x-api-key", "sk-x")]).as_deref(),
        Ok("sk-x")
    );
}

#[test]
fn a_key_in_its_own_header_takes_precedence_over_an_access_key_id() {
    let signed = ("authorization", SIGNED);
    let signed_otherwise = (
        "authorization",
        "AWS4-ECDSA-P256-SHA256 Credential=AKIADUMMY/20261122/bedrock/aws4_request",
    );
    let broken = ("authorization", "AWS4-HMAC-SHA256 nonsense");
    for name in [
        "x-api-key",
        "api-key",
        "x-litellm-api-key",
        "litellm_user_api_key",
    ] {
        for authorization in [signed, signed_otherwise, broken] {
            let headers = [authorization, (name, "sk-x")];
            assert_eq!(offer(&headers).as_deref(), Ok("sk-x"), "{headers:?}");
        }
        let bearer = offer(&[("authorization", "Bearer sk-a"), (name, "sk-x")]);
        let expected = if name.contains("litellm") { "sk-x" } else { "sk-a" };
        assert_eq!(bearer.as_deref(), Ok(expected), "{name}");
    }
    assert_eq!(
        offer(&[signed, ("x-api-key", "sk-x"), ("api-key", "sk-b")]).as_deref(),
        Ok("sk-x")
    );
    let both = [("x-litellm-api-key", "sk-l"), ("litellm_user_api_key", "sk-u")];
    assert_eq!(offer(&both).as_deref(), Ok("sk-u"));
}

#[test]
fn an_empty_key_header_is_ignored() {
    let empty = [("x-api-key", ""), ("api-key", "")];
    assert_eq!(offer(&empty), Err(NoKey::Malformed));
    assert_eq!(
        offer(&[empty[0], ("authorization", SIGNED)]).as_deref(),
        Ok("sk-1234")
    );
    assert_eq!(offer(&[empty[0], ("api-key", "sk-b")]).as_deref(), Ok("sk-b"));
    let twice = [("x-api-key", "sk-1234"); 2];
    assert_eq!(
        offer(&[twice[0], twice[1], ("authorization", SIGNED)]),
        Err(NoKey::Malformed)
    );
}

#[test]
fn malformed_and_repeated_headers_are_refused() {
    for value in [
        "",
        " ",
        "sk-1234",
        "Bearer",
        "Bearer ",
        "Bearersk-1234",
        "Basic sk-1234",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=sk-1234",
        "AWS4-HMAC-SHA256 Credential=sk-1234/us-west-2/bedrock/aws4_request",
        "AWS4-HMAC-SHA256 Credential=Bearer",
        "AWS4-HMAC-SHA256 Signature=ab",
        "AWS4-HMAC-SHA256 Credential=/20261122/us-west-2/bedrock/aws4_request",
        &format!("{SIGNED},{SIGNED}"),
        &format!("{SIGNED}, Bearer sk-1234"),
        &format!("{SIGNED} Credential=sk-5678/20261122/us-west-2/bedrock/aws4_request"),
    ] {
        assert_eq!(
            offer(&[("authorization", value)]),
            Err(NoKey::Malformed),
            "{value}"
        );
    }
    let twice = ("authorization", "Bearer sk-1234");
    assert_eq!(offer(&[twice, twice]), Err(NoKey::Malformed));
    assert_eq!(
        offer(&[twice, twice, ("x-litellm-api-key", "sk-1234")]),
        Err(NoKey::Malformed)
    );
    assert_eq!(
        offer(&[("x-api-key", "sk-1"), ("x-api-key", "sk-1")]),
        Err(NoKey::Malformed)
    );
    assert_eq!(
        offer(&[("cookie", "sk-1234"), (":path", "/?key=sk-1234")]),
        Err(NoKey::Missing)
    );
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
