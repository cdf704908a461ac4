//! Routing: strategies, cooldowns, retries, fallbacks, limits and time limits.

use std::collections::BTreeMap;

use envoy_bedrock::contract::routing::{Affinity, CooldownSettings, FailureClass, Strategy};
use envoy_bedrock::contract::settings::Settings;

use super::*;

/// Two model groups, `a` with two deployments and `b` with one.
const GROUPS: &str = "model_list:
  - {model_name: a, litellm_params: {model: bedrock/amazon.nova-lite-v1:0, aws_region_name: us-east-1, rpm: 10, tpm: 1000}}
  - {model_name: a, litellm_params: {model: bedrock/amazon.nova-lite-v1:0, aws_region_name: us-west-2, rpm: 20, tpm: 2000}}
  - {model_name: b, litellm_params: {model: bedrock/amazon.nova-pro-v1:0, aws_region_name: us-east-1}}
";

fn settings(more: &str) -> Settings {
    read_text(&format!("{GROUPS}{more}"), &KEYS, SecretPolicy::MustExist)
        .unwrap()
        .settings
}

fn errors(more: &str) -> Vec<String> {
    let errors = read_text(&format!("{GROUPS}{more}"), &KEYS, SecretPolicy::MustExist).unwrap_err();
    errors.iter().map(ToString::to_string).collect()
}

fn notes(more: &str) -> Vec<String> {
    let blueprint = read_text(&format!("{GROUPS}{more}"), &KEYS, SecretPolicy::MustExist).unwrap();
    blueprint.notes.iter().map(ToString::to_string).collect()
}

#[test]
fn each_strategy_is_read_and_an_unknown_one_is_an_error() {
    for (name, strategy) in [
        ("simple-shuffle", Strategy::SimpleShuffle),
        ("least-busy", Strategy::LeastBusy),
        ("latency-based-routing", Strategy::LatencyBased),
        ("usage-based-routing-v2", Strategy::UsageBased),
        ("usage-based-routing", Strategy::UsageBased),
        ("cost-based-routing", Strategy::CostBased),
    ] {
        let settings = settings(&format!("router_settings: {{routing_strategy: {name}}}\n"));
        assert_eq!(settings.routing.strategy, strategy, "{name}");
    }
    assert_eq!(settings("").routing, Default::default());
    let errors = errors("router_settings: {routing_strategy: fastest}\n");
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].contains("router_settings.routing_strategy"),
        "{errors:?}"
    );
    assert!(errors[0].contains("least-busy"), "{errors:?}");
}

#[test]
fn the_latency_buffer_is_read() {
    let with = |arguments: &str| {
        format!(
            "router_settings: {{routing_strategy: latency-based-routing, routing_strategy_args: {arguments}}}\n"
        )
    };
    let buffer = settings(&with("{lowest_latency_buffer: 0.5, ttl: 60}"))
        .routing
        .latency_buffer;
    assert!((buffer - 0.5).abs() < 1e-9);
    assert!(notes(&with("{ttl: 60}")).iter().any(|note| note.contains("ttl")));
    assert_eq!(errors(&with("{lowest_latency_buffer: -1}")).len(), 1);
}

#[test]
fn cooldowns_are_those_of_the_router_unless_a_deployment_has_its_own() {
    let text = GROUPS.replace(
        "aws_region_name: us-west-2,",
        "aws_region_name: us-west-2, cooldown_time: 0.5,",
    ) + "router_settings:
  cooldown_time: 30
  allowed_fails: 2
  allowed_fails_policy: {RateLimitErrorAllowedFails: 5, TimeoutErrorAllowedFails: null}
";
    let settings = read_text(&text, &KEYS, SecretPolicy::MustExist).unwrap().settings;
    let all = CooldownSettings {
        ignores_retry_after: false,
        disabled: false,
        milliseconds: 30_000,
        allowed_fails: Some(2),
        allowed_fails_policy: BTreeMap::from([(FailureClass::RateLimit, 5)]),
    };
    assert_eq!(settings.routing.cooldown, all);
    let own = &settings.models[0].deployments[1].routing.cooldown;
    assert_eq!(
        own.as_ref(),
        Some(&CooldownSettings {
            ignores_retry_after: true,
            milliseconds: 500,
            ..all
        })
    );
    assert_eq!(settings.models[0].deployments[0].routing.cooldown, None);
}

