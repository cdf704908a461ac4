//! Credentials of the broker: the calls that get them, the requests that wait for them, and their
//! end.

use envoy_bedrock::contract::names::ROOT_GATEWAY;
use envoy_bedrock::time::UnixTime;
use filter_tests::{
    FaultPlan, HeaderMap, HttpExchange, Reach, RequestOutcome, StartError, Trap, UpstreamResponse, sweep,
};
use serde_json::{Value, json};

use crate::fixtures::{
    API_KEY, EAST, SESSION_TOKEN, START_SECONDS, TEMPORARY_ACCESS_KEY_ID, TEMPORARY_SECRET_ACCESS_KEY,
    TestCredentials, TestDeployment, WEST, model, settings_of,
};
use crate::oracle::assert_signed;
use crate::scene::{Scene, forwarded, refusal, route};

const ROLE: TestDeployment = TestDeployment {
    credentials: TestCredentials::Brokered,
    ..WEST
};
const MINTED: TestDeployment = TestDeployment {
    credentials: TestCredentials::BrokeredApiKey,
    ..WEST
};
const KEYS_PATH: &str = "/credentials/1";
const BEARER_PATH: &str = "/bearer/1/us-west-2";
const BODY: &str = "{\"a\":1}";
const LIFE_SECONDS: u64 = 3600;

fn settings() -> Value {
    let mut settings = settings_of(vec![
        model("one", &[(WEST, 1, 0)]),
        model("role", &[(ROLE, 1, 0)]),
        model("role-or-keys", &[(ROLE, 1, 0), (EAST, 1, 1)]),
        model("minted", &[(MINTED, 1, 0)]),
    ]);
    settings["broker"] = json!({"cluster": "broker"});
    settings
}

/// The gateway after its first tick.
fn asking() -> Scene {
    let scene = Scene::with(&settings());
    scene.tick(ROOT_GATEWAY).unwrap();
    scene
}

/// The gateway with credentials that live an hour.
fn supplied() -> Scene {
    let scene = asking();
    answer_keys(&scene, LIFE_SECONDS).unwrap();
    scene
}

fn expiration(seconds: u64) -> String {
    UnixTime::from_seconds(seconds).rfc3339().as_str().to_owned()
}

fn keys(life_seconds: u64) -> Vec<u8> {
    json!({
        "AccessKeyId": TEMPORARY_ACCESS_KEY_ID, "SecretAccessKey": TEMPORARY_SECRET_ACCESS_KEY,
        "Token": SESSION_TOKEN, "Expiration": expiration(START_SECONDS + life_seconds),
    })
    .to_string()
    .into_bytes()
}

/// Answers the call for this path.
fn answer(scene: &Scene, path: &str, status: u16, body: &[u8]) -> Result<(), Trap> {
    let asked = asked(scene);
    let token = asked.iter().find(|(asked, _)| asked == path);
    let token = token.unwrap_or_else(|| panic!("no call for {path}: {asked:?}")).1;
    scene.answer(token, HeaderMap::new([(":status", status.to_string())]), body)
}

fn answer_keys(scene: &Scene, life_seconds: u64) -> Result<(), Trap> {
    answer(scene, KEYS_PATH, 200, &keys(life_seconds))
}

/// The paths and tokens of the calls that have no answer.
fn asked(scene: &Scene) -> Vec<(String, u32)> {
    let host = scene.host();
    let path = |headers: &HeaderMap| headers.text(":path").unwrap().to_owned();
    let callouts = host.callouts.iter();
    callouts.map(|call| (path(&call.headers), call.token)).collect()
}

fn send(scene: &Scene, model: &str) -> HttpExchange {
    let request = scene.post(&format!("/model/{model}/converse"));
    request.body(["{\"a\"", ":1}"]).send().unwrap()
}

fn is_waiting(exchange: &HttpExchange) -> bool {
    matches!(exchange.outcome(), RequestOutcome::Waiting)
}

