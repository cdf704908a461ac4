use std::rc::Rc;

use super::*;
use crate::admission::path;
use crate::contract::operation::Operation;
use crate::headers::Headers;
use crate::random::Random;
use crate::routing::active_config::ActiveConfig;
use crate::routing::outcome::AttemptResponse;
use crate::stream::request::Request;

const WEST: &str = "west";
const EAST: &str = "east";

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_seconds(1_795_357_174 + seconds)
}

/// A configuration of model groups: (name, regions in their order, fallbacks).
fn config(groups: &[(&str, &[&str], &[&str])]) -> Rc<ActiveConfig> {
    configured(groups, 3, serde_json::json!({}))
}

fn configured(
    groups: &[(&str, &[&str], &[&str])],
    attempts: u32,
    routing: serde_json::Value,
) -> Rc<ActiveConfig> {
    let models = groups.iter().map(|(name, regions, fallbacks)| {
        let deployments = regions.iter().enumerate().map(|(order, region)| {
            serde_json::json!({
                "id": format!("{name}-{region}"), "model": format!("{name}:0"), "region": region, "cluster": region,
                "authority": "x.test", "weight": 1, "order": order, "credentials": { "bearer": { "api_key": "A" } },
            })
        });
        serde_json::json!({
            "name": name, "deployments": deployments.collect::<Vec<_>>(), "routing": { "fallbacks": { "general": fallbacks } },
        })
    });
    let settings = serde_json::json!({
        "master_key": "K", "attempts": attempts, "body_limit_bytes": 1, "models": models.collect::<Vec<_>>(),
        "routing": routing,
    });
    let mut config =
        ActiveConfig::new(settings.to_string().as_bytes(), |name| Some(name.to_owned())).unwrap();
    config.set_outlook(Rc::new(Outlook::in_memory()));
    Rc::new(config)
}

/// The plan of a request to the model group `m`.
fn plan(config: &Rc<ActiveConfig>, now: UnixTime) -> Plan {
    plan_with(config, &[], now)
}

fn plan_with(config: &Rc<ActiveConfig>, headers: &[(&[u8], &[u8])], now: UnixTime) -> Plan {
    let target = path::parse(b"/model/m/converse").unwrap();
    let request = Request::begin(Rc::clone(config), target, config.keys.master(), Headers(headers)).unwrap();
    let (request, _) = request.complete().unwrap();
    let dispatch = request.dispatch(String::new(), &mut Random::new(1), now);
    dispatch.unwrap().plan
}

/// Makes attempt `number` of a plan and answers it. Returns whether another one follows.
fn answer(plan: &Plan, number: u64, status: u16, now: UnixTime) -> bool {
    let cluster = plan.cluster(number).unwrap().to_owned();
    plan.request(number, cluster.as_bytes(), now).unwrap();
    plan.record_response(number, AttemptResponse::of(status), &|| now);
    plan.should_retry(number, &|| now)
}

fn cools(config: &ActiveConfig, plan: &Plan, group: usize, deployment: usize, now: UnixTime) -> bool {
    let key = plan.key(AttemptTarget { group, deployment }).unwrap();
    let view = config.outlook().unwrap().cooldowns.view();
    matches!(view.state(key, now), TargetState::Cooling { .. })
}

#[test]
fn a_ready_fallback_comes_before_deployments_that_cool_down() {
    let config = config(&[("m", &[WEST], &["n"]), ("n", &[EAST], &[])]);
    let first = plan(&config, at(0));
    assert!(answer(&first, 1, 429, at(0)));
    assert_eq!(first.cluster(2), Some(EAST));

    let second = plan(&config, at(1));
    assert_eq!(second.cluster(1), Some(EAST), "west cools down");
    assert_eq!(
        second.cluster(2),
        Some(EAST),
        "and has no attempt while east may serve"
    );
    assert!(answer(&second, 1, 429, at(1)));
    assert_eq!(plan(&config, at(2)).cluster(1), Some(WEST), "both cool down");
}

