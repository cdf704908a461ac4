//! Requests that are signed with an AWS pair: nothing happens before the signature is verified.

use super::driver::serialized;
use crate::admission::signature::tests::{BODY, ID, NOW, SIGNER, Sample, Signer};
use crate::records::row::Outcome;
use crate::sealing::{SEALING_KEY, SealingKey};
use crate::secret::Secret;
use crate::stream::*;

/// `m` takes API keys, so its requests need not be held for Bedrock.
fn config() -> Rc<ActiveConfig> {
    let digits = "5e".repeat(32);
    let sealed = SealingKey::parse(&digits)
        .unwrap()
        .seal(ID, &Secret::new(SIGNER.secret));
    let hash = "ab".repeat(32);
    let deployment = r#"{"id": "d", "model": "a:0", "region": "west", "cluster": "west", "authority": "west.test",
        "weight": 1, "credentials": {"bearer": {"api_key": "API"}}}"#;
    let settings = format!(
        r#"{{"master_key": "MASTER", "attempts": 1, "body_limit_bytes": 100,
            "keys": [{{"token": {{"sha256": "{hash}"}}, "key_alias": "app", "models": ["m", "guarded"],
                       "aws_pairs": [{{"access_key_id": "{ID}", "sealed_secret": "{sealed}"}},
                                     {{"access_key_id": "EBAKOLD", "sealed_secret": "{}", "valid_until": {}}}]}}],
            "models": [
            {{"name": "m", "deployments": [{deployment}]}},
            {{"name": "other", "deployments": [{deployment}]}},
            {{"name": "guarded", "deployments": [{deployment}],
              "guardrail": {{"identifier": "g", "version": "1"}}}}]}}"#,
        SealingKey::parse(&digits)
            .unwrap()
            .seal("EBAKOLD", &Secret::new(SIGNER.secret)),
        NOW.seconds(),
    );
    let variable = |name: &str| {
        Some(if name == SEALING_KEY {
            digits.clone()
        } else {
            "sk-x".into()
        })
    };
    Rc::new(ActiveConfig::new(settings.as_bytes(), variable).unwrap())
}

struct Signed {
    stream: Stream,
    headers: Step,
}

/// A stream that has received the headers of a request.
fn opened(request: &Sample, more: &[(&str, &str)], end_stream: bool) -> Signed {
    let headers = request.headers.iter();
    let headers = headers.map(|(name, value)| (name.as_str(), std::str::from_utf8(value).unwrap()));
    let headers: Vec<_> = headers.chain(more.iter().copied()).collect();
    let mut stream = Stream::new(Some(config()), Random::new(1));
    let headers = stream.request_headers(Some(serialized(&headers)), end_stream, NOW);
    Signed { stream, headers }
}

fn status(step: &Step) -> Option<u16> {
    match &step.then {
        Then::Reply(reply) => Some(reply.status),
        _ => None,
    }
}

/// The key alias of the row, and the reason of a refusal.
fn row(stream: &Stream) -> (Option<String>, Option<&'static str>) {
    let row = stream.close(NOW, || None).unwrap();
    let reason = match row.outcome {
        Outcome::Refused { reason, .. } => Some(reason),
        _ => None,
    };
    (row.key.map(|key| key.label().to_owned()), reason)
}

#[test]
fn a_signed_request_is_held_until_its_signature_is_verified() {
    let length = BODY.len().to_string();
    let declared = [("content-length", length.as_str())];
    let request = SIGNER.sign("/model/m/converse", &[]);
    let Signed { mut stream, headers } = opened(&request, &declared, false);
    assert_eq!(headers.then, Then::Wait, "although its model is streamed");
    let step = stream.request_body(&&BODY[..4], false, NOW);
    assert_eq!(step.then, Then::Wait);
    assert_eq!(row(&stream), (None, None));
    let step = stream.request_body(&BODY, true, NOW);
    assert!(
        matches!(&step.edits[..], [Edit::Plan(_), Edit::RequestHeaders(_)]),
        "{step:?}"
    );
    assert_eq!(step.then, Then::Continue);
    assert_eq!(row(&stream).0.as_deref(), Some("app"));
}

#[test]
fn a_guardrail_is_added_after_the_signature_is_verified() {
    let request = SIGNER.sign("/model/guarded/converse", &[]);
    let Signed { mut stream, .. } = opened(&request, &[], false);
    let step = stream.request_body(&BODY, true, NOW);
    let edits = &step.edits[..];
    assert!(matches!(
        edits,
        [Edit::RequestBody { .. }, Edit::Plan(_), Edit::RequestHeaders(_)]
    ));
}

