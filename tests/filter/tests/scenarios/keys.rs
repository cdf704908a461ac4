//! Who may pass: the proxy key in every place and form.

use filter_tests::{HttpExchange, RequestOutcome};

use crate::scene::{MASTER_KEY, Scene, assert_quiet, bare, refusal};

const PATH: &str = "/bedrock/model/one/converse";
/// A key that nobody has; it has to be refused, and never to be seen again.
const WRONG: &str = "sk-guess-77aa";

/// A SigV4 header as an AWS SDK makes it of the access key id `key`.
fn credential(key: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={key}/20231114/us-west-2/bedrock/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date, Signature=0123abcd"
    )
}

/// Only headers so far: what is decided now is decided before the body is there.
fn judged(scene: &Scene, path: &str, more: &[(&str, &str)]) -> HttpExchange {
    let mut headers = bare("POST", path);
    headers.extend(more);
    scene.request(headers).body(["not ", "read"]).send().unwrap()
}

fn accepted(key: &str) -> Vec<(&'static str, String)> {
    vec![
        ("authorization", format!("Bearer {key}")),
        ("authorization", format!("bearer {key}")),
        ("authorization", format!("BEARER   {key}  ")),
        ("Authorization", credential(key)),
        ("authorization", credential(&format!("Bearer {key}"))),
        ("authorization", credential(key).replace(", ", ",")),
        ("x-litellm-api-key", key.to_owned()),
        ("x-litellm-api-key", format!("Bearer {key}")),
        ("x-api-key", key.to_owned()),
        ("api-key", key.to_owned()),
        ("litellm_user_api_key", key.to_owned()),
    ]
}

#[test]
fn a_key_header_opens_beside_a_signature_with_other_aws_keys() {
    let scene = Scene::new();
    let signed = credential("AKIAIOSFODNN7EXAMPLE");
    for name in [
        "x-api-key",
        "api-key",
        "x-litellm-api-key",
        "litellm_user_api_key",
    ] {
        for (key, opens) in [(MASTER_KEY, true), (WRONG, false)] {
            let exchange = judged(&scene, PATH, &[("authorization", &signed), (name, key)]);
            let passed = matches!(exchange.outcome(), RequestOutcome::Forwarded(_));
            assert_eq!(passed, opens, "{name} {key}");
            exchange.finish().unwrap();
        }
    }
    // The key as access key id does not help beside a wrong key in its own header.
    let headers = [("authorization", &*credential(MASTER_KEY)), ("x-api-key", WRONG)];
    assert_eq!(refusal(&judged(&scene, PATH, &headers)).status, 401);
}

#[test]
fn the_key_opens_from_every_place_and_form() {
    let scene = Scene::new();
    for (name, value) in accepted(MASTER_KEY) {
        let exchange = judged(&scene, PATH, &[(name, &value)]);
        let passed = matches!(exchange.outcome(), RequestOutcome::Forwarded(_));
        assert!(passed, "{name}: {value}");
        exchange.finish().unwrap();
    }
}

/// Requests without a key that is good, with the forms that proxies and codecs make of doubled headers.
fn refused() -> Vec<Vec<(&'static str, String)>> {
    let bearer = format!("Bearer {MASTER_KEY}");
    let mut all = vec![
        vec![],
        vec![("authorization", String::new())],
        vec![("authorization", "Bearer".to_owned())],
        vec![("authorization", "Bearer ".to_owned())],
        vec![("authorization", MASTER_KEY.to_owned())],
        vec![("authorization", format!("Basic {MASTER_KEY}"))],
        vec![("authorization", format!("Bearer{MASTER_KEY}"))],
        vec![("authorization", format!("Bearer\t{MASTER_KEY}"))],
        vec![("authorization", format!("Bearer {MASTER_KEY}x"))],
        vec![(
            "authorization",
            format!("Bearer {}", &MASTER_KEY[..MASTER_KEY.len() - 1]),
        )],
        vec![("authorization", format!("Bearer {}", MASTER_KEY.to_uppercase()))],
        vec![("authorization", "AWS4-HMAC-SHA256 Credential=".to_owned())],
        vec![(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={MASTER_KEY}"),
        )],
        vec![("authorization", credential(""))],
        vec![(
            "authorization",
            credential(MASTER_KEY).replace("SHA256", "SHA512"),
        )],
        vec![("proxy-authorization", bearer.clone())],
        vec![("cookie", format!("api-key={MASTER_KEY}; authorization={bearer}"))],
        vec![("x-amz-security-token", MASTER_KEY.to_owned())],
        vec![("x-eb-key", MASTER_KEY.to_owned())],
        // One wins, and what it says counts.
        vec![
            ("x-litellm-api-key", WRONG.to_owned()),
            ("authorization", bearer.clone()),
        ],
        vec![
            ("authorization", format!("Bearer {WRONG}")),
            ("x-api-key", MASTER_KEY.to_owned()),
        ],
        vec![
            ("authorization", "nonsense".to_owned()),
            ("x-api-key", MASTER_KEY.to_owned()),
        ],
    ];
    all.extend(accepted(WRONG).into_iter().map(|header| vec![header]));
    let once = accepted(MASTER_KEY);
    for (name, value) in &once {
        for (_, other) in once
            .iter()
            .chain(&accepted(WRONG))
            .filter(|(other, _)| other == name)
        {
            all.push(vec![(name, value.clone()), (name, other.clone())]);
            for joint in [",", ", "] {
                all.push(vec![(name, format!("{value}{joint}{other}"))]);
            }
        }
    }
    all
}

