//! The settings of a deployment: `litellm_params` (also under `credential_values`) and
//! `model_info`.

use super::phrases::{
    BODIES, CLIENT_CREDENTIALS, COOLDOWN, GUARDRAILS, HEADERS, NO_BUDGETS, NO_KEYS, OTHER_MODELS, TAGS, TLS,
};
use super::table::Fate::{NoEffect, NotNeeded, Protects, Used};
use super::table::{Table, TableRow as Row};

const OTHER_UNIT: &str = "this unit is not measured, so the cost is unknown unless the price is 0";
const PRICE: &str =
    "the price, instead of the one in the price list; also with _above_…_tokens, _priority or _flex";

pub(crate) const LITELLM_PARAMS: Table = Table {
    name: "litellm_params",
    rows: &[
        Row("model", Used("bedrock/<id>, also with LiteLLM's routes and regions in between; models of other providers are skipped")),
        Row("model_id", Used("the id or ARN to call instead of the one in model")),
        Row("custom_llm_provider", Used("bedrock, if model does not name it")),
        Row(
            "aws_region_name",
            Used("the region; if absent, that of the model's ARN or of the environment"),
        ),
        Row(
            "aws_access_key_id aws_secret_access_key aws_session_token",
            Used("the credentials; if absent, those that the AWS SDKs find"),
        ),
        Row("api_key", Used("a Bedrock API key, sent as a bearer token")),
        Row(
            "aws_bedrock_runtime_endpoint api_base",
            Used("an endpoint other than that of the region"),
        ),
        Row("litellm_credential_name", Used("the entry of credential_list to use")),
        Row("weight rpm tpm", Used("the share of the model group's requests; rpm and tpm are limits only with enforce_model_rate_limits or usage-based-routing-v2")),
        Row("order", Used("deployments with a lower order are tried first")),
        Row(
            "guardrailConfig",
            Used("a Bedrock guardrail for every request; the same for all deployments of a model_name"),
        ),
        Row(
            "input_cost_per_token output_cost_per_token cache_read_input_token_cost cache_creation_input_token_cost",
            Used(PRICE),
        ),
        Row(
            "aws_role_name aws_session_name aws_session_tags aws_external_id aws_sts_endpoint",
            Used("a role to assume with the access keys, the profile or what the AWS SDKs find"),
        ),
        Row("aws_profile_name", Used("a profile of AWS's shared files")),
        Row(
            "aws_web_identity_token",
            Used("the token of an identity provider, for aws_role_name: a file, oidc/file/, oidc/env/ or os.environ/"),
        ),
        Row(
            "guardrails",
            Protects(GUARDRAILS),
        ),
        Row(
            "max_parallel_requests",
            Used("requests at once; others go to the next deployment"),
        ),
        Row(
            "max_budget",
            Protects("LiteLLM stops requests to the deployment when the budget is spent; here nothing does"),
        ),
        Row(
            "itpm otpm default_api_key_tpm_limit default_api_key_rpm_limit",
            Protects("LiteLLM limits tokens or requests per minute; here nothing does"),
        ),
        Row(
            "temperature top_p top_k max_tokens max_completion_tokens max_new_tokens min_tokens stop stop_sequences seed
             n presence_penalty frequency_penalty repetition_penalty response_format thinking reasoning_effort tools
             tool_choice parallel_tool_calls web_search_options extra_body instruction instructions
             performanceConfig serviceTier service_tier requestMetadata bedrock_tags cache_control_injection_points
             prompt_id vector_store_ids stream anthropic_beta",
            NoEffect("nothing is added to request bodies: clients send it"),
        ),
        Row(
            "extra_headers headers user_agent",
            NoEffect(HEADERS),
        ),
        Row(
            "num_retries max_retries",
            Used("retries after an attempt on this deployment"),
        ),
        Row(
            "timeout request_timeout",
            Used("seconds for an attempt; all attempts of a request have the limit of the first deployment"),
        ),
        Row("stream_timeout", Used("seconds to the first byte of a stream")),
        Row("cooldown_time", Used(COOLDOWN)),
        Row("budget_duration", NoEffect(NO_BUDGETS)),
        Row(
            "tags tag_regex",
            NoEffect(TAGS),
        ),
        Row("mock_response mock_timeout", NoEffect("the request is sent to Bedrock and paid for")),
        Row("silent_model", NoEffect("requests are not copied to another model")),
        Row(
            "input_cost_per_second output_cost_per_second input_cost_per_pixel output_cost_per_pixel
             input_cost_per_image output_cost_per_image input_cost_per_query",
            Used(OTHER_UNIT),
        ),
        Row("region_name", NoEffect("the region is read from aws_region_name")),
        Row("ssl_verify", NoEffect(TLS)),
        Row(
            "configurable_clientside_auth_params",
            NoEffect(CLIENT_CREDENTIALS),
        ),
        Row(
            "aws_bedrock_project_id",
            NoEffect("requests belong to no Bedrock project"),
        ),
        Row(
            "drop_params additional_drop_params modify_params allowed_openai_params
             merge_reasoning_content_in_choices use_chat_completions_api initial_prompt_value final_prompt_value roles
             bos_token eos_token user_continue_message",
            NotNeeded(BODIES),
        ),
        Row(
            "rust use_in_pass_through max_file_size_mb organization api_version azure_ad_token tenant_id client_id
             client_secret vertex_project vertex_location vertex_credentials s3_bucket_name s3_region_name
             s3_access_key_id s3_secret_access_key s3_endpoint_url s3_encryption_key_id s3_bucket_owner
             s3_output_bucket_name aws_bedrock_control_plane_endpoint aws_batch_role_arn
             adaptive_router_config complexity_router_config complexity_router_default_model",
            NotNeeded(OTHER_MODELS),
        ),
    ],
};

