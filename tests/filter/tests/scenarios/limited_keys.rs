//! A virtual key with limits: whatever host call fails, no request passes its limits, and what a
//! request held is returned.

use envoy_bedrock::contract::names::ROOT_GATEWAY;
use filter_tests::{
    ClientResponse, FaultPlan, HostFault, HttpExchange, Reach, RequestOutcome, StartError, Status,
    UpstreamResponse, sweep,
};
use serde_json::{Value, json};

use crate::fixtures::settings;
use crate::scene::{Scene, bare, refusal, route};

const KEY: &str = "sk-virtual-77aa";
const TOKEN: &str = "c5630420b3096a19a0221a90f308ce12c3b82860f5d02be414dbad73f70f552b";
const PARALLEL: usize = 2;
const USAGE: &str = r#"{"usage": {"inputTokens": 1000, "outputTokens": 1000, "totalTokens": 2000}}"#;
/// What a response with this usage costs, in USD.
const COST: f64 = 0.018;

fn limited(requests: usize) -> Value {
    let mut settings = settings();
    settings["models"][0]["deployments"][0]["rates"] =
        json!({"base": {"input": 3_000_000, "output": 15_000_000}});
    settings["keys"] = json!([{
        "token": {"sha256": TOKEN},
        "limits": {
            "rpm_limit": requests, "tpm_limit": 1_000_000, "max_parallel_requests": PARALLEL,
            "budget": {"max_budget": "1000"},
        },
    }]);
    settings
}

fn send(scene: &Scene) -> HttpExchange {
    let authorization = format!("Bearer {KEY}");
    let mut headers = bare("POST", "/model/one/converse");
    headers.push(("authorization", &authorization));
    scene.request(headers).body(["{}"]).send().unwrap()
}

fn is_forwarded(exchange: &HttpExchange) -> bool {
    matches!(exchange.outcome(), RequestOutcome::Forwarded(_))
}

fn serve(exchange: HttpExchange) -> ClientResponse {
    let headers = [("content-type", "application/json")];
    route(exchange, |_, _| UpstreamResponse::new(200, &headers, USAGE)).unwrap()
}

/// A request that succeeds. Returns what the key has spent, with it.
fn spend(scene: &Scene) -> f64 {
    let response = serve(send(scene));
    let headers = response.message.headers.unwrap();
    headers.text("x-litellm-key-spend").unwrap().parse().unwrap()
}

fn tick(scene: &Scene) {
    scene.host_mut().now_nanoseconds += 1_000_000_000;
    scene.tick(ROOT_GATEWAY).unwrap();
}

/// Exactly the limit runs at once.
fn assert_nothing_is_held(scene: &Scene) {
    let open: Vec<_> = (0..PARALLEL).map(|_| send(scene)).collect();
    assert!(open.iter().all(is_forwarded));
    let refused = send(scene);
    let reply = refusal(&refused);
    assert_eq!(
        (reply.status, reply.headers.text("rate_limit_type")),
        (429, Some("max_parallel_requests"))
    );
    refused.finish().unwrap();
    open.into_iter().for_each(|exchange| drop(serve(exchange)));
}

/// Whether Envoy says that there is no value. It forgets none, so it never says that of a tally.
fn is_oblivion((function, fault): &(String, HostFault)) -> bool {
    let empty = [HostFault::Status(Status::NotFound), HostFault::Bytes(Vec::new())];
    function == "proxy_get_shared_data" && empty.contains(fault)
}

/// Runs `act` on a VM with the limits, once for each host call, which fails; then `check`.
fn whatever_call_fails(settings: &Value, act: impl Fn(&Scene) -> usize, check: impl Fn(&Scene, usize, &str)) {
    let runs = sweep(Reach::Envoy, |plan: FaultPlan| {
        let scene = match Scene::start(settings, plan.clone()) {
            Ok(scene) => scene,
            Err(StartError::Refused { .. }) => return,
            Err(other) => panic!("{other:?}"),
        };
        let done = act(&scene);
        if !plan.fired().is_empty() && !plan.fired().iter().any(is_oblivion) {
            tick(&scene);
            tick(&scene);
            check(&scene, done, &plan.fired()[0].0);
        }
    });
    assert!(runs >= 40, "{runs}");
}

/// Sends a request. Returns how many have been served.
fn one(scene: &Scene) -> usize {
    let exchange = send(scene);
    let is_forwarded = is_forwarded(&exchange);
    if is_forwarded {
        serve(exchange);
    } else {
        exchange.finish().unwrap();
    }
    usize::from(is_forwarded)
}

#[test]
fn whatever_call_fails_a_reservation_is_returned_and_a_cost_is_not_lost() {
    whatever_call_fails(&limited(100), one, |scene, served, failed| {
        let spent = spend(scene);
        // Other failed calls may hide whether there was an attempt that Bedrock bills.
        let is_counted = served == 1 && failed.ends_with("_shared_data");
        let expected = if is_counted { 2.0 * COST } else { COST };
        assert!(spent > expected - 1e-9, "{spent} USD");
        assert_nothing_is_held(scene);
    });
}

#[test]
fn whatever_call_fails_no_request_passes_the_limit() {
    const LIMIT: usize = 3;
    whatever_call_fails(
        &limited(LIMIT),
        |scene| (0..LIMIT).map(|_| one(scene)).sum(),
        |scene, served, _| {
            let served = served + (0..LIMIT).map(|_| one(scene)).sum::<usize>();
            assert!(served <= LIMIT, "{served} of {LIMIT}");
        },
    );
}
