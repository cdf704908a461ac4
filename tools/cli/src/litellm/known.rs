//! LiteLLM's keys that this gateway does not use (or not everywhere), so that they are told apart from slips.
//! Separated by white space, in no order.

/// Of `litellm_params` and of `credential_values`.
pub(crate) const LITELLM_PARAMS: &str = "
    s3_bucket_name s3_region_name s3_access_key_id s3_secret_access_key s3_endpoint_url aws_batch_role_arn
    model model_id custom_llm_provider api_base api_key aws_bedrock_runtime_endpoint aws_region_name
    aws_access_key_id aws_secret_access_key aws_session_token aws_role_name aws_profile_name
    aws_web_identity_token aws_sts_endpoint aws_external_id aws_session_name aws_session_tags
    aws_bedrock_project_id bedrock_tags itpm otpm max_parallel_requests num_retries timeout
    request_timeout stream_timeout cooldown_time tags tag_regex input_cost_per_token
    output_cost_per_token input_cost_per_second output_cost_per_second cache_read_input_token_cost
    cache_creation_input_token_cost max_budget budget_duration guardrailConfig drop_params
    temperature top_p max_tokens extra_headers extra_body modify_params max_retries organization
    api_version additional_drop_params thinking rust allowed_openai_params
    region_name aws_bedrock_control_plane_endpoint s3_encryption_key_id s3_bucket_owner
    s3_output_bucket_name merge_reasoning_content_in_choices use_in_pass_through default_api_key_tpm_limit
";

/// Of `model_info`.
pub(crate) const MODEL_INFO: &str = "
    mode access_groups team_id team_public_model_name allowed_fails allowed_fails_policy
    supported_environments access_windows max_tokens max_input_tokens max_output_tokens
    supports_vision supports_function_calling
    supports_prompt_caching description version health_check_model
";

/// Of `router_settings`.
pub(crate) const ROUTER_SETTINGS: &str = "
    routing_strategy_args max_fallbacks stream_timeout retry_after retry_policy
    model_group_retry_policy allowed_fails allowed_fails_policy cooldown_time disable_cooldowns
    fallbacks default_fallbacks context_window_fallbacks content_policy_fallbacks
    enable_pre_call_checks optional_pre_call_checks enable_tag_filtering tag_filtering_match_any
    enable_weighted_failover routing_groups default_litellm_params default_max_parallel_requests
    cache_responses redis_url redis_host redis_port redis_password redis_db default_priority
    polling_interval router_general_settings set_verbose debug_level
";

/// Of `litellm_settings`.
pub(crate) const LITELLM_SETTINGS: &str = "
    websearch_interception_params mcp_semantic_tool_filter
    callbacks success_callback failure_callback service_callback allowed_fails fallbacks
    default_fallbacks context_window_fallbacks content_policy_fallbacks cache cache_params
    max_budget budget_duration budget_exceeded_status_code turn_off_message_logging
    redact_user_api_key_info redact_messages_in_exceptions log_raw_request_response json_logs
    set_verbose drop_params modify_params require_auth_for_metrics_endpoint
    prometheus_metrics_config custom_prometheus_metadata_labels custom_prometheus_tags
    enable_end_user_cost_tracking_prometheus_only disable_end_user_cost_tracking
    cost_discount_config cost_margin_config default_team_settings default_key_generate_params
    upperbound_key_generate_params extra_spend_tag_headers bedrock_request_metadata_fields
    ssl_verify force_ipv4 expose_router_debug_in_errors network_mock telemetry
    default_internal_user_params
";

/// Of `general_settings`.
pub(crate) const GENERAL_SETTINGS: &str = "
    database_url database_connection_pool_limit database_connection_timeout store_model_in_db
    user_api_key_cache_ttl custom_auth enable_jwt_auth litellm_jwtauth allowed_routes public_routes
    admin_only_routes pass_through_endpoints disable_bedrock_agent_runtime_passthrough
    forward_client_headers_to_llm_api max_parallel_requests global_max_parallel_requests
    max_response_size_mb max_in_flight_requests_per_worker max_queued_requests_per_worker
    cancel_on_disconnect background_health_checks health_check_interval health_check_concurrency
    alerting alert_types alerting_threshold alerting_args store_prompts_in_spend_logs
    disable_spend_logs disable_error_logs maximum_spend_logs_retention_period proxy_batch_write_at
    use_x_forwarded_for trusted_proxy_ranges key_management_system key_management_settings
    coordination_redis fail_closed_rate_limit_enforcement disable_budget_reservation
    allow_requests_on_db_unavailable user_header_name user_header_mappings
    include_call_id_in_error_body disable_env_credential_login litellm_key_header_name allowed_ips
    enforce_user_param completion_model infer_model_from_keys ui_access_mode
";

/// Of the file itself.
pub(crate) const SECTIONS: &str = "
    guardrails policies policy_attachments prompts callback_settings mcp_servers mcp_tools
    vector_store_registry search_tools sandbox_tools agents agent_list assistant_settings
    finetune_settings files_settings default_vertex_config worker_registry
";