/// Asserts that a request goes to `deployment`, authenticated with its credentials.
fn assert_served(scene: &Scene, exchange: HttpExchange, deployment: &TestDeployment) {
    let now = scene.now_seconds();
    let response = route(exchange, |_, sent| {
        assert_signed(sent, deployment, "converse", BODY.as_bytes(), now);
        UpstreamResponse::new(200, &[], "{}")
    });
    assert_eq!(response.unwrap().status(), 200);
}

#[test]
fn the_broker_is_asked_on_the_first_tick_and_once() {
    let scene = Scene::with(&settings());
    assert!(asked(&scene).is_empty(), "nothing answers while Envoy starts");
    for _ in 0..3 {
        scene.tick(ROOT_GATEWAY).unwrap();
        let paths: Vec<_> = asked(&scene).into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, [KEYS_PATH, BEARER_PATH]);
    }
    let host = scene.host();
    let call = host.callouts.first().unwrap();
    assert_eq!(
        (call.cluster.as_str(), call.timeout_milliseconds),
        ("broker", 5000)
    );
    assert_eq!(call.headers.text(":method"), Some("GET"));
}

#[test]
fn requests_are_signed_with_what_the_broker_has_issued() {
    let scene = supplied();
    assert_served(&scene, send(&scene, "role"), &ROLE);
    scene.assert_healthy();
    assert!(!asked(&scene).iter().any(|(path, _)| path == KEYS_PATH));
}

#[test]
fn a_request_waits_for_the_first_credentials_and_then_goes_on_unchanged() {
    let scene = asking();
    let mut exchange = send(&scene, "role");
    assert!(is_waiting(&exchange));
    scene.tick(ROOT_GATEWAY).unwrap();
    exchange.poll().unwrap();
    assert!(is_waiting(&exchange));
    answer_keys(&scene, LIFE_SECONDS).unwrap();
    exchange.poll().unwrap();
    assert_served(&scene, exchange, &ROLE);
}

#[test]
fn a_deployment_without_credentials_is_passed_over_at_once() {
    let scene = asking();
    assert_served(&scene, send(&scene, "role-or-keys"), &EAST);
}

#[test]
fn a_request_that_waits_in_vain_is_refused_after_five_seconds() {
    let scene = asking();
    let mut exchange = send(&scene, "role");
    for (seconds, waits) in [(4, true), (5, false)] {
        scene.set_seconds(START_SECONDS + seconds);
        scene.tick(ROOT_GATEWAY).unwrap();
        exchange.poll().unwrap();
        assert_eq!(is_waiting(&exchange), waits);
    }
    let reply = refusal(&exchange);
    assert_eq!(
        (reply.status, reply.headers.text("retry-after")),
        (503, Some("1"))
    );
    exchange.finish().unwrap();
}

#[test]
fn a_client_may_leave_while_its_request_waits() {
    let scene = asking();
    send(&scene, "role").finish().unwrap();
    answer_keys(&scene, LIFE_SECONDS).unwrap();
    scene.tick(ROOT_GATEWAY).unwrap();
    assert_served(&scene, send(&scene, "role"), &ROLE);
}

#[test]
fn after_a_conclusive_failure_nothing_waits_and_the_log_has_the_cause() {
    let failure = |code: &str| json!({"code": code, "message": "ask the administrator"}).to_string();
    for (status, body, told) in [
        (
            403,
            failure("AccessDenied"),
            "AccessDenied: ask the administrator",
        ),
        (404, failure("NotFound"), "NotFound: ask the administrator"),
        (200, "{\"AccessKeyId\": \"AKIA".to_owned(), "Malformed"),
        (200, "nonsense".to_owned(), "Malformed"),
        (200, "x".repeat(1 << 20), "Malformed"),
        (200, String::from_utf8(keys(0)).unwrap(), "expired"),
    ] {
        let scene = asking();
        answer(&scene, KEYS_PATH, status, body.as_bytes()).unwrap();
        let exchange = send(&scene, "role");
        assert_eq!(refusal(&exchange).status, 503, "{told}");
        exchange.finish().unwrap();
        let log = scene.host().log_text();
        assert!(log.contains(told) && log.contains("role in us-west-2"), "{log}");
        scene.assert_healthy();
        // It is tried again, and then there are credentials.
        scene.set_seconds(START_SECONDS + 1);
        scene.tick(ROOT_GATEWAY).unwrap();
        answer_keys(&scene, LIFE_SECONDS).unwrap();
        assert_served(&scene, send(&scene, "role"), &ROLE);
    }
}