#[test]
fn cooldowns_can_be_disabled_and_a_wrong_policy_is_an_error() {
    let disabled = settings("router_settings: {disable_cooldowns: true}\n");
    assert!(disabled.routing.cooldown.disabled);
    let errors = errors(
        "router_settings: {allowed_fails_policy: {RateLimitErrorAllowedFail: 1}, cooldown_time: -1}\n",
    );
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(
        errors[1].contains("did you mean RateLimitErrorAllowedFails?"),
        "{errors:?}"
    );
}

#[test]
fn a_model_groups_retry_policy_replaces_that_of_the_router() {
    let settings = settings(
        "router_settings:
  retry_policy: {RateLimitErrorRetries: 4, NotFoundErrorRetries: 2}
  model_group_retry_policy: {b: {TimeoutErrorRetries: 1}}
  retry_after: 3
",
    );
    let retries = |index: usize| &settings.models[index].routing.retries;
    assert_eq!(*retries(0), BTreeMap::from([(FailureClass::RateLimit, 4)]));
    assert_eq!(*retries(1), BTreeMap::from([(FailureClass::Timeout, 1)]));
    assert_eq!(settings.routing.retry_after_milliseconds, 3000);
    assert_eq!(settings.attempts_at_most(), 5);
    let notes = notes("router_settings: {model_group_retry_policy: {c: {}}}\n");
    assert!(notes.iter().any(|note| note.contains("never used")), "{notes:?}");
    assert_eq!(
        errors("router_settings: {retry_policy: {RateLimitErrorRetries: 11}}\n").len(),
        1
    );
}

#[test]
fn default_retries_are_for_all_failures_that_another_attempt_can_mend() {
    let policy = "{DefaultRetries: 3, TimeoutErrorRetries: 1, ServiceUnavailableErrorRetries: 2}";
    let settings = settings(&format!("router_settings: {{retry_policy: {policy}}}\n"));
    assert_eq!(
        settings.models[0].routing.retries,
        BTreeMap::from([
            (FailureClass::Authentication, 3),
            (FailureClass::Timeout, 1),
            (FailureClass::RateLimit, 3),
            (FailureClass::InternalServer, 2),
        ])
    );
}

#[test]
fn the_guardrail_of_the_most_specific_wildcard_counts() {
    let wild = |guarded: &str, pattern: &str| {
        let model = format!("model: 'bedrock/{pattern}', aws_region_name: us-east-1{guarded}");
        format!("  - {{model_name: '{pattern}', litellm_params: {{{model}}}}}\n")
    };
    let guardrail = ", guardrailConfig: {guardrailIdentifier: g, guardrailVersion: '1'}";
    let fallback = "router_settings: {fallbacks: [{a: [us.anthropic.x]}]}\n";
    let (few, many) = ("us.*", "us.anthropic.*");
    for (text, is_refused) in [
        (wild("", few) + &wild(guardrail, many), true),
        (wild(guardrail, many) + &wild("", few), true),
        (wild(guardrail, few) + &wild("", many), false),
    ] {
        let read = read_text(
            &format!("{GROUPS}{text}{fallback}"),
            &KEYS,
            SecretPolicy::MustExist,
        );
        assert_eq!(read.is_err(), is_refused, "{text}");
    }
}