#[test]
fn a_probe_that_cannot_connect_has_failed() {
    let config = config(&[("m", &[WEST, EAST], &[])]);
    let cooled = plan(&config, at(0));
    assert!(answer(&cooled, 1, 429, at(0)), "west");
    assert!(answer(&cooled, 2, 429, at(0)), "east");

    // Both cooldowns are over. The request probes west, then east, where nothing answers.
    let probing = plan(&config, at(6));
    assert_eq!(probing.cluster(1), Some(WEST));
    assert!(answer(&probing, 1, 503, at(6)));
    assert_eq!(probing.cluster(2), Some(EAST));
    assert!(probing.expects_attempt());
    let east_cools = |seconds: u64| cools(&config, &probing, 0, 1, at(seconds));
    assert!(east_cools(16), "until the probe has an answer");
    probing.record_silence(FailureClass::InternalServer, at(6));
    assert!(east_cools(10) && !east_cools(16), "for another cooldown");
}

#[test]
fn without_a_budget_envoy_repeats_no_connection() {
    let config = config(&[("m", &[WEST, EAST], &[])]);
    let planned = |now: UnixTime| plan(&config, now).targets.borrow().len();
    assert_eq!(planned(at(0)), 3, "the third is a repetition");
    let budget = &config.outlook().unwrap().budget;
    while budget.withdraw(at(0)) {}
    assert_eq!(planned(at(0)), 2);
    assert_eq!(planned(at(1)), 3);
}

#[test]
fn connections_that_fail_use_up_the_budget() {
    let config = config(&[("m", &[WEST, EAST], &[])]);
    let mut attempts = 0;
    for _ in 0..1000 {
        let failed = plan(&config, at(0));
        attempts += failed.targets.borrow().len();
        failed.record_silence(FailureClass::InternalServer, at(0));
    }
    assert!((1000..1500).contains(&attempts), "{attempts} of 3000");
}

/// Cools west down, then lets a request probe it.
fn probing(config: &Rc<ActiveConfig>) -> Plan {
    assert!(answer(&plan(config, at(0)), 1, 429, at(0)));
    let probing = plan(config, at(6));
    assert_eq!(probing.cluster(1), Some(WEST));
    assert_eq!(plan(config, at(7)).cluster(1), Some(EAST), "one probe at a time");
    probing
}

#[test]
fn a_probe_whose_request_is_refused_has_an_answer() {
    let config = config(&[("m", &[WEST, EAST], &[])]);
    assert!(!answer(&probing(&config), 1, 400, at(7)));
    assert_eq!(plan(&config, at(7)).cluster(1), Some(WEST));
}

#[test]
fn a_probe_whose_client_leaves_is_for_another_request() {
    let config = config(&[("m", &[WEST, EAST], &[])]);
    let left = probing(&config);
    left.request(1, WEST.as_bytes(), at(6)).unwrap();
    left.finish(Amount::default, || at(7));
    assert_eq!(plan(&config, at(7)).cluster(1), Some(WEST));
    assert_eq!(
        plan(&config, at(7)).cluster(1),
        Some(EAST),
        "which is the probe now"
    );
}

#[test]
fn streams_that_end_with_an_exception_and_cut_responses_cool_a_deployment_down() {
    let fail: [fn(&Plan); 2] = [
        |plan| plan.record_exception("internalServerException", at(0)),
        |plan| plan.record_cut(at(0)),
    ];
    for fail in fail {
        let config = config(&[("m", &[WEST, EAST], &[])]);
        let mut in_west = 0;
        while let begun = plan(&config, at(0))
            && begun.cluster(1) == Some(WEST)
        {
            in_west += 1;
            assert!(in_west <= 5, "most of five requests have failed");
            assert!(!answer(&begun, 1, 200, at(0)));
            fail(&begun);
        }
        assert_eq!(in_west, 5);
    }
}

