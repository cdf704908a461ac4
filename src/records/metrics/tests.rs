use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::json;

use super::*;
use crate::checks::{event_headers, frame};
use crate::contract::metrics::LABELS;
use crate::contract::settings::ReloadFailure;
use crate::routing::outcome::AttemptResponse;
use crate::routing::outlook::Outlook;
use crate::stream::tests::driver::Driver;
use crate::time::UnixTime;

const SECOND: u64 = 1_000_000_000;

#[derive(Default)]
struct Fake {
    names: RefCell<Vec<(MetricKind, String)>>,
    values: RefCell<BTreeMap<String, u64>>,
}

impl Fake {
    fn put(&self, id: u32, value: u64) {
        let name = self.names.borrow()[id as usize].1.clone();
        *self.values.borrow_mut().entry(name).or_default() += value;
    }

    /// The values of the metrics whose names begin with `prefix`, by the rest of the name.
    fn of(&self, prefix: &str) -> Vec<(String, u64)> {
        let values = self.values.borrow();
        let found = values
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?, *value)));
        found.map(|(rest, value)| (rest.to_owned(), value)).collect()
    }
}

impl Registry for Fake {
    fn define(&self, kind: MetricKind, name: &str) -> Option<u32> {
        let mut names = self.names.borrow_mut();
        if let Some(id) = names.iter().position(|(_, known)| known == name) {
            return Some(id as u32);
        }
        names.push((kind, name.to_owned()));
        Some(names.len() as u32 - 1)
    }

    fn add(&self, id: u32, amount: u64) {
        assert_eq!(self.names.borrow()[id as usize].0, MetricKind::Counter);
        self.put(id, amount);
    }

    fn record(&self, id: u32, value: u64) {
        let (kind, name) = self.names.borrow()[id as usize].clone();
        match kind {
            MetricKind::Counter => panic!("{name} is a counter"),
            MetricKind::Gauge => drop(self.values.borrow_mut().insert(name, value)),
            MetricKind::Histogram => self.put(id, value),
        }
    }
}

fn config() -> Rc<ActiveConfig> {
    Rc::new(ActiveConfig::new(SETTINGS.as_bytes(), |_| Some("sk-secret".into())).unwrap())
}

const SETTINGS: &str = r#"{"master_key": "MASTER", "attempts": 2, "body_limit_bytes": 100, "models": [
        {"name": "a;b", "deployments": [{"id": "d", "model": "a:0", "region": "west", "cluster": "west",
         "authority": "west.test", "weight": 1, "credentials": {"bearer": {"api_key": "API"}},
         "rates": {"base": {"input": 3000000, "output": 15000000, "cache_read": 300000}}}]},
        {"name": "us.*", "deployments": [{"id": "w", "model": "us.*", "region": "east", "cluster": "east",
         "authority": "east.test", "weight": 1, "credentials": {"bearer": {"api_key": "API"}}}]}]}"#;

/// A request whose attempts returned `statuses`, the last of which reached the client.
fn request(config: &Rc<ActiveConfig>, path: &str, statuses: &[u16], body: &[u8]) -> Driver {
    let headers = [
        (":method", "POST"),
        (":path", path),
        ("authorization", "Bearer sk-secret"),
    ];
    let mut driver = Driver::request(config, &headers, b"", UnixTime::from_nanoseconds(SECOND));
    let Some(plan) = driver.plan.clone() else {
        return driver;
    };
    driver.stream.add_gateway_time(30_000);
    for (number, status) in (1..).zip(statuses) {
        let cluster = if path.contains("us.") { "east" } else { "west" };
        plan.request(number, cluster.as_bytes(), UnixTime::from_nanoseconds(SECOND))
            .unwrap();
        plan.add_signing_time(12_999);
        plan.record_response(number, AttemptResponse::of(*status), &UnixTime::default);
    }
    if let Some(status) = statuses.last().filter(|status| **status != 0) {
        let now = UnixTime::from_nanoseconds(2 * SECOND);
        driver.response(&[(":status", &status.to_string())], now);
        driver.body(body, true, || now);
    }
    driver
}

