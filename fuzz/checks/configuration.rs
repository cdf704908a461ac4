//! Plugin configurations: arbitrary bytes, and valid settings with random changes.

use std::rc::Rc;

use serde_json::{Value, json};

use crate::admission::target::Target;
use crate::contract::itinerary::leg;
use crate::contract::settings::Settings;
use crate::headers::Headers;
use crate::pricing::Cost;
use crate::random::Random;
use crate::routing::active_config::ActiveConfig;
use crate::routing::settings_error::SettingsError;
use crate::stream::request::{Dispatch, Request};
use crate::time::UnixTime;
use crate::usage::{ServiceTier, Usage};

/// Prefix of the variables' values. It must not appear in any output.
const SECRET: &str = "S3CR3T/of+the+environment";
const NOW: UnixTime = UnixTime::from_nanoseconds(1_795_357_174_000_000_000);

/// No configuration makes the gateway panic, neither while it is read nor while requests are
/// admitted under it. An error names the wrong field, and no output shows a secret.
///
/// The low bits of the first byte select which variables are set. Below 0x80, the rest is the
/// configuration. From 0x80 on, every three bytes of the rest change the valid settings: the first
/// two select the place, the last one the new value.
pub fn configuration(data: &[u8]) {
    let Some((&recipe, rest)) = data.split_first() else {
        return;
    };
    let json = if recipe < 0x80 {
        rest.to_vec()
    } else {
        changed(rest).to_string().into_bytes()
    };
    match ActiveConfig::new(&json, |name| variable(recipe, name)) {
        Err(error) => explains(&error),
        Ok(gateway) => {
            let settings: Settings = serde_json::from_slice(&json).unwrap();
            let key = variable(recipe, &settings.master_key.0).unwrap();
            admit(&Rc::new(gateway), &key);
        }
    }
}

/// The value of a variable. Depending on `recipe`, names with an `X` are unset, names with an `E`
/// are empty, and `ID` is not a valid access key id.
fn variable(recipe: u8, name: &str) -> Option<String> {
    let has = |letter: char, bit: u8| recipe & bit != 0 && name.contains(letter);
    if has('X', 1) {
        None
    } else if has('E', 2) {
        Some(String::new())
    } else if name == "ID" && recipe & 4 == 0 {
        // Not secret: the debug output shows access key ids.
        Some("AKIA0000000000000001".into())
    } else {
        Some(format!("{SECRET}/{name}"))
    }
}

fn explains(error: &SettingsError) {
    let text = error.to_string();
    shows_no_secret(&text);
    let explanation = match error {
        SettingsError::Malformed(_) => "not the settings that this version of envoy-bedrock renders",
        SettingsError::MissingVariable { .. } => "is unset or empty",
        SettingsError::BadVariable { .. } | SettingsError::OutOfBounds { .. } => "expected",
        SettingsError::NoSealingKey | SettingsError::Sealed { .. } => "ENVOY_BEDROCK_SEALING_KEY",
    };
    assert!(text.contains(explanation), "{text}");
    match error {
        // A JSON error has a position instead of a field.
        SettingsError::Malformed(reason) => assert!(reason.contains(" at line "), "{text}"),
        SettingsError::NoSealingKey | SettingsError::Sealed { .. } => {
            assert!(text.starts_with("sealed") || text.starts_with("keys["), "{text}");
        }
        SettingsError::MissingVariable { field, .. }
        | SettingsError::BadVariable { field, .. }
        | SettingsError::OutOfBounds { field, .. } => {
            let known = ["master_key", "attempts", "history_rows", "models["];
            assert!(known.iter().any(|known| field.starts_with(known)), "{text}");
            assert!(text.starts_with(field.as_str()), "{text}");
        }
    }
}

fn shows_no_secret(text: &str) {
    assert!(!text.contains("S3CR3T"), "{text}");
}

/// Sends requests for models by name, by alias and through a wildcard, and for unknown ones.
fn admit(gateway: &Rc<ActiveConfig>, key: &str) {
    shows_no_secret(&format!("{gateway:?}"));
    for name in ["m", "us.anthropic.claude", "alias", "none", "a/b"] {
        let is_known = gateway.models.find(name).is_some();
        for (operation, exists) in [
            ("converse", true),
            ("invoke-with-response-stream", true),
            ("x", false),
        ] {
            let path = format!("/model/{name}/{operation}");
            let refused = begin(gateway, &path, "wrong");
            assert_eq!(refused.err(), Some(401), "{path}");
            let started = begin(gateway, &path, key);
            assert_eq!(started.is_ok(), is_known && exists, "{path}");
            let Ok(mut request) = started else { continue };
            let taken = request.receive(b"{\"messages\": []}");
            assert_eq!(taken.is_ok(), gateway.body_limit_bytes >= 16);
            if taken.is_ok() {
                attempt(
                    &request
                        .complete()
                        .unwrap()
                        .0
                        .dispatch(String::new(), &mut Random::new(7), NOW)
                        .unwrap(),
                );
            }
        }
    }
}

fn begin(gateway: &Rc<ActiveConfig>, path: &str, key: &str) -> Result<Request, u16> {
    let authorization = format!("Bearer {key}");
    let headers = [
        (":method", "POST"),
        (":path", path),
        ("authorization", &authorization),
    ];
    let headers = headers.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let request = match Target::of(gateway, Headers(&headers), None, &mut None, NOW) {
        Ok(Target::Model(path, key)) => Request::begin(Rc::clone(gateway), path, key, Headers(&headers)),
        Ok(target) => panic!("not a request for a model: {target:?}"),
        Err(reject) => Err(reject),
    };
    request.map_err(|reject| reject.reply().status)
}

