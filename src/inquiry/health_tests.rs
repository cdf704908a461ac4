use std::rc::Rc;

use serde_json::{Value, json};

use crate::contract::routing::{CooldownSettings, FailureClass};
use crate::cooldown::TargetFailure;
use crate::inquiry::tests::ask_of;
use crate::routing::active_config::ActiveConfig;
use crate::routing::outlook::Outlook;
use crate::time::UnixTime;

const NOW: UnixTime = UnixTime::from_seconds(1_795_357_174);

/// `claude` has deployments `w` and `e`, `us.*` has `x`, and `nova` has `b`, whose credentials come
/// from the broker. The key `sk-app` may call `claude`.
fn config() -> ActiveConfig {
    let api_key = json!({ "bearer": { "api_key": "SECRET" } });
    let brokered = json!({ "brokered": { "id": "1" } });
    let deployment = |id: &str, model: &str, region: &str, credentials: &Value| {
        json!({
            "id": id, "model": model, "region": region, "cluster": region,
            "authority": format!("bedrock-runtime.{region}.amazonaws.com"), "weight": 1,
            "credentials": credentials,
            "routing": if id == "w" { json!({ "rpm": 9 }) } else { json!({}) },
        })
    };
    let settings = json!({
        "master_key": "MASTER", "attempts": 1, "body_limit_bytes": 10, "broker": { "cluster": "b" },
        "models": [
            {
                "name": "claude",
                "deployments": [
                    deployment("w", "a.b-v1:0", "us-west-2", &api_key),
                    deployment("e", "a.b-v1:0", "us-east-1", &api_key),
                ],
            },
            { "name": "us.*", "deployments": [deployment("x", "us.*", "us-west-2", &api_key)] },
            { "name": "nova", "deployments": [deployment("b", "c.d-v1:0", "us-west-2", &brokered)] },
        ],
        "keys": [{ "token": { "variable": "sk-app" }, "models": ["claude"] }],
    });
    let variable = |name: &str| Some(name.to_owned());
    let mut config = ActiveConfig::new(settings.to_string().as_bytes(), variable).unwrap();
    config.set_outlook(Rc::new(Outlook::in_memory()));
    config
}

/// The deployment `id` of the model group `group` is throttled.
fn throttle(config: &ActiveConfig, group: &str, id: &str, now: UnixTime) {
    let found = config.models.find(group).unwrap();
    let mut deployments = found.model.deployments.iter();
    let deployment = deployments.find(|deployment| deployment.id == id).unwrap();
    let failure = TargetFailure {
        class: FailureClass::RateLimit,
        status: 429,
        is_unusable: false,
        retry_after: None,
        is_counted: false,
    };
    let cooldowns = &config.outlook().unwrap().cooldowns;
    let key = deployment.key(&found.captures);
    let begun = cooldowns.failed(key, failure, &CooldownSettings::default(), false, now);
    assert!(begun.is_some());
}

fn ids(body: &Value) -> [Vec<&str>; 2] {
    ["healthy", "unhealthy"].map(|word| {
        let endpoints = body[format!("{word}_endpoints")].as_array().unwrap();
        assert_eq!(body[format!("{word}_count")], endpoints.len());
        endpoints
            .iter()
            .map(|endpoint| endpoint["model_id"].as_str().unwrap())
            .collect()
    })
}