fn count(meters: &mut Meters, fake: &Fake, request: &Driver) {
    meters.count(&request.close(UnixTime::from_nanoseconds(5 * SECOND)), fake);
}

const USAGE: &[u8] = br#"{"output":{},"usage":{"inputTokens":100,"outputTokens":10,"totalTokens":1110,"cacheReadInputTokens":1000}}"#;
const LABELS_OF_REQUEST: &str =
    ";model_group=a%3Bb;deployment=d;region=west;operation=converse;status_class=2xx;key_alias=master_key";

#[test]
fn requests_with_the_same_labels_are_added_up() {
    let (config, fake, mut meters) = (config(), Fake::default(), Meters::default());
    for statuses in [&[429, 200][..], &[200]] {
        count(
            &mut meters,
            &fake,
            &request(&config, "/model/a;b/converse", statuses, USAGE),
        );
    }
    let one = |metric: &str| fake.of(&format!("{metric}{LABELS_OF_REQUEST}"));
    assert_eq!(one(names::REQUESTS), [(String::new(), 2)]);
    assert_eq!(one(names::COST), [(String::new(), 2 * 750_000_000)]);
    assert_eq!(one(names::DURATION), [(String::new(), 2 * 4000)]);
    let word = |word: &str, value| (format!(";gen_ai_token_type={word}"), value);
    assert_eq!(
        one(names::TOKENS),
        [word("cache_read", 2000), word("input", 2200), word("output", 20)]
    );
    let histogram = format!("{}{LABELS_OF_REQUEST}", names::TOKENS_PER_REQUEST);
    assert_eq!(fake.of(&histogram), [word("input", 2200), word("output", 20)]);
    let outcome = |word: &str, value| {
        (
            format!(";model_group=a%3Bb;deployment=d;region=west;outcome={word}"),
            value,
        )
    };
    assert_eq!(
        fake.of(names::ATTEMPTS),
        [outcome("2xx", 2), outcome("throttled", 1)]
    );
    assert_eq!(
        fake.of(names::OVERHEAD),
        [(";operation=converse".into(), 55 + 42)]
    );
    for metric in [
        names::FAILED,
        names::REFUSALS,
        names::UNREAD,
        names::COST_UNKNOWN,
        names::FIRST_TOKEN,
        names::PER_TOKEN,
    ] {
        assert_eq!(fake.of(metric), [], "{metric}");
    }
}

#[test]
fn attempts_are_counted_by_verdict_and_status() {
    let (config, fake, mut meters) = (config(), Fake::default(), Meters::default());
    for status in [400, 403, 404, 429, 503] {
        count(
            &mut meters,
            &fake,
            &request(&config, "/model/a;b/converse", &[status], b""),
        );
    }
    let outcome = |word: &str, value| {
        (
            format!(";model_group=a%3Bb;deployment=d;region=west;outcome={word}"),
            value,
        )
    };
    let expected =
        [("4xx", 1), ("5xx", 1), ("throttled", 1), ("unusable", 2)].map(|(word, value)| outcome(word, value));
    assert_eq!(fake.of(names::ATTEMPTS), expected);
}

/// A configuration in which `far` takes over from `near`, with cooldowns.
fn config_with_fallback() -> Rc<ActiveConfig> {
    let deployment = |id: &str, region: &str| {
        json!({
            "id": id, "model": "a:0", "region": region, "cluster": region, "authority": "test",
            "weight": 1, "credentials": { "bearer": { "api_key": "API" } },
        })
    };
    let settings = json!({
        "master_key": "MASTER", "attempts": 1, "body_limit_bytes": 100,
        "models": [
            {
                "name": "near", "deployments": [deployment("n", "west")],
                "routing": { "fallbacks": { "general": ["far"] } },
            },
            { "name": "far", "deployments": [deployment("f", "east")] },
        ],
    });
    let variable = |_: &str| Some("sk-secret".to_owned());
    let mut config = ActiveConfig::new(settings.to_string().as_bytes(), variable).unwrap();
    config.set_outlook(Rc::new(Outlook::in_memory()));
    Rc::new(config)
}