/// Asserts that every attempt can go to its planned cluster and to no other.
fn attempt(dispatch: &Dispatch) {
    let plan = &dispatch.plan;
    let clusters: Vec<&str> = (1..).map_while(|number| plan.cluster(number)).collect();
    assert!((1..=11).contains(&clusters.len()));
    for (number, cluster) in (1..).zip(&clusters) {
        let other = format!("{cluster}x");
        assert!(plan.request(number, other.as_bytes(), NOW).is_err());
        let request = plan.request(number, cluster.as_bytes(), NOW).unwrap();
        assert!(
            request
                .headers()
                .iter()
                .any(|(name, _)| *name == b"authorization")
        );
        let usage = Usage {
            input: 300_000,
            output: u64::MAX,
            cache_write_1h: 7,
            ..Usage::default()
        };
        for tier in [None, Some(ServiceTier::Flex), Some(ServiceTier::Other)] {
            let cost = plan.rates().and_then(|rates| Cost::of(&usage, tier, None, rates));
            assert!(cost.is_none_or(|cost| cost.total() >= cost.output));
        }
        assert!(plan.itinerary().contains(&leg(&number.to_string(), cluster)));
    }
    assert!(plan.request(12, b"west", NOW).is_err());
}

/// The valid settings after up to 32 changes.
fn changed(recipe: &[u8]) -> Value {
    let mut settings = valid();
    for change in recipe.chunks_exact(3).take(32) {
        let mut nodes = 0;
        count(&settings, &mut nodes);
        let mut at = usize::from(u16::from_be_bytes([change[0], change[1]])) % nodes;
        let known = at;
        if let Some(node) = nth(&mut settings, &mut at) {
            alter(node, change[2]);
        }
        assert!(known < nodes);
    }
    settings
}

fn valid() -> Value {
    let signed = json!({"sigv4": {"access_key_id": "ID", "secret_access_key": "SX", "session_token": "TE"}});
    let rates = json!({
        "base": {"input": 3_000_000, "output": 15_000_000, "cache_write_1h": 6_000_000},
        "variants": [{"tier": "flex", "rates": {"input": 1}}, {"above_tokens": 200_000, "rates": {"output": 22}}],
    });
    let deployment = |id: &str, cluster: &str| {
        json!({"id": id, "model": "us.anthropic.claude-v1:0", "region": cluster, "cluster": cluster, "weight": 1,
            "order": 1, "authority": format!("{cluster}.test:8443"), "base_path": "/base", "credentials": signed,
            "rates": rates})
    };
    let bearer = json!({"id": "b", "model": "us.*", "region": "east", "cluster": "east", "authority": "e",
        "weight": 0, "credentials": {"bearer": {"api_key": "API"}}});
    json!({
        "master_key": "MASTER", "attempts": 3, "body_limit_bytes": 64, "history_rows": 10,
        "models": [
            {"name": "m", "deployments": [deployment("1", "west"), deployment("2", "east"), deployment("3", "west")]},
            {"name": "us.*", "deployments": [bearer], "guardrail": {"identifier": "gr", "version": "7", "trace": "enabled"}},
        ],
        "aliases": {"alias": "m", "none": "gone"},
        "catalogue": {"us.anthropic.claude": rates, "east/us.x": {"base": {}}},
    })
}

fn count(value: &Value, nodes: &mut usize) {
    *nodes += 1;
    match value {
        Value::Array(all) => all.iter().for_each(|value| count(value, nodes)),
        Value::Object(all) => all.values().for_each(|value| count(value, nodes)),
        _ => {}
    }
}

fn nth<'a>(value: &'a mut Value, at: &mut usize) -> Option<&'a mut Value> {
    if *at == 0 {
        return Some(value);
    }
    *at -= 1;
    match value {
        Value::Array(all) => all.iter_mut().find_map(|value| nth(value, at)),
        Value::Object(all) => all.values_mut().find_map(|value| nth(value, at)),
        _ => None,
    }
}

/// Changes `node`: adds or removes an element, or replaces it with a scalar.
fn alter(node: &mut Value, how: u8) {
    match (how, &mut *node) {
        (0..0x40, Value::Array(all)) if !all.is_empty() => {
            let index = usize::from(how) % all.len();
            drop(all.remove(index));
        }
        (0x40..0x80, Value::Array(all)) if !all.is_empty() && all.len() < 64 => {
            let again = all[usize::from(how) % all.len()].clone();
            all.push(again);
        }
        (0..0x40, Value::Object(all)) => {
            if let Some(key) = all.keys().nth(usize::from(how) % all.len().max(1)).cloned() {
                drop(all.remove(&key));
            }
        }
        (0x40..0x80, Value::Object(all)) => drop(all.insert("*".into(), json!(how))),
        _ => *node = scalar(how),
    }
}

fn scalar(how: u8) -> Value {
    let values = [
        json!(null),
        json!(0),
        json!(1),
        json!(11),
        json!(12),
        json!(-1),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1.5),
        json!(true),
        json!(""),
        json!("*"),
        json!("a*b*c"),
        json!("west"),
        json!("us.anthropic.claude"),
        json!("m"),
        json!("\u{0}\r\n\u{1f600}"),
        json!("arn:aws:bedrock:us-east-1:1:inference-profile/us.a.b"),
        json!("x".repeat(5000)),
        json!("flex"),
        json!([]),
        json!({}),
    ];
    values[usize::from(how) % values.len()].clone()
}
