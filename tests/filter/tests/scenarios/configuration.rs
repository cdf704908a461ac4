//! Configurations that are refused, and reloads.

use envoy_bedrock::contract::names::{ROOT_GATEWAY, ROOT_SIGNER};
use filter_tests::{StartError, UpstreamResponse, Vm};
use serde_json::{Value, json};

use crate::fixtures::{EAST, ENVIRONMENT, SECRETS, START_SECONDS, WEST, model, settings, settings_of};
use crate::oracle::assert_signed;
use crate::scene::{Scene, forwarded, refusal, route};

/// Starts a plugin that must refuse its configuration, and returns the single line of its log.
fn refused(environment: &[(&str, &str)], root_id: &str, configuration: &str) -> String {
    match Vm::start(environment, &[(root_id, configuration)]) {
        Err(StartError::Refused { log, .. }) => {
            assert_eq!(log.len(), 1, "{log:?}");
            assert_eq!(log[0].level, 4);
            let text = log[0].text.clone();
            assert!(
                text.starts_with("configuration: ") && !text.contains('\n'),
                "{text}"
            );
            assert!(!SECRETS.iter().any(|secret| text.contains(secret)), "{text}");
            text
        }
        Ok(_) => panic!("{root_id} accepts {configuration}"),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn malformed_configurations_are_refused() {
    for text in [
        "",
        "{",
        "null",
        "[]",
        "\"x\"",
        "{}",
        "\u{feff}{}",
        "{\"master_key\":1}",
        "yaml: true",
    ] {
        let line = refused(&ENVIRONMENT, ROOT_GATEWAY, text);
        assert!(
            line.contains("not the settings that this version of envoy-bedrock renders: "),
            "{line}"
        );
    }
    let whole = settings().to_string();
    for cut in (1..whole.len()).step_by(97) {
        refused(&ENVIRONMENT, ROOT_GATEWAY, &whole[..cut]);
    }
}

#[test]
fn invalid_fields_are_named() {
    let cases: [(&str, Value, &str); 9] = [
        (
            "/attempts",
            json!(0),
            "attempts: expected a number from 1 to 11, but found 0",
        ),
        (
            "/attempts",
            json!(12),
            "attempts: expected a number from 1 to 11, but found 12",
        ),
        ("/attempts", json!(-1), "invalid value: integer `-1`"),
        ("/body_limit_bytes", json!("1"), "invalid type: string"),
        ("/models", json!({}), "invalid type: map"),
        (
            "/models/0/deployments",
            json!([]),
            "models[0].deployments: expected at least one deployment, but found none",
        ),
        (
            "/models/1/deployments/0/weight",
            json!(-1),
            "invalid value: integer `-1`",
        ),
        (
            "/models/0/deployments/0/credentials",
            json!({"basic": {}}),
            "unknown variant `basic`",
        ),
        ("/master_key", json!({"key": "x"}), "invalid type: map"),
    ];
    for (pointer, value, expected) in cases {
        let mut settings = settings();
        *settings.pointer_mut(pointer).unwrap() = value;
        let line = refused(&ENVIRONMENT, ROOT_GATEWAY, &settings.to_string());
        assert!(line.contains(expected), "{pointer}: {line}");
    }
    let mut settings = settings();
    settings["atempts"] = json!(3);
    assert!(refused(&ENVIRONMENT, ROOT_GATEWAY, &settings.to_string()).contains("unknown field `atempts`"));
}

#[test]
fn missing_and_empty_variables_are_named_with_their_field() {
    let fields = [
        ("LITELLM_MASTER_KEY", "master_key"),
        (
            "PLAIN_ID",
            "models[0].deployments[0].credentials.sigv4.access_key_id",
        ),
        (
            "PLAIN_SECRET",
            "models[0].deployments[0].credentials.sigv4.secret_access_key",
        ),
        (
            "TEMPORARY_ID",
            "models[1].deployments[1].credentials.sigv4.access_key_id",
        ),
        (
            "TEMPORARY_SECRET",
            "models[1].deployments[1].credentials.sigv4.secret_access_key",
        ),
        ("API_KEY", "models[2].deployments[2].credentials.bearer.api_key"),
    ];
    for (name, field) in fields {
        let expected = format!(
            "configuration: {field}: the environment variable {name} is unset or empty in the Envoy process"
        );
        let without: Vec<_> = ENVIRONMENT
            .into_iter()
            .filter(|(other, _)| *other != name)
            .collect();
        assert_eq!(refused(&without, ROOT_GATEWAY, &settings().to_string()), expected);
        let empty = ENVIRONMENT.map(|(other, value)| (other, if other == name { "" } else { value }));
        assert_eq!(refused(&empty, ROOT_GATEWAY, &settings().to_string()), expected);
    }
}

#[test]
fn credentials_without_a_token_are_signed_without_one() {
    let plain = ENVIRONMENT.map(|(name, value)| (name, if name == "TEMPORARY_TOKEN" { "" } else { value }));
    let plugins = [(ROOT_GATEWAY, &*settings().to_string()), (ROOT_SIGNER, "")];
    let scene = Scene::of(Vm::start(&plain, &plugins).unwrap());
    let exchange = scene
        .post("/model/temporary/converse")
        .body(["{}"])
        .send()
        .unwrap();
    let response = route(exchange, |_, _| UpstreamResponse::new(200, &[], "")).unwrap();
    let headers = response.attempts[0].headers.as_ref().unwrap();
    assert_eq!(headers.text("x-amz-security-token"), None);
    let authorization = headers.text("authorization").unwrap();
    assert!(
        authorization.contains("SignedHeaders=host;x-amz-date,"),
        "{authorization}"
    );
}

#[test]
fn a_secret_in_place_of_an_access_key_id_is_not_shown() {
    let misplaced = "misplaced secret/with+signs,and spaces";
    let environment =
        ENVIRONMENT.map(|(name, value)| (name, if name == "PLAIN_ID" { misplaced } else { value }));
    let line = refused(&environment, ROOT_GATEWAY, &settings().to_string());
    assert!(
        line.contains("PLAIN_ID") && line.contains("models[0]") && !line.contains("misplaced"),
        "{line}"
    );
}

#[test]
fn an_unknown_root_id_is_refused() {
    for root_id in ["", "Gateway", "gateway ", "signers", "gatewa"] {
        let line = refused(&ENVIRONMENT, root_id, &settings().to_string());
        assert_eq!(
            line,
            format!("configuration: root_id: expected gateway or signer, but found {root_id:?}")
        );
    }
}

#[test]
fn the_signer_needs_no_configuration_of_its_own() {
    for text in ["", "{}", "anything"] {
        Vm::start(&ENVIRONMENT, &[(ROOT_SIGNER, text)]).unwrap();
    }
}

#[test]
fn the_old_configuration_stays_active_if_a_reload_is_refused() {
    let scene = Scene::new();
    let mut bad = settings();
    bad["master_key"] = json!("NOWHERE");
    for bad in ["", "{", &bad.to_string()] {
        assert!(matches!(
            scene.reload(ROOT_GATEWAY, bad),
            Err(StartError::Refused { .. })
        ));
        scene.assert_healthy();
    }
}

#[test]
fn a_reload_affects_new_requests_only() {
    let scene = Scene::new();
    let mut waiting = scene.post("/model/one/converse").unfinished().send().unwrap();
    let departed = scene.post("/model/one/converse").body(["{}"]).send().unwrap();
    let new = settings_of(vec![model("one", &[(EAST, 1, 0)])]);
    scene.reload(ROOT_GATEWAY, &new.to_string()).unwrap();

    waiting.request_chunk(b"{}", true).unwrap();
    for exchange in [waiting, departed] {
        forwarded(&exchange);
        let response = route(exchange, |_, sent| {
            assert_signed(sent, &WEST, "converse", b"{}", START_SECONDS);
            UpstreamResponse::new(200, &[], "")
        });
        assert_eq!(response.unwrap().status(), 200);
    }
    let exchange = scene.post("/model/one/converse").body(["{}"]).send().unwrap();
    route(exchange, |_, sent| {
        assert_signed(sent, &EAST, "converse", b"{}", START_SECONDS);
        UpstreamResponse::new(200, &[], "")
    })
    .unwrap();
    assert_eq!(
        refusal(&scene.post("/model/two/converse").send().unwrap()).status,
        400
    );
}
