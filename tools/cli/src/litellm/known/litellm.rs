//! `litellm_settings`.

use super::phrases::{
    BODIES, CACHE, COOLDOWN, FALLBACKS, GUARDRAILS_BY_VALUE, HEADERS, LOG_LEVEL, LONG_REQUESTS, NO_BODIES,
    NO_BUDGETS, NO_CONTENT_POLICY, NO_KEYS, OTHER_MODELS, PROMPTS, SERVICE, TAGS, TLS, TOOLS,
};
use super::table::Fate::{ByValue, NoEffect, NotNeeded, Protects, Used};
use super::table::{Table, TableRow as Row};

pub(crate) const LITELLM_SETTINGS: Table = Table {
    name: "litellm_settings",
    rows: &[
        Row("num_retries", Used("retries, if router_settings.num_retries is not set (default 2)")),
        Row("request_timeout", Used("seconds for a whole response, and for the silence on a stream (default 600)")),
        Row(
            "callbacks success_callback failure_callback",
            ByValue(
                "prometheus: use --metrics-port; otel: use OTEL_EXPORTER_OTLP_ENDPOINT; those that check or limit requests \
                 protect; nothing is sent to any other: use the spend log, which has a row for every request",
            ),
        ),
        Row(
            "guardrails",
            ByValue(GUARDRAILS_BY_VALUE),
        ),
        Row(
            "max_budget",
            Protects("LiteLLM stops requests when the budget is spent; here nothing does"),
        ),
        Row(
            "max_end_user_budget max_end_user_budget_id max_user_budget tag_budget_config",
            Protects("LiteLLM stops the requests of a user or tag when the budget is spent; here nothing does"),
        ),
        Row(
            "blocked_user_list banned_keywords_list",
            Protects("LiteLLM refuses requests of certain users or with certain words; here they are served"),
        ),
        Row(
            "default_fallbacks fallbacks max_fallbacks",
            Used(FALLBACKS),
        ),
        Row("context_window_fallbacks", Used(LONG_REQUESTS)),
        Row("content_policy_fallbacks", NoEffect(NO_CONTENT_POLICY)),
        Row("allowed_fails cooldown_time", Used(COOLDOWN)),
        Row(
            "cache cache_params enable_redis_auth_cache enable_caching_on_provider_specific_optional_params
             default_in_memory_ttl default_redis_ttl",
            NoEffect(CACHE),
        ),
        Row("budget_duration", NoEffect(NO_BUDGETS)),
        Row(
            "priority_reservation priority_reservation_settings",
            NoEffect("requests of all priorities are treated alike"),
        ),
        Row(
            "s3_callback_params aws_sqs_callback_params langfuse_default_tags langfuse_public_key langfuse_secret_key
             langsmith_batch_size argilla_transformation_object cold_storage_custom_logger audit_log_callbacks
             store_audit_logs datadog_params gcs_pub_sub_use_v1 generic_api_use_v1",
            NoEffect(SERVICE),
        ),
        Row(
            "prometheus_metrics_config custom_prometheus_metadata_labels custom_prometheus_tags
             prometheus_initialize_budget_metrics enable_end_user_cost_tracking_prometheus_only
             disable_end_user_cost_tracking_prometheus_only prometheus_emit_stream_label",
            NoEffect("the labels of the metrics are fixed: see README.md, Metrics and a dashboard"),
        ),
        Row(
            "require_auth_for_metrics_endpoint",
            NoEffect("--metrics-port needs no key: let only Prometheus connect to it"),
        ),
        Row(
            "disable_end_user_cost_tracking",
            NoEffect("the x-litellm-end-user-id of a request is always in its row of the spend log"),
        ),
        Row("log_raw_request_response", NoEffect(NO_BODIES)),
        Row(
            "cost_discount_config cost_margin_config",
            NoEffect("costs are list prices: for other prices, set input_cost_per_token and the like on a deployment"),
        ),
        Row(
            "extra_spend_tag_headers bedrock_request_metadata_fields",
            NoEffect(TAGS),
        ),
        Row(
            "model_group_settings forward_client_headers_to_llm_api add_user_information_to_llm_headers
             forward_llm_provider_auth_headers",
            NoEffect(HEADERS),
        ),
        Row("ssl_verify ssl_security_level ssl_ecdh_curve", NoEffect(TLS)),
        Row("ssl_certificate", NoEffect("no client certificate is presented to AWS")),
        Row(
            "llamaguard_model_name llamaguard_unsafe_content_categories google_moderation_confidence_threshold
             toxic_confidence_threshold azure_content_safety_params llm_guard_mode prompt_injection_params
             presidio_ad_hoc_recognizers skip_system_message_in_guardrail",
            NoEffect("it belongs to a check of requests that does not run here"),
        ),
        Row(
            "global_prompt_directory global_bitbucket_config global_gitlab_config",
            NoEffect(PROMPTS),
        ),
        Row("model_alias_map", NoEffect("aliases are read from router_settings.model_group_alias")),
        Row("check_provider_endpoint", NoEffect("clients cannot list the models")),
        Row("network_mock", NoEffect("use BEDROCK=emulator for responses without AWS")),
        Row("compression_interception_params", NoEffect(BODIES)),
        Row(
            "websearch_interception_params code_interpreter_interception_params",
            NoEffect(TOOLS),
        ),
        Row(
            "budget_exceeded_status_code",
            Used("the status of requests that exceed the budget of a key or team (default 422)"),
        ),
        Row(
            "drop_params modify_params additional_drop_params enable_json_schema_validation
             disable_add_transform_inline_image_block use_chat_completions_url_for_anthropic_messages
             route_all_chat_openai_to_responses disable_copilot_system_to_assistant reasoning_auto_summary
             enable_preview_features disable_hf_tokenizer_download LITELLM_DISABLE_STOP_SEQUENCE_LIMIT
             REPEATED_STREAMING_CHUNK_LIMIT return_response_headers",
            NotNeeded(BODIES),
        ),
        Row(
            "default_internal_user_params max_internal_user_budget internal_user_budget_duration max_ui_session_budget
             default_team_params default_team_settings default_key_generate_params upperbound_key_generate_params
             key_generation_settings enable_key_alias_format_validation enable_model_config_credential_overrides
             scim_admin_group scim_upsert_user",
            NotNeeded(NO_KEYS),
        ),
        Row(
            "turn_off_message_logging redact_messages_in_exceptions presidio_logging_only",
            NotNeeded(NO_BODIES),
        ),
        Row(
            "redact_user_api_key_info",
            NotNeeded("the spend log has the SHA-256 of the key, never the key itself"),
        ),
        Row("global_disable_no_log_param", NotNeeded("every request is in the spend log")),
        Row(
            "set_verbose json_logs suppress_debug_info suppress_startup_output expose_router_debug_in_errors",
            NotNeeded(LOG_LEVEL),
        ),
        Row("telemetry", NotNeeded("this gateway sends no telemetry")),
        Row(
            "service_callback service_callbacks",
            NotNeeded("there is no database and no Redis"),
        ),
        Row("forward_traceparent_to_llm_provider", NotNeeded("traceparent is always passed on")),
        Row("force_ipv4", NotNeeded("Envoy uses whichever addresses respond")),
        Row("disable_add_user_agent_to_request_tags", NotNeeded("the User-Agent is never a tag")),
        Row("allow_dynamic_callback_disabling", NotNeeded("no callback runs here")),
        Row("ui_theme_config timezone", NotNeeded("there is no admin page")),
        Row(
            "custom_provider_map enable_azure_ad_token_refresh enable_loadbalancing_on_batch_endpoints vertex_project
             vertex_location vertex_ai_safety_settings default_vertex_config mcp_aliases mcp_semantic_tool_filter
             logged_real_time_event_types",
            NotNeeded(OTHER_MODELS),
        ),
    ],
};