#[test]
fn the_default_replaces_the_fallbacks_of_the_star_and_both_sections_limit_them() {
    let both = settings("litellm_settings: {fallbacks: [{'*': [a]}], default_fallbacks: [b]}\n");
    assert_eq!(both.models[0].routing.fallbacks.general, ["b"]);
    assert!(both.models[1].routing.fallbacks.general.is_empty());
    let none = settings("litellm_settings: {fallbacks: [{a: [b]}], max_fallbacks: 0}\n");
    assert!(none.models[0].routing.fallbacks.general.is_empty());
}

#[test]
fn a_fallback_that_is_left_out_is_not_served_by_a_wildcard() {
    let more = "  - {model_name: gpt, litellm_params: {model: openai/gpt-4o}}
  - {model_name: '*', litellm_params: {model: 'bedrock/*', aws_region_name: us-east-1}}
router_settings: {fallbacks: [{a: [gpt]}]}
";
    assert!(settings(more).models[0].routing.fallbacks.general.is_empty());
    let notes = notes(more);
    assert!(
        notes.iter().any(|note| note.contains("this model is not served")),
        "{notes:?}"
    );
}

#[test]
fn fallbacks_are_models_by_name_alias_or_default() {
    let settings = settings(
        "router_settings:
  model_group_alias: {x: b}
  fallbacks: [{a: [x, b, a]}]
",
    );
    assert_eq!(settings.models[0].routing.fallbacks.general, ["b"]);
    assert!(settings.models[1].routing.fallbacks.general.is_empty());
    let default = self::settings("litellm_settings: {default_fallbacks: [a]}\n");
    assert!(default.models[0].routing.fallbacks.general.is_empty());
    assert_eq!(default.models[1].routing.fallbacks.general, ["a"]);
    let all = self::settings("litellm_settings: {fallbacks: [{'*': [a]}, {a: [b]}]}\n");
    assert_eq!(all.models[0].routing.fallbacks.general, ["b"]);
    assert_eq!(all.models[1].routing.fallbacks.general, ["a"]);
    let long = self::settings("litellm_settings: {context_window_fallbacks: [{a: [b]}]}\n");
    assert_eq!(long.models[0].routing.fallbacks.context_window, ["b"]);
    let limited = self::settings("router_settings: {max_fallbacks: 0, fallbacks: [{a: [b]}]}\n");
    assert!(limited.models[0].routing.fallbacks.general.is_empty());
}

#[test]
fn a_fallback_that_fails_is_followed_by_its_own() {
    let more = "  - {model_name: c, litellm_params: {model: bedrock/amazon.nova-micro-v1:0, aws_region_name: us-east-1}}
  - {model_name: d, litellm_params: {model: bedrock/amazon.nova-micro-v1:0, aws_region_name: us-east-1}}
router_settings: {fallbacks: [{a: [b, d]}, {b: [{model: c}]}, {c: [a, b]}], MORE}
";
    let fallbacks = |more: &str| {
        let models = settings(more).models;
        let lists = models
            .iter()
            .map(|model| model.routing.fallbacks.general.join(" "));
        lists.collect::<Vec<_>>()
    };
    assert_eq!(
        fallbacks(&more.replace("MORE", "default_fallbacks: [c]")),
        ["b c d", "c a d", "a b d", "c a b"]
    );
    assert_eq!(
        fallbacks(&more.replace("MORE", "max_fallbacks: 1")),
        ["b", "c", "a", ""]
    );
}