#[test]
fn a_broker_that_cannot_be_reached_is_asked_again_while_requests_wait() {
    let scene = asking();
    let token = asked(&scene).first().unwrap().1;
    scene.answer(token, HeaderMap::default(), b"").unwrap();
    let mut exchange = send(&scene, "role");
    assert!(is_waiting(&exchange));
    scene.set_seconds(START_SECONDS + 1);
    scene.tick(ROOT_GATEWAY).unwrap();
    answer_keys(&scene, LIFE_SECONDS).unwrap();
    exchange.poll().unwrap();
    assert_served(&scene, exchange, &ROLE);
}

#[test]
fn a_credential_is_renewed_before_it_expires_and_never_used_after_it() {
    let scene = supplied();
    scene.set_seconds(START_SECONDS + LIFE_SECONDS - 600);
    scene.tick(ROOT_GATEWAY).unwrap();
    assert!(asked(&scene).iter().any(|(path, _)| path == KEYS_PATH));
    scene.set_seconds(START_SECONDS + LIFE_SECONDS - 1);
    assert_served(&scene, send(&scene, "role"), &ROLE);
    scene.set_seconds(START_SECONDS + LIFE_SECONDS);
    let exchange = send(&scene, "role");
    assert_eq!(refusal(&exchange).status, 503);
    exchange.finish().unwrap();
    answer_keys(&scene, 2 * LIFE_SECONDS).unwrap();
    assert_served(&scene, send(&scene, "role"), &ROLE);
}

#[test]
fn a_credential_that_expires_between_two_attempts_is_not_used() {
    let scene = supplied();
    scene.set_seconds(START_SECONDS + LIFE_SECONDS - 1);
    let mut exchange = send(&scene, "role");
    exchange.attempt(1, ROLE.cluster).unwrap();
    scene.set_seconds(START_SECONDS + LIFE_SECONDS);
    let judged = exchange
        .judge(HeaderMap::new([(":status", "503")]), false)
        .unwrap();
    assert_eq!(judged.first("x-eb-retry"), None, "there is nothing to retry with");
    exchange.finish().unwrap();
}

#[test]
fn a_credential_that_bedrock_refuses_is_replaced_at_once() {
    let scene = supplied();
    let refused = [("x-amzn-errortype", "ExpiredTokenException")];
    let response = route(send(&scene, "role-or-keys"), |number, _| match number {
        1 => UpstreamResponse::new(403, &refused, "{}"),
        _ => UpstreamResponse::new(200, &[], "{}"),
    });
    let response = response.unwrap();
    assert_eq!((response.status(), response.attempts.len()), (200, 2));
    scene.tick(ROOT_GATEWAY).unwrap();
    let path = format!("{KEYS_PATH}?rejected={TEMPORARY_ACCESS_KEY_ID}");
    answer(&scene, &path, 200, &keys(2 * LIFE_SECONDS)).unwrap();
    assert_served(&scene, send(&scene, "role"), &ROLE);
}

