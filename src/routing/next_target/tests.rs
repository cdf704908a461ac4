use std::rc::Rc;

use super::*;
use crate::admission::path;
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
    let models = groups.iter().map(|(name, regions, fallbacks)| {
        let deployments = regions.iter().enumerate().map(|(order, region)| {
            serde_json::json!({
                "id": format!("{name}-{region}"), "model": format!("{name}:0"), "region": region, "cluster": region,
                "authority": "x.test", "weight": 1, "order": order, "credentials": { "bearer": { "api_key": "A" } },
            })
        });
        serde_json::json!({
            "name": name, "deployments": deployments.collect::<Vec<_>>(), "routing": { "fallbacks": fallbacks },
        })
    });
    let settings = serde_json::json!({
        "master_key": "K", "attempts": 3, "body_limit_bytes": 1, "models": models.collect::<Vec<_>>(),
    });
    let mut config =
        ActiveConfig::new(settings.to_string().as_bytes(), |name| Some(name.to_owned())).unwrap();
    config.set_outlook(Rc::new(Outlook::in_memory()));
    Rc::new(config)
}

/// The plan of a request to the model group `m`.
fn plan(config: &Rc<ActiveConfig>, now: UnixTime) -> Plan {
    let target = path::parse(b"/model/m/converse").unwrap();
    let request = Request::begin(Rc::clone(config), target, config.keys.master(), Headers(&[])).unwrap();
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