#[test]
fn each_fallback_has_an_attempt_however_many_retries_there_are() {
    let groups: [(&str, &[&str], &[&str]); 3] = [
        ("m", &[WEST], &["n", "o"]),
        ("n", &[WEST], &[]),
        ("o", &[EAST], &[]),
    ];
    let config = configured(&groups, 11, serde_json::json!({"cooldown": {"disabled": true}}));
    let plan = plan(&config, at(0));
    let mut number = 1;
    while answer(&plan, number, 500, at(0)) {
        number += 1;
    }
    let tried: Vec<usize> = plan.log.attempts().map(|made| made.target.group).collect();
    assert_eq!(tried, [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
    assert_eq!(plan.fallback_count(), 2);
}

#[test]
fn a_client_sets_the_retries_of_its_request() {
    let config = config(&[("m", &[WEST, EAST], &["n"]), ("n", &[EAST], &[])]);
    let groups = |retries: &[u8]| {
        let plan = plan_with(&config, &[(b"x-litellm-num-retries", retries)], at(0));
        let targets = plan.targets.borrow();
        targets.iter().map(|target| target.group).collect::<Vec<_>>()
    };
    assert_eq!(groups(b"0"), [0, 1]);
    assert_eq!(groups(b"1"), [0, 0, 1, 1]);
    assert_eq!(groups(b"many"), [0, 0, 0, 1, 1, 1]);
}

#[test]
fn a_response_is_passed_on_if_its_retry_would_come_too_late() {
    for (limits, header, is_retried) in [
        (serde_json::json!({}), None, true),
        (serde_json::json!({"time_limit_milliseconds": 21_000}), None, true),
        (
            serde_json::json!({"time_limit_milliseconds": 20_000}),
            None,
            false,
        ),
        (serde_json::json!({}), Some(b"20"), false),
    ] {
        let config = configured(&[("m", &[WEST], &[])], 3, limits);
        let header = header.map(|seconds| (&b"x-litellm-timeout"[..], &seconds[..]));
        let plan = plan_with(&config, header.as_slice(), at(0));
        assert!(answer(&plan, 1, 429, at(0)));
        assert_eq!(plan.has_time_for_retry(Some(20), &|| at(0)), is_retried);
        assert_eq!(plan.expects_attempt(), is_retried);
    }
}

#[test]
fn a_deployment_that_times_out_is_the_slowest() {
    let settings = serde_json::json!({"strategy": "latency-based", "cooldown": {"disabled": true}});
    let config = configured(&[("m", &[WEST, EAST], &[])], 3, settings);
    let first = plan(&config, at(0));
    let cluster = first.cluster(1).unwrap().to_owned();
    first.request(1, cluster.as_bytes(), at(0)).unwrap();
    first.record_silence(FailureClass::Timeout, at(1));
    let group = &config.models.find("m").unwrap().model;
    let key = |region: &str| {
        let mut deployments = group.deployments.iter();
        deployments
            .find(|deployment| deployment.cluster == region)
            .unwrap()
            .key(&[])
    };
    let latencies = &config.outlook().unwrap().latencies;
    let average = latencies.averages(&[key(&cluster)], at(1));
    assert!(average[0].unwrap() > 900_000_000, "{average:?} microseconds");
}

#[test]
fn only_a_model_of_the_same_provider_takes_a_body_in_its_format() {
    let names = ["us.a.one", "a.two", "b.one", "plain"];
    let groups = names.map(|name| (name, &[WEST][..], &[][..]));
    let config = config(&groups);
    let takes = |fallback: &str, operation: Operation| {
        let found = |name: &str| config.models.find(name).unwrap();
        found(fallback).takes_body_of(&found("us.a.one"), operation)
    };
    assert!(names.iter().all(|name| takes(name, Operation::ConverseStream)));
    let of_invoke = names.map(|name| takes(name, Operation::Invoke));
    assert_eq!(
        of_invoke,
        [true, true, false, true],
        "the provider of plain is not known"
    );
}