#[test]
fn a_reload_keeps_the_credentials_and_asks_again_for_what_it_was_waiting_for() {
    let scene = supplied();
    let waiting = asked(&scene);
    assert_eq!(waiting.first().unwrap().0, BEARER_PATH);
    scene.reload(ROOT_GATEWAY, &settings().to_string()).unwrap();
    assert!(asked(&scene).is_empty(), "Envoy has cancelled the calls");
    assert_served(&scene, send(&scene, "role"), &ROLE);
    scene.tick(ROOT_GATEWAY).unwrap();
    let paths: Vec<_> = asked(&scene).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, [BEARER_PATH]);
}

#[test]
fn a_request_that_waits_across_a_reload_is_served() {
    let scene = asking();
    let mut exchange = send(&scene, "role");
    scene.reload(ROOT_GATEWAY, &settings().to_string()).unwrap();
    scene.tick(ROOT_GATEWAY).unwrap();
    answer_keys(&scene, LIFE_SECONDS).unwrap();
    exchange.poll().unwrap();
    assert_served(&scene, exchange, &ROLE);
}

#[test]
fn a_minted_api_key_streams_the_body() {
    let scene = asking();
    let minted = json!({"Token": API_KEY, "Expiration": expiration(START_SECONDS + LIFE_SECONDS)});
    answer(&scene, BEARER_PATH, 200, minted.to_string().as_bytes()).unwrap();
    let length = BODY.len().to_string();
    let request = scene.post_with("/model/minted/converse", &[("content-length", &length)]);
    let mut exchange = request.unfinished().send().unwrap();
    assert!(
        forwarded(&exchange).chunks.is_empty(),
        "its headers are on their way"
    );
    exchange.request_chunk(BODY.as_bytes(), true).unwrap();
    assert_served(&scene, exchange, &MINTED);
    let host = scene.host();
    let reads = |call: &&filter_tests::HostCall| {
        call.function == "proxy_get_buffer_bytes" && call.arguments.first().is_some_and(|kind| kind == "0")
    };
    assert_eq!(host.journal.iter().filter(reads).count(), 0, "the body was read");
}

/// One request that waits for the broker's answers and then goes upstream.
fn whole(scene: &Scene) -> Result<(), Trap> {
    scene.tick(ROOT_GATEWAY)?;
    let mut exchange = send(scene, "role");
    for (path, token) in asked(scene) {
        let body = match path.as_str() {
            KEYS_PATH => keys(LIFE_SECONDS),
            _ => b"{}".to_vec(),
        };
        scene.answer(token, HeaderMap::new([(":status", "200")]), &body)?;
        exchange.poll()?;
    }
    if let RequestOutcome::Forwarded(message) = exchange.outcome()
        && message
            .headers
            .is_some_and(|headers| headers.first("x-eb-route").is_some())
    {
        let sent = exchange.attempt(1, ROLE.cluster)?;
        if sent.headers.is_some() {
            assert_signed(&sent, &ROLE, "converse", BODY.as_bytes(), scene.now_seconds());
        }
    }
    exchange.finish()?;
    Ok(())
}

#[test]
fn whichever_host_call_fails_nothing_unsigned_goes_upstream_and_credentials_arrive_in_the_end() {
    for (reach, runs_min) in [(Reach::Envoy, 40), (Reach::Hostile, 100)] {
        let runs = sweep(reach, |plan: FaultPlan| {
            let settings = settings();
            let scene = match Scene::start(&settings, plan.clone()) {
                Ok(scene) => scene,
                Err(StartError::Refused { .. }) => return,
                Err(other) => panic!("{other:?}"),
            };
            whole(&scene).unwrap();
            if plan.fired().is_empty() {
                // The sweep is over.
                return;
            }
            // Also if the answer to the first call was lost.
            scene.set_seconds(START_SECONDS + 6);
            whole(&scene).unwrap();
            assert_served(&scene, send(&scene, "role"), &ROLE);
            scene.assert_healthy();
            assert_eq!(scene.host().streams(), 0);
        });
        assert!(runs >= runs_min, "{runs}");
    }
}
