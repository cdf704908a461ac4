use std::time::Duration;

use envoy_bedrock::pricing::PicoUsd;
use envoy_bedrock::time::UnixTime;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::connection::{Connection, CountsSample};
use super::counts::{self, Sums};
use super::health;
use super::report::StatusReport;
use super::text;

/// The deployments `west` and `east` of `cl;ude`; `old` is no longer configured.
const STATISTICS: &str = "\
wasmcustom.envoy_bedrock_deployment_info;model_group=cl%3Bude;deployment=west;region=us-west-2;model=a.b-v1:0: 1
wasmcustom.envoy_bedrock_deployment_info;model_group=cl%3Bude;deployment=east;region=us-east-1;model=a.b-v1:0: 1
wasmcustom.envoy_bedrock_deployment_info;model_group=cl%3Bude;deployment=old;region=us-east-2;model=a.b-v1:0: 0
wasmcustom.envoy_bedrock_attempts_total;model_group=cl%3Bude;deployment=west;region=us-west-2;outcome=2xx: 10
wasmcustom.envoy_bedrock_attempts_total;model_group=cl%3Bude;deployment=west;region=us-west-2;outcome=throttled: 2
wasmcustom.envoy_bedrock_attempts_total;model_group=cl%3Bude;deployment=west;region=us-west-2;outcome=4xx: 1
wasmcustom.envoy_bedrock_attempts_total;model_group=cl%3Bude;deployment=old;region=us-east-2;outcome=2xx: 99
wasmcustom.envoy_bedrock_cooldowns_total;model_group=cl%3Bude;deployment=west;region=us-west-2: 2
wasmcustom.gen_ai_client_token_usage_total;model_group=cl%3Bude;deployment=west;gen_ai_token_type=input: 100
wasmcustom.gen_ai_client_token_usage_total;model_group=cl%3Bude;deployment=west;gen_ai_token_type=output: 20
wasmcustom.gen_ai_client_token_usage_total;model_group=cl%3Bude;deployment=west;gen_ai_token_type=cache_read: 90
wasmcustom.gen_ai_client_cost_pico_usd_total;model_group=cl%3Bude;deployment=west;key_alias=a: 1500000000000
wasmcustom.gen_ai_client_cost_pico_usd_total;model_group=cl%3Bude;deployment=west;key_alias=b: 500000000000
no statistic
";
const HEALTH: &str = r#"{
    "healthy_endpoints": [{"model_group": "cl;ude", "model_id": "east", "state": "probe_due", "cooldown_until": null,
        "last_status": 503, "in_flight": null, "more": 1}],
    "unhealthy_endpoints": [{"model_group": "cl;ude", "model_id": "west", "state": "cooling", "in_flight": 3,
        "cooldown_until": "2026-11-22T14:19:39.000Z", "last_status": 429}],
    "healthy_count": 1, "unhealthy_count": 1}"#;
const NOW: UnixTime = UnixTime::from_seconds(1_795_357_174);

fn sample(statistics: &str, at: Instant) -> CountsSample {
    CountsSample {
        at,
        deployments: counts::parse(statistics),
    }
}

/// The report two seconds after `before`.
fn report(before: &str, states: Result<health::States, String>) -> StatusReport {
    let at = Instant::now();
    let later = at + Duration::from_secs(2);
    StatusReport::new(&sample(before, at), &sample(STATISTICS, later), states)
}

#[test]
fn the_statistics_of_the_native_module_say_the_same() {
    let dotted = STATISTICS.replace([';', '='], ".");
    assert!(!dotted.contains(';'));
    assert_eq!(counts::parse(&dotted), counts::parse(STATISTICS));
}

#[test]
fn the_series_of_a_configured_deployment_are_added_up() {
    let found = counts::parse(STATISTICS);
    let names: Vec<_> = found
        .keys()
        .map(|(group, id)| (group.as_str(), id.as_str()))
        .collect();
    assert_eq!(names, [("cl;ude", "east"), ("cl;ude", "west")]);
    let west = &found[&("cl;ude".to_owned(), "west".to_owned())];
    assert_eq!(
        (west.region.as_str(), west.model.as_str()),
        ("us-west-2", "a.b-v1:0")
    );
    let expected = Sums {
        requests: 13,
        errors: 3,
        cooldowns: 2,
        tokens: 120,
        spend: PicoUsd::new(2_000_000_000_000),
    };
    assert_eq!(west.sums, expected);
}

#[test]
fn the_table_has_a_line_for_each_deployment_and_the_total() {
    let before = STATISTICS.replace("2xx: 10", "2xx: 3");
    let report = report(&before, Ok(health::parse(HEALTH).unwrap()));
    let lines = text::table(&report, None, NOW);
    let cells: Vec<Vec<&str>> = lines
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let east = "cl;ude east us-east-1 probe due - 0.0 0 0 0 0 0.0000";
    let west = "cl;ude west us-west-2 cooling 5 s (429) 3 3.5 13 3 2 120 2.0000";
    let total = "TOTAL 3.5 13 3 2 120 2.0000";
    let found: Vec<String> = cells.iter().skip(1).map(|cells| cells.join(" ")).collect();
    assert_eq!(found, [east, west, total]);
}

#[test]
fn without_states_the_table_says_why() {
    let report = report(STATISTICS, Err("no key".to_owned()));
    let table = text::table(&report, Some(200), NOW);
    assert!(table.contains("us-west-2  -  "), "{table}");
    assert!(
        table.ends_with("\nnote: the state of the deployments is not known: no key\n"),
        "{table}"
    );
}

#[test]
fn counters_that_begin_anew_do_not_make_the_rate_negative() {
    let before = STATISTICS.replace("2xx: 10", "2xx: 900");
    let report = report(&before, Err(String::new()));
    assert_eq!(report.total.requests_per_second.to_string(), "6.5");
}

#[test]
fn the_json_has_the_same() {
    let report = report(STATISTICS, Ok(health::parse(HEALTH).unwrap()));
    let body: Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!(
        body["deployments"][1],
        json!({
            "model_group": "cl;ude", "model_id": "west", "region": "us-west-2", "model": "a.b-v1:0",
            "state": "cooling", "cooldown_until": "2026-11-22T14:19:39.000Z", "last_status": 429, "in_flight": 3,
            "requests_per_second": 0.0, "requests": 13, "errors": 3, "cooldowns": 2, "tokens": 120, "spend": 2,
        })
    );
    assert_eq!(body["total"]["requests"], 13);
    assert_eq!(body["note"], Value::Null);
}

#[tokio::test]
async fn errors_say_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    let error = async |url: Option<&str>| {
        let found = Connection::find(url, folder.path()).await;
        match found {
            Ok(connection) => connection.sample().await.err().unwrap().to_string(),
            Err(error) => error.to_string(),
        }
    };
    let never = error(None).await;
    assert!(never.starts_with("no gateway was started with this state directory: there is no "));
    assert!(
        error(Some("127.0.0.1:9901"))
            .await
            .contains("expected one like http://127.0.0.1:9901")
    );
    assert!(error(Some("https://127.0.0.1")).await.contains("expected http"));
    // Nothing listens on a port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    std::fs::write(folder.path().join("admin-url"), format!("{url}\n")).unwrap();
    assert!(
        error(None)
            .await
            .starts_with(&format!("no gateway is running at {url}: "))
    );
}
