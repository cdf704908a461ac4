//! `router_settings`.

use super::phrases::{
    AFFINITY, ALERTS, ATTEMPTS, CACHE, CONCURRENCY, COOLDOWN, FALLBACKS, GUARDRAILS, LOG_LEVEL,
    NOTHING_SHARED, OTHER_MODELS, TIME_LIMIT,
};
use super::table::Fate::{ByValue, NoEffect, NotNeeded, Protects, Used};
use super::table::{Table, TableRow as Row};

pub(crate) const ROUTER_SETTINGS: Table = Table {
    name: "router_settings",
    rows: &[
        Row(
            "num_retries",
            Used("retries, each on a deployment that has not been tried while there is one (default 2)"),
        ),
        Row(
            "timeout",
            Used("the time limit, if litellm_settings.request_timeout is not set"),
        ),
        Row(
            "model_group_alias",
            Used("aliases of models; hidden has no effect"),
        ),
        Row(
            "routing_strategy",
            Used("simple-shuffle, also in place of any other, with a note"),
        ),
        Row(
            "optional_pre_call_checks",
            ByValue("enforce_model_rate_limits protects; the others have no effect"),
        ),
        Row(
            "default_litellm_params",
            ByValue(
                "refused if it decides where requests go, with whose rights or within which limits; otherwise without effect",
            ),
        ),
        Row(
            "provider_budget_config",
            Protects("LiteLLM stops requests when a budget is spent; here nothing does"),
        ),
        Row("default_max_parallel_requests", Protects(CONCURRENCY)),
        Row(
            "enable_tag_filtering",
            Protects(
                "LiteLLM sends requests only to deployments with their tags; here they go to any deployment of the model group",
            ),
        ),
        Row("guardrail_list", Protects(GUARDRAILS)),
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
            NoEffect("requests are distributed by weight, rpm or tpm"),
        ),
        Row(
            "routing_groups",
            NoEffect("requests are distributed by weight, rpm or tpm in every model group"),
        ),
        Row(
            "enable_weighted_failover",
            NoEffect("a retry goes to one of the remaining deployments, by order and weight"),
        ),
        Row(
            "tag_filtering_match_any",
            NoEffect("it belongs to enable_tag_filtering, which does not work here"),
        ),
        Row(
            "enable_pre_call_checks enable_pre_call_check",
            NoEffect("a prompt that is too long is sent, and Bedrock refuses it"),
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
            NoEffect("use --leave-out-unsupported to leave out deployments that cannot be served"),
        ),
        Row("alerting_config", NoEffect(ALERTS)),
        Row(
            "redis_url redis_host redis_port redis_password redis_db redis_ssl redis_username",
            NotNeeded(NOTHING_SHARED),
        ),
        Row("disable_cooldowns", NotNeeded("deployments never cool down")),
        Row(
            "enable_health_check_routing health_check_staleness_threshold health_check_ignore_transient_errors",
            NotNeeded("requests skip a deployment that fails"),
        ),
        Row(
            "default_priority polling_interval client_ttl router_general_settings",
            NotNeeded("Envoy manages connections and requests"),
        ),
        Row("set_verbose debug_level", NotNeeded(LOG_LEVEL)),
        Row("assistants_config search_tools", NotNeeded(OTHER_MODELS)),
    ],
};