#[test]
fn cooldowns_and_fallbacks_are_counted() {
    let (config, fake, mut meters) = (config_with_fallback(), Fake::default(), Meters::default());
    let send = |attempts: &[(&str, u16)]| {
        let headers = [
            (":method", "POST"),
            (":path", "/model/near/converse"),
            ("authorization", "Bearer sk-secret"),
        ];
        let now = UnixTime::from_nanoseconds(SECOND);
        let mut driver = Driver::request(&config, &headers, b"", now);
        let plan = driver.plan.clone().unwrap();
        for (number, (cluster, status)) in (1..).zip(attempts) {
            plan.request(number, cluster.as_bytes(), now).unwrap();
            plan.record_response(number, AttemptResponse::of(*status), &|| now);
            plan.should_retry(number, &|| now);
        }
        let status = attempts.last().unwrap().1.to_string();
        driver.response(&[(":status", &status)], now);
        driver.body(b"{}", true, || now);
        driver
    };
    count(&mut meters, &fake, &send(&[("west", 200)]));
    assert_eq!(fake.of(names::COOLDOWNS), []);
    assert_eq!(fake.of(names::FALLBACKS), []);
    let throttled = send(&[("west", 429), ("east", 200)]);
    count(&mut meters, &fake, &throttled);
    assert_eq!(
        throttled.stream.cooldown_messages(),
        [
            "near in west (deployment n) cools down until 1970-01-01T00:00:06.000Z, because a response had status 429"
        ]
    );
    count(&mut meters, &fake, &send(&[("east", 400)]));
    assert_eq!(
        fake.of(names::COOLDOWNS),
        [(";model_group=near;deployment=n;region=west".into(), 1)]
    );
    let fallback = |status: &str| format!(";model_group=near;fallback=far;status_class={status}");
    assert_eq!(
        fake.of(names::FALLBACKS),
        [(fallback("2xx"), 1), (fallback("4xx"), 1)]
    );
    let known = |name: &str| {
        name.split(';')
            .skip(1)
            .all(|label| LABELS.contains(&label.split('=').next().unwrap()))
    };
    assert!(fake.names.borrow().iter().all(|(_, name)| known(name)));
}

#[test]
fn failures_are_counted_by_labels_from_fixed_sets() {
    let (config, fake, mut meters) = (config(), Fake::default(), Meters::default());
    for path in ["/model/us.one/converse-stream", "/model/us.two/converse-stream"] {
        count(&mut meters, &fake, &request(&config, path, &[0], b""));
        count(&mut meters, &fake, &request(&config, path, &[500], b""));
        count(&mut meters, &fake, &request(&config, path, &[], b""));
    }
    for path in ["/model/a/converse", "/model/b/converse"] {
        count(&mut meters, &fake, &request(&config, path, &[], b""));
    }
    let labels = |deployment: &str, region: &str, status: &str, rest: &str| {
        format!(
            ";model_group=us.*;deployment={deployment};region={region};operation=converse-stream;\
             status_class={status};key_alias=master_key{rest}"
        )
    };
    assert_eq!(
        fake.of(names::REQUESTS),
        [
            (labels("none", "none", "none", ""), 2),
            (labels("w", "east", "5xx", ""), 2),
            (labels("w", "east", "none", ""), 2),
        ]
    );
    assert_eq!(
        fake.of(names::FAILED),
        [
            (labels("none", "none", "none", ";error_class=Cut"), 2),
            (labels("w", "east", "5xx", ";error_class=other"), 2),
            (labels("w", "east", "none", ";error_class=Cut"), 2),
        ]
    );
    assert_eq!(
        fake.of(names::UNREAD),
        [(labels("w", "east", "none", ";reason=cut"), 2)]
    );
    assert_eq!(
        fake.of(names::COST_UNKNOWN),
        [(labels("w", "east", "none", ""), 2)]
    );
    assert_eq!(fake.of(names::REFUSALS), [(";reason=unknown_model".into(), 2)]);
}

