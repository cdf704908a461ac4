use serde_json::{Value, json};

use super::*;
use crate::headers::Headers;

const NOW: UnixTime = UnixTime::from_seconds(1_795_357_174);

fn config() -> ActiveConfig {
    let deployment = json!({
        "id": "d", "model": "a.b-v1:0", "region": "us-west-2", "cluster": "c", "authority": "h", "weight": 1,
        "credentials": { "bearer": { "api_key": "KEY" } },
        "rates": { "base": { "input": 3_000_000, "output": 15_000_000 } },
    });
    let models =
        ["claude", "nova", "us.anthropic.*"].map(|name| json!({ "name": name, "deployments": [deployment] }));
    let settings = json!({
        "master_key": "MASTER", "attempts": 1, "body_limit_bytes": 10, "models": models,
        "aliases": { "fast": "nova" },
        "teams": [{ "team_id": "red", "team_alias": "Red", "limits": { "rpm_limit": 9 } }],
        "keys": [
            {
                "token": { "variable": "sk-app" }, "key_alias": "app", "models": ["nova"],
                "aliases": { "mine": "nova" }, "team_id": "red", "expires": 1_900_000_000,
                "limits": {
                    "rpm_limit": 5, "model_tpm_limit": { "nova": 7 },
                    "budget": { "max_budget": "2.5", "budget_duration": "30d" },
                },
            },
            { "token": { "variable": "sk-all" } },
        ],
    });
    ActiveConfig::new(settings.to_string().as_bytes(), |name| Some(name.to_owned())).unwrap()
}

fn ask(path: &str, key: &str) -> Result<Value, Reject> {
    ask_of(&config(), path, key, NOW)
}

/// Asks a gateway with this configuration.
pub(super) fn ask_of(config: &ActiveConfig, path: &str, key: &str, now: UnixTime) -> Result<Value, Reject> {
    let headers = [(&b"x-api-key"[..], key.as_bytes())];
    let key = config.keys.admit(Headers(&headers), None, || now)?;
    let inquiry = Inquiry::of(b"GET", path.as_bytes()).unwrap();
    let reply = inquiry.answer(config, &key, None, now)?;
    assert_eq!(reply.status, 200);
    Ok(serde_json::from_slice(&reply.body).unwrap())
}

fn ids(body: &Value) -> Vec<&str> {
    let data = body["data"].as_array().unwrap();
    data.iter().map(|model| model["id"].as_str().unwrap()).collect()
}

#[test]
fn a_key_learns_what_it_may_do() {
    let body = ask("/key/info", "sk-app").unwrap();
    let info = &body["info"];
    assert_eq!(info["key_alias"], "app");
    assert_eq!(info["models"], json!(["nova"]));
    assert_eq!(info["max_budget"], json!(2.5));
    assert_eq!(info["budget_reset_at"], "2026-12-01T00:00:00.000Z");
    assert_eq!(info["rpm_limit"], 5);
    assert_eq!(info["model_tpm_limit"], json!({ "nova": 7 }));
    assert_eq!(info["team"]["rpm_limit"], 9);
    assert_eq!(info["expires"], "2030-03-17T17:46:40.000Z");
    assert!(!body.to_string().contains("sk-app"));
}

#[test]
fn only_the_master_key_can_ask_about_other_keys() {
    let about = |key: &str| format!("/key/info?key={key}");
    assert_eq!(
        ask(&about("sk-app"), "sk-app").unwrap()["info"]["key_alias"],
        "app"
    );
    assert_eq!(ask(&about("sk-app"), "sk-all"), Err(Reject::MasterKeyOnly));
    assert_eq!(ask(&about("sk-none"), "sk-all"), Err(Reject::MasterKeyOnly));
    assert_eq!(ask(&about("sk-none"), "MASTER"), Err(Reject::UnknownKey));
    let found = ask(&about("sk-app"), "MASTER").unwrap();
    assert_eq!(found["info"]["key_alias"], "app");
    let token = found["key"].as_str().unwrap();
    assert_eq!(ask(&about(token), "MASTER").unwrap(), found);
}

#[test]
fn a_key_sees_only_the_models_that_it_may_call() {
    assert_eq!(
        ids(&ask("/v1/models", "sk-all").unwrap()),
        ["claude", "nova", "fast"]
    );
    assert_eq!(ids(&ask("/models", "sk-app").unwrap()), ["nova", "fast", "mine"]);
    assert_eq!(ask("/v1/models/mine", "sk-app").unwrap()["id"], "mine");
    assert_eq!(
        ask("/v1/models/claude", "sk-app"),
        Err(Reject::NoSuchModel("claude".into()))
    );
    assert_eq!(
        ask("/v1/models/us.anthropic.x%3A0", "sk-all").unwrap()["id"],
        "us.anthropic.x:0"
    );
    let deployments = ask("/model/info", "sk-app").unwrap();
    let [nova] = deployments["data"].as_array().unwrap().as_slice() else {
        panic!("{deployments}");
    };
    assert_eq!(nova["model_name"], "nova");
    assert_eq!(nova["litellm_params"]["model"], "bedrock/a.b-v1:0");
    assert_eq!(nova["model_info"]["input_cost_per_token"], json!(0.000003));
    assert!(!deployments.to_string().contains("KEY"));
}

#[test]
fn other_paths_ask_nothing() {
    for path in [
        "/v1/models/",
        "/v1/model",
        "/key/info/",
        "/model/info/converse",
        "/v1/models/%ff",
    ] {
        assert_eq!(Inquiry::of(b"GET", path.as_bytes()), None, "{path}");
    }
    assert_eq!(Inquiry::of(b"POST", b"/v1/models"), None);
    assert_eq!(Inquiry::of(b"GET", b"/key/info?key="), Some(Inquiry::Key(None)));
}