#[test]
fn without_a_good_key_once_it_is_401_whatever_the_body_and_says_nothing_about_models() {
    let scene = Scene::new();
    for headers in refused() {
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let known = judged(&scene, PATH, &headers);
        let known_reply = refusal(&known);
        assert_eq!(known_reply.status, 401, "{headers:?}");
        assert_eq!(known_reply.headers.text("www-authenticate"), Some("Bearer"));
        let unknown = judged(&scene, "/bedrock/model/nothing-of-the-kind/converse", &headers);
        assert_eq!(refusal(&unknown), known_reply, "{headers:?}");
        assert!(!format!("{known_reply:?}").contains(WRONG));
        known.finish().unwrap();
        unknown.finish().unwrap();
    }
    assert_quiet(&scene, &[WRONG]);
    assert_eq!(
        scene.host().count("proxy_get_buffer_bytes"),
        1,
        "only the configuration is read"
    );
    scene.assert_healthy();
}

#[test]
fn a_key_in_the_query_string_opens_nothing() {
    let scene = Scene::new();
    for query in ["key", "api_key", "api-key", "x-api-key", "authorization", "token"] {
        let exchange = judged(&scene, &format!("{PATH}?{query}={WRONG}"), &[]);
        assert_eq!(refusal(&exchange).status, 401, "{query}");
        let exchange = judged(&scene, &format!("{PATH}?{query}={MASTER_KEY}"), &[]);
        assert_eq!(refusal(&exchange).status, 401, "{query}");
    }
    assert_quiet(&scene, &[WRONG]);
}

#[test]
fn the_key_is_judged_before_path_method_model_and_length() {
    let scene = Scene::new();
    for (method, path) in [
        ("GET", PATH),
        ("DELETE", "/model/one/converse"),
        ("POST", "/model/one/no-such-operation"),
        ("POST", "/model/%00/converse"),
        ("POST", "/model/../x/converse"),
        ("POST", "/bedrock"),
        ("GET", "/bedrock/admin"),
        ("GET", "/models"),
        ("POST", "//model/one/converse"),
        ("GET", "/bedrock//model"),
    ] {
        let mut headers = bare(method, path);
        headers.push(("content-length", "99999999999"));
        let exchange = scene.request(headers).unfinished().send().unwrap();
        assert_eq!(refusal(&exchange).status, 401, "{method} {path}");
    }
}

#[test]
fn a_body_that_comes_after_the_refusal_changes_nothing() {
    let scene = Scene::new();
    let headers = [("x-api-key", WRONG), ("content-length", "99999999999")];
    let mut exchange = scene
        .request(bare("POST", PATH).into_iter().chain(headers))
        .unfinished()
        .send()
        .unwrap();
    let reply = refusal(&exchange);
    exchange.request_chunk(b"{}", false).unwrap();
    exchange.request_chunk(b"{}", true).unwrap();
    assert_eq!(refusal(&exchange), reply);
    exchange.finish().unwrap();
    scene.assert_healthy();
}

#[test]
fn probes_need_no_key_and_no_other_path_answers_without_one() {
    let scene = Scene::new();
    for path in ["/health/liveliness", "/health/liveness", "/health/readiness"] {
        let exchange = scene.request(bare("GET", path)).send().unwrap();
        assert!(
            matches!(exchange.outcome(), RequestOutcome::LocalReply { status: 200, .. }),
            "{path}"
        );
    }
    for path in [
        "/",
        "/stats",
        "/admin",
        "/config_dump",
        "/quitquitquit",
        "/key/generate",
        "/health",
        "/v1/models",
        "/chat/completions",
        "",
        "*",
        "/Model/one/converse",
        "//",
        "//health/liveliness",
        "/%6dodel/one/converse",
        "http://localhost/model/one/converse",
    ] {
        for method in ["GET", "POST", "OPTIONS", "CONNECT"] {
            let exchange = scene.request(bare(method, path)).send().unwrap();
            assert_eq!(refusal(&exchange).status, 404, "{method} {path}");
        }
    }
}
