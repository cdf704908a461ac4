//! `general_settings`.

use super::{NoEffect, NotNeeded, Protects, Row, Table, Used};

/// Why nothing about virtual keys, users and teams is needed.
pub(super) const NO_KEYS: &str = "there are no virtual keys, users or teams: the master key is the only key";
pub(crate) const HEADERS: &str = "Bedrock gets only the headers that README.md, Clients, lists";
pub(super) const TAGS: &str = "the tags of a request are those that its client sends in x-litellm-tags";
pub(super) const NO_BODIES: &str = "prompts and answers are never logged";
const NO_DATABASE: &str = "there is no database";
const NO_UI: &str = "there is no admin page";
pub(super) const OTHER_MODELS: &str = "only Amazon Bedrock's runtime is served";
const HEALTH: &str = "no model is called to see whether it works: a deployment that fails is passed over by the request that meets it";
pub(super) const ALERTS: &str = "no alerts are sent: use Prometheus (deploy/observability)";
const JWT: &str = "tokens of an identity provider let nobody in, only the master key does";
const VAULT: &str = "os.environ/ means the environment only: export the secrets before the start";

pub(crate) const GENERAL_SETTINGS: Table = Table {
    name: "general_settings",
    rows: &[
        Row("master_key", Used("the key of the clients, else the variable LITELLM_MASTER_KEY")),
        Row("max_request_size_mb", Used("the largest request body (default 32)")),
        Row(
            "pass_through_request_timeout",
            Used("the time limit, if neither litellm_settings.request_timeout nor router_settings.timeout is set"),
        ),
        Row(
            "dangerously_permit_weak_or_unset_master_key",
            Used("no warning about a publicly known key; a key is required all the same"),
        ),
        Row(
            "allowed_ips",
            Protects("it lets only certain addresses in; here every address may call"),
        ),
        Row(
            "max_parallel_requests global_max_parallel_requests",
            Protects("it limits how many requests run at a time; here nothing does"),
        ),
        Row(
            "max_response_size_mb",
            Protects("it withholds answers above a size; here every answer is passed on"),
        ),
        Row(
            "allowed_routes",
            Protects("it limits the routes that clients may use; here every route of the gateway is open to the master key"),
        ),
        Row(
            "custom_auth",
            Protects("it decides by your own code who gets in; here only the master key does, whatever that code would say"),
        ),
        Row("enable_jwt_auth enable_oauth2_auth enable_oauth2_proxy_auth", Protects(JWT)),
        Row(
            "enforce_rbac",
            Protects("it limits by role who may do what; here the master key may do everything"),
        ),
        Row(
            "missing_session_id",
            Protects("it can refuse requests without a session id; here they are served"),
        ),
        Row(
            "enforce_user_param enforced_params",
            Protects("it refuses requests without certain parameters; here the body is not looked into"),
        ),
        Row(
            "database_url",
            NoEffect("LiteLLM's virtual keys are unknown here: clients with one get 401, only the master key works"),
        ),
        Row(
            "store_model_in_db",
            NoEffect("models in LiteLLM's database are unknown here: put them into model_list"),
        ),
        Row(
            "litellm_key_header_name",
            NoEffect("a key in that header is not seen: clients send x-litellm-api-key or Authorization"),
        ),
        Row(
            "user_header_name user_header_mappings",
            NoEffect("the end user of a request is read from x-litellm-end-user-id only"),
        ),
        Row(
            "public_routes use_client_credentials_pass_through_routes",
            NoEffect("every route except the health checks asks for the key"),
        ),
        Row("pass_through_endpoints", NoEffect("only Bedrock's operations are served")),
        Row(
            "forward_client_headers_to_llm_api forward_llm_provider_auth_headers",
            NoEffect(HEADERS),
        ),
        Row(
            "allow_client_side_credentials",
            NoEffect("clients cannot bring AWS credentials of their own"),
        ),
        Row(
            "key_management_system key_management_settings use_azure_key_vault use_google_kms",
            NoEffect(VAULT),
        ),
        Row(
            "use_x_forwarded_for trusted_proxy_ranges",
            NoEffect("the spend log has the address that connects to Envoy"),
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
        Row("disable_spend_logs", NoEffect("every request leaves a line in the spend log")),
        Row(
            "maximum_spend_logs_retention_period maximum_spend_logs_retention_interval maximum_spend_logs_cleanup_cron",
            NoEffect("lines of the spend log are never deleted: rotate the file with logrotate or the like"),
        ),
        Row(
            "completion_model",
            NoEffect("the model is always the one that the path of the request names"),
        ),
        Row(
            "include_call_id_in_error_body",
            NoEffect("the call id of an error is in the header x-litellm-call-id only"),
        ),
        Row(
            "max_in_flight_requests_per_worker max_queued_requests_per_worker",
            NoEffect("no request is turned away because the gateway is busy"),
        ),
        Row(
            "reject_clientside_metadata_tags",
            NoEffect(TAGS),
        ),
        Row(
            "litellm_jwtauth oauth2_config_mappings role_permissions",
            NoEffect("clients get in with the master key only"),
        ),
        Row("otel", NoEffect("set OTEL_EXPORTER_OTLP_ENDPOINT to send the spend log by OpenTelemetry")),
        Row(
            "database_connection_pool_limit database_connection_timeout database_connection_pool_timeout
             allow_requests_on_db_unavailable disable_prisma_schema_update use_redis_transaction_buffer
             proxy_batch_write_at proxy_batch_polling_interval proxy_budget_rescheduler_min_time
             proxy_budget_rescheduler_max_time disable_reset_budget disable_adding_master_key_hash_to_db
             supported_db_objects disable_spend_updates disable_error_logs database_connect_timeout database_socket_timeout
             database_disable_prepared_statements database_extra_connection_params
             database_max_idle_connection_lifetime proxy_config_reload_interval_seconds
             maximum_spend_logs_size_check_interval use_spend_logs_partitioning spend_capture_rate_check",
            NotNeeded(NO_DATABASE),
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
            NotNeeded("it belongs to custom_auth, which does not run here"),
        ),
        Row(
            "disable_retry_on_max_parallel_request_limit_error token_rate_limit_type fail_closed_rate_limit_enforcement
             disable_budget_reservation
             fail_closed_budget_enforcement apply_user_budget_to_team_keys",
            NotNeeded("there are no budgets and no rate limits"),
        ),
        Row("coordination_redis", NotNeeded("instances of this gateway share nothing")),
        Row(
            "ui_access_mode custom_ui_sso_sign_in_handler custom_sso auto_redirect_ui_login_to_sso
             disable_master_key_return UI_USERNAME UI_PASSWORD disable_env_credential_login control_plane_url
             block_robots litellm_license hide_default_credentials_hint disable_password_login_when_sso_enabled
             allow_cli_sso_verification_uri_complete",
            NotNeeded(NO_UI),
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
            NotNeeded(HEALTH),
        ),
        Row(
            "always_include_stream_usage",
            NotNeeded("Bedrock's streams always end with their usage"),
        ),
        Row("cancel_on_disconnect", NotNeeded("a request ends when its client leaves")),
        Row("set_verbose", NotNeeded("run --log-level says how much is logged")),
    ],
};