pub(crate) const MODEL_INFO: Table = Table {
    name: "model_info",
    rows: &[
        Row("id", Used("the id of the deployment in headers, metrics and the spend log")),
        Row("base_model", Used("the model whose price is used, and which CountTokens uses")),
        Row("blocked", Used("true: the deployment is skipped")),
        Row(
            "envoy_bedrock",
            Used("{bearer: true}: short-term Bedrock API keys instead of signatures; LiteLLM ignores it"),
        ),
        Row(
            "input_cost_per_token output_cost_per_token cache_read_input_token_cost cache_creation_input_token_cost",
            Used(PRICE),
        ),
        Row(
            "team_id",
            Protects("only the keys of one team can use the deployment; here the master key can"),
        ),
        Row(
            "supported_environments",
            Protects("LiteLLM uses the deployment in some environments only; here it is used in all"),
        ),
        Row(
            "access_windows",
            Protects("LiteLLM uses the deployment at certain times only; here it is always used"),
        ),
        Row("allowed_fails allowed_fails_policy", Used(COOLDOWN)),
        Row("team_public_model_name", NoEffect("clients use the model_name")),
        Row(
            "input_cost_per_second output_cost_per_second input_cost_per_pixel output_cost_per_pixel
             input_cost_per_image output_cost_per_image input_cost_per_query input_cost_per_audio_token
             output_cost_per_audio_token",
            Used(OTHER_UNIT),
        ),
        Row(
            "search_context_cost_per_query",
            NoEffect("the cost of a response with a web search is unknown"),
        ),
        Row("access_groups", NotNeeded(NO_KEYS)),
        Row(
            "mode max_tokens max_input_tokens max_output_tokens output_vector_size supports_vision
             supports_function_calling supports_parallel_function_calling supports_prompt_caching supports_reasoning
             supports_response_schema supports_system_messages supports_tool_choice supports_web_search
             supports_computer_use supports_pdf_input supports_audio_input supports_audio_output
             supports_assistant_prefill supports_native_streaming supported_endpoints supported_openai_params
             custom_tokenizer",
            NotNeeded("Bedrock knows what a model can do"),
        ),
        Row(
            "description version metadata litellm_provider db_model created_at updated_at created_by updated_by tier
             key team_public_name web_search_billing_unit adaptive_router_preferences",
            NotNeeded("it only describes the deployment"),
        ),
        Row(
            "health_check_model health_check_timeout health_check_max_tokens health_check_max_tokens_reasoning
             health_check_max_tokens_non_reasoning disable_background_health_check",
            NotNeeded("models are not called to check their health"),
        ),
    ],
};
