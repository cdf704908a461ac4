//! `router_settings`.

use super::phrases::{
    AFFINITY, ALERTS, CACHE, COOLDOWN, FALLBACKS, GUARDRAILS, LOG_LEVEL, LONG_REQUESTS, NO_CONTENT_POLICY,
    NOTHING_SHARED, OTHER_MODELS,
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
            Used(
                "simple-shuffle, least-busy, latency-based-routing, usage-based-routing-v2 or cost-based-routing",
            ),
        ),
        Row(
            "optional_pre_call_checks",
            ByValue(
                "enforce_model_rate_limits makes rpm and tpm limits; session_affinity and prompt_caching keep a session (x-litellm-session-id) with one deployment, deployment_affinity a key; the others have no effect",
            ),
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
        Row(
            "default_max_parallel_requests",
            Used("requests at once of each deployment"),
        ),
        Row(
            "enable_tag_filtering",
            Protects(
                "LiteLLM sends requests only to deployments with their tags; here they go to any deployment of the model group",
            ),
        ),
        Row("guardrail_list", Protects(GUARDRAILS)),
        Row("fallbacks default_fallbacks max_fallbacks", Used(FALLBACKS)),
        Row("context_window_fallbacks", Used(LONG_REQUESTS)),
        Row("content_policy_fallbacks", NoEffect(NO_CONTENT_POLICY)),
        Row(
            "cooldown_time allowed_fails allowed_fails_policy disable_cooldowns",
            Used(COOLDOWN),
        ),
        Row(
            "retry_policy model_group_retry_policy",
            Used("retries for each class of failures, instead of num_retries"),
        ),
        Row(
            "retry_after",
            Used("the least number of seconds before another attempt on the same deployment"),
        ),
        Row("stream_timeout", Used("seconds to the first byte of a stream")),
        Row(
            "routing_strategy_args",
            Used("lowest_latency_buffer; the others are not needed"),
        ),
        Row(
            "routing_groups",
            NoEffect("routing_strategy is for all model groups"),
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