#[test]
fn streams_report_the_time_to_the_first_token_and_between_tokens() {
    let (config, fake, mut meters) = (config(), Fake::default(), Meters::default());
    let delta: &[u8] = br#"{"delta":{"text":"x"}}"#;
    let metadata: &[u8] = br#"{"usage":{"inputTokens":1,"outputTokens":5,"totalTokens":6}}"#;
    let event = |name, payload| frame(&event_headers(name), payload);
    let stream = [event("contentBlockDelta", delta), event("metadata", metadata)].concat();
    count(
        &mut meters,
        &fake,
        &request(&config, "/model/a;b/converse-stream", &[200], &stream),
    );
    let value = |metric: &str| fake.of(&format!("{metric};"))[0].1;
    assert_eq!(value(names::FIRST_TOKEN), 1000);
    assert_eq!(value(names::PER_TOKEN), 3_000_000 / 4);
}

#[test]
fn every_deployment_is_described_once() {
    let fake = Fake::default();
    Meters::open(&config(), &Carried::default(), &fake);
    assert_eq!(
        fake.of(names::DEPLOYMENT),
        [
            (";model_group=a%3Bb;deployment=d;region=west;model=a:0".into(), 1),
            (";model_group=us.*;deployment=w;region=east;model=us.*".into(), 1),
        ]
    );
}

#[test]
fn a_deployment_that_is_no_longer_configured_is_described_with_zero() {
    let (fake, carried) = (Fake::default(), Carried::default());
    Meters::open(&config(), &carried, &fake);
    let fewer = r#"{"master_key": "MASTER", "attempts": 2, "body_limit_bytes": 100, "models": []}"#;
    let fewer = ActiveConfig::new(fewer.as_bytes(), |name| Some(name.to_owned())).unwrap();
    Meters::open(&fewer, &carried, &fake);
    let described = |value| {
        fake.of(names::DEPLOYMENT)
            .iter()
            .all(|(_, found)| *found == value)
    };
    assert!(described(0));
    Meters::open(&config(), &carried, &fake);
    assert!(described(1));
}

#[test]
fn reloads_are_reported_whenever_a_program_makes_them() {
    let fake = Fake::default();
    let report = |reload: Option<ReloadStatus>| {
        let config = ActiveConfig::new(SETTINGS.as_bytes(), |name| Some(name.to_owned())).unwrap();
        Meters::open(&ActiveConfig { reload, ..config }, &Carried::default(), &fake);
        fake.of("envoy_bedrock_config_")
            .into_iter()
            .map(|(_, value)| value)
            .collect::<Vec<_>>()
    };
    assert_eq!(report(None), [0; 0]);
    let status = ReloadStatus {
        loaded_at: 50,
        succeeded: 3,
        failed: 2,
        ..ReloadStatus::default()
    };
    assert_eq!(report(Some(status.clone())), [50, 1, 2, 3]);
    let failure = ReloadFailure {
        error: "config.yaml:1: …".into(),
        since: 60,
    };
    let status = ReloadStatus {
        failed: 3,
        failure: Some(failure),
        ..status
    };
    assert_eq!(report(Some(status)), [50, 0, 3, 3]);
}

#[test]
fn restarts_are_reported_if_a_program_runs_envoy() {
    let report = |restarts| {
        let fake = Fake::default();
        let config = ActiveConfig::new(SETTINGS.as_bytes(), |name| Some(name.to_owned())).unwrap();
        let reload = ReloadStatus {
            restarts,
            ..ReloadStatus::default()
        };
        let reload = Some(reload);
        Meters::open(&ActiveConfig { reload, ..config }, &Carried::default(), &fake);
        let reported = fake.of("envoy_bedrock_envoy_restarts");
        reported.into_iter().map(|(_, value)| value).collect::<Vec<_>>()
    };
    assert_eq!(report(None), [0; 0]);
    assert_eq!(report(Some(0)), [0]);
    assert_eq!(report(Some(2)), [2]);
}