#[test]
fn a_deployment_that_cools_down_is_unhealthy_until_its_probe_is_due() {
    let config = config();
    let ask = |now| ask_of(&config, "/health", "sk-app", now).unwrap();
    assert_eq!(ids(&ask(NOW)), [vec!["w", "e"], vec![]]);
    throttle(&config, "claude", "w", NOW);
    let body = ask(NOW.after_milliseconds(1000));
    assert_eq!(ids(&body), [vec!["e"], vec!["w"]]);
    assert_eq!(
        body["unhealthy_endpoints"][0],
        json!({
            "model": "bedrock/a.b-v1:0", "model_id": "w", "model_group": "claude",
            "custom_llm_provider": "bedrock",
            "api_base": "bedrock-runtime.us-west-2.amazonaws.com", "aws_region_name": "us-west-2",
            "state": "cooling", "cooldown_until": "2026-11-22T14:19:39.000Z", "last_status": 429,
            "in_flight": 0, "current_rpm": 0, "current_tpm": 0,
            "error": "cools down until 2026-11-22T14:19:39.000Z, because a response had status 429",
        })
    );
    let ready = &body["healthy_endpoints"][0];
    assert_eq!(ready["state"], "ready");
    for unknown in ["cooldown_until", "last_status", "in_flight", "current_rpm"] {
        assert_eq!(ready[unknown], Value::Null, "{unknown}");
    }
    let later = NOW.after_milliseconds(6000);
    let body = ask(later);
    assert_eq!(ids(&body), [vec!["w", "e"], vec![]]);
    assert_eq!(body["healthy_endpoints"][0]["state"], "probe_due");
    let key = config.models.find("claude").unwrap().model.deployments[0].key(&[]);
    let cooldowns = &config.outlook().unwrap().cooldowns;
    assert!(cooldowns.begin_probe(key, later));
    assert_eq!(ask(later)["unhealthy_endpoints"][0]["state"], "probing");
    cooldowns.succeeded(key, true, later);
    assert_eq!(ask(later)["healthy_endpoints"][0]["state"], "ready");
}

#[test]
fn nothing_is_said_of_cooldowns_that_are_disabled() {
    let mut config = config();
    throttle(&config, "claude", "w", NOW);
    config.routing.cooldown.disabled = true;
    let body = ask_of(&config, "/health", "sk-app", NOW).unwrap();
    assert_eq!(ids(&body), [vec!["w", "e"], vec![]]);
}

#[test]
fn a_wildcard_is_healthy_and_says_how_many_parts_of_its_models_cool_down() {
    let config = config();
    let ask = || ask_of(&config, "/health?model=us.*", "MASTER", NOW).unwrap()["healthy_endpoints"][0].take();
    assert_eq!(ask()["cooling_parts"], 0);
    throttle(&config, "claude", "w", NOW);
    throttle(&config, "us.anthropic.x:0", "x", NOW);
    assert_eq!(ask()["cooling_parts"], 1);
    assert_eq!(ask()["last_status"], 429);
    assert_eq!(ask()["state"], "ready");
}

#[test]
fn a_deployment_without_credentials_is_unhealthy() {
    let config = config();
    let ask = || ask_of(&config, "/health?model_id=b", "MASTER", NOW).unwrap();
    let error = |body: &Value| {
        body["unhealthy_endpoints"][0]["error"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(error(&ask()), "the credential broker has not answered");
    assert_eq!(ask()["unhealthy_endpoints"][0]["state"], "no_credentials");
    let slot = &config.brokered.as_ref().unwrap().slots[0];
    let answer =
        br#"{"AccessKeyId": "A", "SecretAccessKey": "SECRET", "Expiration": "2030-01-01T00:00:00Z"}"#;
    let _news = slot.finish_call(200, answer, NOW);
    let body = ask();
    assert_eq!(ids(&body), [vec!["b"], vec![]]);
    assert!(!body.to_string().contains("SECRET"));
}

#[test]
fn the_answer_can_be_about_one_model_or_deployment() {
    let config = config();
    let asked = |query: &str, key: &str| {
        let body = ask_of(&config, &format!("/health?{query}"), key, NOW).unwrap();
        let all = ids(&body).concat();
        all.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(asked("", "MASTER"), ["w", "e", "x", "b"]);
    assert_eq!(asked("model=claude", "MASTER"), ["w", "e"]);
    assert_eq!(asked("model=bedrock%2Fa.b-v1%3A0", "MASTER"), ["w", "e"]);
    assert_eq!(asked("model=us.amazon.y%3A0", "MASTER"), ["x"]);
    assert_eq!(asked("model=other", "MASTER"), [""; 0]);
    assert_eq!(asked("model_id=e", "sk-app"), ["e"]);
    assert_eq!(asked("model_id=b", "sk-app"), [""; 0]);
}