#[test]
fn aliases_and_names_that_a_wildcard_serves_have_their_own_fallbacks() {
    let more = "  - {model_name: 'us.*', litellm_params: {model: 'bedrock/us.*', aws_region_name: us-east-1}}
router_settings:
  model_group_alias: {x: a}
  fallbacks: [{x: [us.one]}, {a: [b]}, {us.one: [a]}]
";
    let models = settings(more).models;
    let named = |index: usize| {
        let routing = &models[index].routing;
        let named = routing.named_fallbacks.iter();
        let named = named.map(|(name, fallbacks)| format!("{name}: {}", fallbacks.general.join(" ")));
        named.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(models[0].routing.fallbacks.general, ["b"]);
    assert_eq!(named(0), "x: us.one");
    assert_eq!(named(2), "us.one: a b");
    assert!(models[2].routing.fallbacks.general.is_empty());
    assert!(!notes(more).iter().any(|note| note.contains("never used")));
    let settings = settings(
        "router_settings:
  model_group_alias: {x: a}
  fallbacks: [{a: [b]}]
  context_window_fallbacks: [{x: [b]}]
",
    );
    let named = &settings.models[0].routing.named_fallbacks["x"];
    assert_eq!(
        (&named.general[..], &named.context_window[..]),
        (&["b".to_owned()][..], &["b".to_owned()][..])
    );
}

#[test]
fn values_beyond_what_is_useful_are_cut() {
    let text = "router_settings: {num_retries: 15, retry_after: 90, stream_timeout: 0, timeout: 0}\n";
    let settings = settings(text);
    assert_eq!(
        (settings.attempts, settings.routing.retry_after_milliseconds),
        (11, 60_000)
    );
    assert_eq!(
        settings.models[0].deployments[0]
            .routing
            .stream_timeout_milliseconds,
        None
    );
    assert_eq!(settings.routing.time_limit_milliseconds, None);
    let notes = notes(text);
    for expected in ["only 10 retries", "only 60 seconds", "0 is no time limit"] {
        assert!(notes.iter().any(|note| note.contains(expected)), "{notes:?}");
    }
    let limited = self::settings("litellm_settings: {request_timeout: 20}\n");
    assert_eq!(limited.routing.time_limit_milliseconds, Some(20_000));
}

#[test]
fn only_its_own_cooldown_time_makes_a_deployment_ignore_retry_after() {
    for (parameters, ignores) in [("cooldown_time: 5,", true), ("", false)] {
        let text = GROUPS.replace(
            "rpm: 10, tpm: 1000}",
            &format!("{parameters} rpm: 10}}, model_info: {{allowed_fails: 0}}"),
        );
        let text = text + "router_settings: {cooldown_time: 30}\n";
        let settings = read_text(&text, &KEYS, SecretPolicy::MustExist).unwrap().settings;
        let cooldown = settings.models[0].deployments[0]
            .routing
            .cooldown
            .as_ref()
            .unwrap();
        assert_eq!(cooldown.ignores_retry_after, ignores);
        assert!(!settings.routing.cooldown.ignores_retry_after);
    }
}

#[test]
fn policies_have_all_of_litellms_names() {
    let policy = "{ServiceUnavailableErrorAllowedFails: 3, BadGatewayErrorAllowedFails: 3, NotFoundErrorAllowedFails: 1}";
    let settings = settings(&format!("router_settings: {{allowed_fails_policy: {policy}}}\n"));
    assert_eq!(
        settings.routing.cooldown.allowed_fails_policy,
        BTreeMap::from([(FailureClass::InternalServer, 3)])
    );
    let errors = errors("router_settings: {allowed_fails_policy: {DefaultAllowedFails: 1}}\n");
    assert!(errors[0].contains("NotFoundErrorAllowedFails"), "{errors:?}");
    let errors = self::errors("router_settings: {retry_policy: {Defaults: 1}}\n");
    assert!(errors[0].contains("DefaultRetries"), "{errors:?}");
}

#[test]
fn pre_call_checks_must_be_a_list() {
    for checks in ["enforce_model_rate_limits", "{enforce_model_rate_limits: true}"] {
        let errors = errors(&format!(
            "router_settings: {{optional_pre_call_checks: {checks}}}\n"
        ));
        assert!(errors[0].contains("expected a list"), "{errors:?}");
    }
}

#[test]
fn a_fallback_that_cannot_work_is_an_error_or_a_note() {
    for (fallbacks, expected) in [
        ("[{a: [c]}]", "fallbacks[0].a[0]"),
        ("[{a: [{model: b, messages: []}]}]", "the name of a model"),
        ("[{a: ['us.*']}]", "a name without *"),
        ("[a]", "a mapping"),
        ("{a: [b]}", "a list"),
    ] {
        let errors = errors(&format!("router_settings: {{fallbacks: {fallbacks}}}\n"));
        assert!(errors[0].contains(expected), "{fallbacks}: {errors:?}");
    }
    let unknown = notes("router_settings: {fallbacks: [{c: [a]}]}\n");
    assert!(
        unknown.iter().any(|note| note.contains("never used")),
        "{unknown:?}"
    );
    let content = notes("router_settings: {content_policy_fallbacks: [{a: [b]}]}\n");
    assert!(
        content.iter().any(|note| note.contains("never used: Bedrock")),
        "{content:?}"
    );
}

#[test]
fn a_fallback_without_the_guardrail_of_its_model_is_an_error() {
    let text = GROUPS.replace(
        "nova-pro-v1:0, aws_region_name: us-east-1",
        "nova-pro-v1:0, aws_region_name: us-east-1, guardrailConfig: {guardrailIdentifier: g, guardrailVersion: '1'}",
    ) + "router_settings: {fallbacks: [{b: [a]}]}\n";
    let errors = read_text(&text, &KEYS, SecretPolicy::MustExist).unwrap_err();
    assert!(errors[0].to_string().contains("guardrail"), "{errors:?}");
}

#[test]
fn rates_are_limits_only_if_they_are_enforced() {
    let limits = |more: &str| {
        let routing = settings(more).models[0].deployments[0].routing.clone();
        (routing.rpm, routing.tpm, routing.max_parallel_requests)
    };
    assert_eq!(limits(""), (None, None, None));
    for enforced in [
        "router_settings: {optional_pre_call_checks: [enforce_model_rate_limits]}\n",
        "router_settings: {routing_strategy: usage-based-routing-v2}\n",
    ] {
        assert_eq!(limits(enforced), (Some(10), Some(1000), None), "{enforced}");
    }
    let parallel = "router_settings: {default_max_parallel_requests: 7}\n";
    assert_eq!(limits(parallel), (None, None, Some(7)));
}

#[test]
fn a_misspelled_check_is_noted_with_the_nearest_name() {
    let notes = notes("router_settings: {optional_pre_call_checks: [enforce_model_rate_limit]}\n");
    assert!(
        notes
            .iter()
            .any(|note| note.contains("did you mean enforce_model_rate_limits?")),
        "{notes:?}"
    );
}

#[test]
fn affinity_is_by_session_or_by_key() {
    let affinity = |checks: &str| {
        settings(&format!(
            "router_settings: {{optional_pre_call_checks: [{checks}]}}\n"
        ))
        .routing
        .affinity
    };
    assert_eq!(affinity("session_affinity, prompt_caching"), Affinity::Session);
    assert_eq!(affinity("deployment_affinity"), Affinity::Key);
}

#[test]
fn a_deployment_has_its_own_limits_retries_and_time_limits() {
    let text = GROUPS.replace(
        "aws_region_name: us-west-2,",
        "aws_region_name: us-west-2, max_parallel_requests: 3, num_retries: 1, timeout: 30,",
    ) + "router_settings: {stream_timeout: 2.5}\n";
    let settings = read_text(&text, &KEYS, SecretPolicy::MustExist).unwrap().settings;
    let routing = |index: usize| settings.models[0].deployments[index].routing.clone();
    assert_eq!(routing(1).max_parallel_requests, Some(3));
    assert_eq!(routing(1).retries, Some(1));
    assert_eq!(routing(1).timeout_milliseconds, Some(30_000));
    assert_eq!(routing(1).stream_timeout_milliseconds, Some(2_500));
    assert_eq!(routing(0).timeout_milliseconds, None);
    assert_eq!(routing(0).stream_timeout_milliseconds, Some(2_500));
}