#[test]
fn counters_of_successful_requests_exist_in_advance() {
    let fake = Fake::default();
    let mut meters = Meters::open(&config(), &Carried::default(), &fake);
    let announced = fake.names.borrow().len();
    // Two deployments, each with a gauge and requests, cost, input and output; counting tokens has
    // no cost.
    assert_eq!(announced, 2 * (1 + 4 * 4 + 1));
    let gauges = |(kind, _): &&(MetricKind, String)| *kind == MetricKind::Gauge;
    assert_eq!(fake.names.borrow().iter().filter(gauges).count(), 2);
    count(
        &mut meters,
        &fake,
        &request(&config(), "/model/a;b/converse", &[200], USAGE),
    );
    let made: Vec<_> = fake.names.borrow()[announced..].to_vec();
    let of_requests = |name: &str| made.iter().any(|(_, made)| made.starts_with(name));
    assert!(
        !of_requests(names::REQUESTS) && !of_requests(names::COST),
        "{made:?}"
    );
}

#[test]
fn every_label_in_a_name_is_extracted_by_the_rendered_configuration() {
    let (config, fake, mut meters) = (config(), Fake::default(), Meters::default());
    Meters::open(&config, &Carried::default(), &fake);
    for statuses in [&[][..], &[0], &[200], &[429, 500]] {
        count(
            &mut meters,
            &fake,
            &request(&config, "/model/a;b/converse", statuses, b"?"),
        );
    }
    for (_, name) in fake.names.borrow().iter() {
        let mut parts = name.split(';');
        let metric = parts.next().unwrap();
        assert!(
            metric
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{name}"
        );
        for label in parts {
            let label = label.split('=').next().unwrap();
            assert!(LABELS.contains(&label), "{label} of {name}");
        }
    }
}

#[test]
fn the_expiry_of_credentials_is_known_for_each_deployment_until_a_reload_removes_it() {
    let deployment = |id: &str, credential: &str| {
        format!(
            r#"{{"id": "{id}", "model": "a:0", "region": "west", "cluster": "west", "authority": "west.test",
                "weight": 1, "credentials": {credential}}}"#
        )
    };
    let brokered = r#"{"brokered": {"id": "1"}}"#;
    let config = |deployments: &[String]| {
        let deployments = deployments.join(",");
        let json = format!(
            r#"{{"master_key": "MASTER", "attempts": 1, "body_limit_bytes": 1, "broker": {{"cluster": "b"}},
                "models": [{{"name": "m", "deployments": [{deployments}]}}]}}"#
        );
        ActiveConfig::new(json.as_bytes(), |name| Some(name.to_owned())).unwrap()
    };
    let (fake, carried) = (Fake::default(), Carried::default());
    let expires = || fake.of(names::CREDENTIALS_EXPIRE);
    let series = |id: &str| format!(";model_group=m;deployment={id};region=west");

    let api_key = r#"{"bearer": {"api_key": "K"}}"#;
    let both = config(&[
        deployment("d", brokered),
        deployment("e", brokered),
        deployment("f", api_key),
    ]);
    Meters::open(&both, &carried, &fake);
    assert_eq!(expires(), [(series("d"), 0), (series("e"), 0)]);

    let slot = &both.brokered.as_ref().unwrap().slots[0];
    let answer = br#"{"AccessKeyId": "AKIA0000000000000001", "SecretAccessKey": "s",
        "Expiration": "2030-01-01T00:00:00Z"}"#;
    let _news = slot.finish_call(200, answer, UnixTime::from_seconds(1_795_357_174));
    report_expiry(&both.models, slot, &fake);
    assert_eq!(
        expires(),
        [(series("d"), 1_893_456_000), (series("e"), 1_893_456_000)]
    );

    let one = config(&[deployment("d", api_key), deployment("e", brokered)]);
    Meters::open(&one, &carried, &fake);
    assert_eq!(expires(), [(series("d"), 0), (series("e"), 0)], "its slot is new");
}
