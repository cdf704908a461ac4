//! `router_settings`.

use super::general::{ALERTS, OTHER_MODELS};
use super::litellm::CACHE;
use super::{ByValue, NoEffect, NotNeeded, Protects, Row, Table, Used};

pub(super) const FALLBACKS: &str =
    "no other model is asked: add its deployments to the group, with a higher order";
pub(super) const COOLDOWN: &str = "no deployment is set aside: the next is tried at once";
pub(super) const ATTEMPTS: &str = "one number of attempts holds for all: num_retries";
pub(super) const TIME_LIMIT: &str =
    "one time limit holds for all, also for silence on a stream: request_timeout";
pub(crate) const AFFINITY: &str =
    "a client's requests may go to any deployment, and miss Bedrock's prompt caches";

pub(crate) const ROUTER_SETTINGS: Table = Table {
    name: "router_settings",
    rows: &[
        Row(
            "num_retries",
            Used("further attempts, each on another deployment while there is one (default 2)"),
        ),
        Row(
            "timeout",
            Used("the time limit, if litellm_settings.request_timeout is not set"),
        ),
        Row(
            "model_group_alias",
            Used("other names of models; hidden changes nothing"),
        ),
        Row(
            "routing_strategy",
            Used("simple-shuffle; a note and simple-shuffle for every other one"),
        ),
        Row(
            "optional_pre_call_checks",
            ByValue(
                "enforce_model_rate_limits and router_budget_limiting protect; the others have no effect",
            ),
        ),
        Row(
            "default_litellm_params",
            ByValue(
                "refused if it says whom to ask, with what rights or what limits; otherwise without effect",
            ),
        ),
        Row(
            "provider_budget_config",
            Protects("it stops requests when a budget is spent; here nothing does"),
        ),
        Row(
            "default_max_parallel_requests",
            Protects("it limits how many requests run at a time; here nothing does"),
        ),
        Row(
            "enable_tag_filtering",
            Protects(
                "it sends requests to deployments of their tags only; here they go to any deployment of the group",
            ),
        ),
        Row(
            "guardrail_list",
            Protects("its guardrails check requests and answers; here none runs"),
        ),
        Row(
            "fallbacks default_fallbacks context_window_fallbacks content_policy_fallbacks max_fallbacks",
            NoEffect(FALLBACKS),
        ),
        Row(
            "cooldown_time allowed_fails allowed_fails_policy",
            NoEffect(COOLDOWN),
        ),
        Row("retry_policy model_group_retry_policy", NoEffect(ATTEMPTS)),
        Row("retry_after", NoEffect(ATTEMPTS)),
        Row("stream_timeout", NoEffect(TIME_LIMIT)),
        Row(
            "routing_strategy_args",
            NoEffect("requests are spread by weight, rpm or tpm"),
        ),
        Row(
            "routing_groups",
            NoEffect("every group of deployments is spread by weight, rpm or tpm"),
        ),
        Row(
            "enable_weighted_failover",
            NoEffect("a further attempt goes to the deployments left, by order and weight"),
        ),
        Row(
            "tag_filtering_match_any",
            NoEffect("it belongs to enable_tag_filtering, which does not work here"),
        ),
        Row(
            "enable_pre_call_checks enable_pre_call_check",
            NoEffect("a prompt that is too long is sent, and refused by Bedrock"),
        ),
        Row(
            "deployment_affinity_ttl_seconds model_group_affinity_config",
            NoEffect(AFFINITY),
        ),
        Row(
            "cache_responses caching_groups cache_kwargs cache_params",
            NoEffect(CACHE),
        ),
        Row(
            "ignore_invalid_deployments",
            NoEffect("--leave-out-unsupported leaves out deployments that cannot be served"),
        ),
        Row("alerting_config", NoEffect(ALERTS)),
        Row(
            "redis_url redis_host redis_port redis_password redis_db redis_ssl redis_username",
            NotNeeded("instances of this gateway share nothing"),
        ),
        Row(
            "disable_cooldowns",
            NotNeeded("no deployment is ever set aside for a time"),
        ),
        Row(
            "enable_health_check_routing health_check_staleness_threshold health_check_ignore_transient_errors",
            NotNeeded("a deployment that fails is passed over by the request that meets it"),
        ),
        Row(
            "default_priority polling_interval client_ttl router_general_settings",
            NotNeeded("Envoy holds connections and requests"),
        ),
        Row(
            "set_verbose debug_level",
            NotNeeded("run --log-level says how much is logged"),
        ),
        Row("assistants_config search_tools", NotNeeded(OTHER_MODELS)),
    ],
};