#[test]
fn a_changed_body_is_refused_whatever_else_is_wrong() {
    for path in [
        "/model/m/converse",
        "/model/guarded/converse",
        "/model/other/converse",
        "/model/none/converse",
        "/x",
    ] {
        let request = SIGNER.sign(path, &[]);
        let Signed { mut stream, headers } = opened(&request, &[], false);
        assert_eq!(headers.then, Then::Wait, "{path}");
        let step = stream.request_body(&&b"{\"messages\":1}"[..], true, NOW);
        assert_eq!(status(&step), Some(403), "{path}");
        assert_eq!(row(&stream), (None, Some("bad_signature")), "{path}");
    }
}

#[test]
fn a_verified_request_has_the_rights_of_its_key() {
    for (path, expected) in [
        ("/model/other/converse", 403),
        ("/model/none/converse", 403),
        ("/x", 404),
    ] {
        let Signed { mut stream, .. } = opened(&SIGNER.sign(path, &[]), &[], false);
        let step = stream.request_body(&BODY, true, NOW);
        assert_eq!(status(&step), Some(expected), "{path}");
    }
}

#[test]
fn what_the_headers_say_is_checked_before_the_body_arrives() {
    let late = UnixTime::from_seconds(NOW.seconds() - 301);
    let request = Signer {
        signed_at: late,
        ..SIGNER
    };
    let Signed { stream, headers } = opened(&request.sign("/model/m/converse", &[]), &[], true);
    assert_eq!(status(&headers), Some(403));
    assert_eq!(row(&stream), (None, Some("bad_signature")));
}

#[test]
fn a_request_without_a_body_is_verified_at_once() {
    let request = SIGNER.sign("/model/m/converse", &[]);
    let Signed { headers, .. } = opened(&request, &[], true);
    assert_eq!(status(&headers), Some(403), "it was signed with a body");
}

#[test]
fn trailers_are_refused() {
    let Signed { mut stream, .. } = opened(&SIGNER.sign("/model/m/converse", &[]), &[], false);
    let _ = stream.request_body(&BODY, false, NOW);
    assert_eq!(status(&stream.request_trailers(NOW)), Some(403));
}

#[test]
fn a_body_over_the_limit_is_refused() {
    let request = SIGNER.sign("/model/m/converse", &[]);
    let Signed { mut stream, headers } = opened(&request, &[("content-length", "101")], false);
    assert!(matches!(headers.edits[..], [Edit::StartTimer]), "it is drained");
    assert_eq!(status(&stream.request_body(&&b""[..], true, NOW)), Some(413));
    let Signed { mut stream, .. } = opened(&request, &[], false);
    assert_eq!(
        status(&stream.request_body(&&[b' '; 101][..], true, NOW)),
        Some(413)
    );
}

#[test]
fn a_replaced_pair_and_an_unknown_one_are_refused() {
    let with = |id: &str| {
        let mut request = SIGNER.sign("/model/m/converse", &[]);
        let (_, value) = request
            .headers
            .iter_mut()
            .find(|(name, _)| name == "authorization")
            .unwrap();
        *value = String::from_utf8(value.clone())
            .unwrap()
            .replace(ID, id)
            .into_bytes();
        let Signed { mut stream, .. } = opened(&request, &[], false);
        let step = stream.request_body(&BODY, true, NOW);
        (status(&step), row(&stream).1)
    };
    assert_eq!(with(ID), (None, None));
    assert_eq!(with("EBAKOLD"), (Some(401), Some("expired_key")));
    assert_eq!(with("EBAKNONE"), (Some(403), Some("unknown_access_key")));
    assert_eq!(with("AKIANONE"), (Some(401), Some("wrong_key")));
}

#[test]
fn an_access_key_id_is_no_key() {
    for (name, value) in [
        ("authorization", format!("Bearer {ID}")),
        ("x-api-key", ID.to_owned()),
    ] {
        let headers = [
            (":method", "POST"),
            (":path", "/model/m/converse"),
            (name, value.as_str()),
        ];
        let mut stream = Stream::new(Some(config()), Random::new(1));
        let step = stream.request_headers(Some(serialized(&headers)), true, NOW);
        assert_eq!(status(&step), Some(401), "{name}");
    }
}
