//! `general_settings`.

use super::phrases::{
    ALERTS, CLIENT_CREDENTIALS, CONCURRENCY, HEADERS, LOG_LEVEL, NO_BODIES, NO_BUDGETS_OR_LIMITS,
    NO_HEALTH_CHECKS, NO_KEYS, NOTHING_SHARED, OTHER_MODELS, TAGS, VIRTUAL_KEYS,
};
use super::table::Fate::{NoEffect, NotNeeded, Protects, Used};
use super::table::{Table, TableRow as Row};

pub(crate) const GENERAL_SETTINGS: Table = Table {
    name: "general_settings",
    rows: &[
        Row("master_key", Used("the proxy key of the clients; if absent, the variable LITELLM_MASTER_KEY")),
        Row("max_request_size_mb", Used("the largest request body in MiB (default 32)")),
        Row(
            "pass_through_request_timeout",
            Used("the time limit, if neither litellm_settings.request_timeout nor router_settings.timeout is set"),
        ),
        Row(
            "dangerously_permit_weak_or_unset_master_key",
            Used("no warning about a publicly known key; a key is still required"),
        ),
        Row(
            "allowed_ips",
            Protects("LiteLLM admits only these addresses; here every address is admitted"),
        ),
        Row(
            "global_max_parallel_requests",
            Used("the most model requests at once in the whole gateway; more get 429"),
        ),
        Row("max_parallel_requests", Protects(CONCURRENCY)),
        Row(
            "max_response_size_mb",
            Protects("LiteLLM withholds responses above this size; here every response is passed on"),
        ),
        Row(
            "allowed_routes",
            Protects("LiteLLM limits the routes that clients can use; here the master key opens every route of the gateway"),
        ),
        Row(
            "custom_auth",
            Protects("your own code decides who is admitted; here only the master key does"),
        ),
        Row("enable_jwt_auth enable_oauth2_auth enable_oauth2_proxy_auth", Protects("an identity provider's tokens admit clients; here only the master key does")),
        Row(
            "enforce_rbac",
            Protects("LiteLLM limits what each role can do; here the master key can do everything"),
        ),
        Row(
            "missing_session_id",
            Protects("LiteLLM can refuse requests without a session id; here they are served"),
        ),
        Row(
            "enforce_user_param enforced_params",
            Protects("LiteLLM refuses requests without certain parameters; here the body is not examined"),
        ),
        Row(
            "database_url",
            NoEffect(VIRTUAL_KEYS),
        ),
        Row(
            "store_model_in_db",
            NoEffect("models in LiteLLM's database are unknown here: add them to model_list"),
        ),
        Row(
            "litellm_key_header_name",
            NoEffect("a key in that header is ignored: clients must send x-litellm-api-key or Authorization"),
        ),
        Row(
            "user_header_name user_header_mappings",
            NoEffect("the end user of a request is taken from x-litellm-end-user-id only"),
        ),
        Row(
            "public_routes use_client_credentials_pass_through_routes",
            NoEffect("every route except the health checks needs the key"),
        ),
        Row("pass_through_endpoints", NoEffect("only Bedrock's operations are served")),
        Row(
            "forward_client_headers_to_llm_api forward_llm_provider_auth_headers",
            NoEffect(HEADERS),
        ),
        Row(
            "allow_client_side_credentials",
            NoEffect(CLIENT_CREDENTIALS),
        ),
        Row(
            "key_management_system key_management_settings use_azure_key_vault use_google_kms",
            NoEffect("os.environ/ means environment variables only: export the secrets before the start"),
        ),
        Row(
            "use_x_forwarded_for trusted_proxy_ranges",
            NoEffect("the spend log has the address of the peer that connects to Envoy"),
        ),
        Row(
            "alerting alert_types alerting_threshold alerting_args alert_to_webhook_url alert_type_config alerts
             spend_report_frequency",
            NoEffect(ALERTS),
        ),
        Row(
            "store_prompts_in_spend_logs store_prompts_in_cold_storage",
            NoEffect(NO_BODIES),
        ),
        Row("disable_spend_logs", NoEffect("every request has a row in the spend log")),
        Row(
            "maximum_spend_logs_retention_period maximum_spend_logs_retention_interval maximum_spend_logs_cleanup_cron",
            NoEffect("rows of the spend log are never deleted: rotate the file, for example with logrotate"),
        ),
        Row(
            "completion_model",
            NoEffect("the path of the request names the model"),
        ),
        Row(
            "include_call_id_in_error_body",
            NoEffect("the call id of an error is only in the header x-litellm-call-id"),
        ),
        Row(
            "max_in_flight_requests_per_worker max_queued_requests_per_worker",
            NoEffect("the limits are global_max_parallel_requests and envoy_bedrock.max_buffered_body_mb"),
        ),
        Row(
            "reject_clientside_metadata_tags",
            NoEffect(TAGS),
        ),
        Row(
            "litellm_jwtauth oauth2_config_mappings role_permissions",
            NoEffect("only the master key admits clients"),
        ),
        Row("otel", NoEffect("set OTEL_EXPORTER_OTLP_ENDPOINT to send the spend log to an OpenTelemetry collector")),
        Row(
            "database_connection_pool_limit database_connection_timeout database_connection_pool_timeout
             allow_requests_on_db_unavailable disable_prisma_schema_update use_redis_transaction_buffer
             proxy_batch_write_at proxy_batch_polling_interval proxy_budget_rescheduler_min_time
             proxy_budget_rescheduler_max_time disable_reset_budget disable_adding_master_key_hash_to_db
             supported_db_objects disable_spend_updates disable_error_logs database_connect_timeout database_socket_timeout
             database_disable_prepared_statements database_extra_connection_params
             database_max_idle_connection_lifetime proxy_config_reload_interval_seconds
             maximum_spend_logs_size_check_interval use_spend_logs_partitioning spend_capture_rate_check",
            NotNeeded("there is no database"),
        ),
        Row(
            "admin_only_routes custom_key_generate default_team_disabled service_account_settings
             user_api_key_cache_ttl user_api_key_cache_max_size allow_user_auth custom_key_policy custom_key_update
             custom_team_metadata_validate team_metadata_schema team_metadata_validation_error_message
             team_metadata_validation_timeout disable_custom_api_keys disable_key_generate_for_org_admin
             disable_auto_add_proxy_admin_to_teams use_team_public_model_name password_policy_min_length
             password_policy_require_lowercase password_policy_require_uppercase password_policy_require_numbers
             password_policy_require_special_characters password_policy_check_breached_passwords",
            NotNeeded(NO_KEYS),
        ),
        Row(
            "custom_auth_run_common_checks custom_auth_settings",
            NotNeeded("it belongs to custom_auth, which does not work here"),
        ),
        Row(
            "disable_retry_on_max_parallel_request_limit_error token_rate_limit_type fail_closed_rate_limit_enforcement
             disable_budget_reservation
             fail_closed_budget_enforcement apply_user_budget_to_team_keys",
            NotNeeded(NO_BUDGETS_OR_LIMITS),
        ),
        Row("coordination_redis", NotNeeded(NOTHING_SHARED)),
        Row(
            "ui_access_mode custom_ui_sso_sign_in_handler custom_sso auto_redirect_ui_login_to_sso
             disable_master_key_return UI_USERNAME UI_PASSWORD disable_env_credential_login control_plane_url
             block_robots litellm_license hide_default_credentials_hint disable_password_login_when_sso_enabled
             allow_cli_sso_verification_uri_complete",
            NotNeeded("there is no admin page"),
        ),
        Row(
            "mcp_client_side_auth_header_name mcp_internal_ip_ranges mcp_required_fields mcp_trusted_proxy_ranges
             enable_mcp_registry user_mcp_management_mode require_end_user_mcp_access_defined search_tools
             image_generation_model embedding_model moderation_model infer_model_from_keys forward_openai_org_id
             disable_responses_id_security disable_bedrock_agent_runtime_passthrough allow_unmanaged_response_ids
             allowed_file_extensions blocked_file_extensions max_file_size_mb max_batch_file_size_mb
             disable_batch_input_file_rate_limiting skip_batch_input_file_rate_limiting_for_models
             skip_batch_input_file_rate_limiting_for_providers track_unmanaged_batch_cost
             passthrough_managed_object_ids enable_openai_websocket_passthrough mcp_advertised_versions
             mcp_allow_all_keys_respects_mcp_scope mcp_disabled_capabilities mcp_prefer_client_id_metadata_document
             mcp_session_token_signing mcp_xff_num_trusted_hops require_key_mcp_access_defined
             search_tool_deny_by_default vector_store_deny_by_default",
            NotNeeded(OTHER_MODELS),
        ),
        Row(
            "background_health_checks health_check_interval health_check_concurrency health_check_details
             use_shared_health_check enable_health_check_routing health_check_ignore_transient_errors
             health_check_staleness_threshold",
            NotNeeded(NO_HEALTH_CHECKS),
        ),
        Row(
            "always_include_stream_usage",
            NotNeeded("Bedrock's streams always end with the usage"),
        ),
        Row("cancel_on_disconnect", NotNeeded("a request ends when its client disconnects")),
        Row("set_verbose", NotNeeded(LOG_LEVEL)),
    ],
};
