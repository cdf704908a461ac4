//! The settings of a deployment: `litellm_params` (also under `credential_values`) and `model_info`.

use super::general::{HEADERS, NO_KEYS, OTHER_MODELS, TAGS};
use super::router::{ATTEMPTS, COOLDOWN, TIME_LIMIT};
use super::{NoEffect, NotNeeded, Protects, Refused, Row, Table, Used};

const IN_BODY: &str = "nothing is added to a request's body: clients send it";
const ROLES: &str = "roles, profiles and web identity are not supported yet: use access keys or api_key";
const OTHER_UNIT: &str = "nothing measures this unit, so the cost is unknown unless the price is 0";
const PRICE: &str =
    "what it costs, instead of the built-in price list; also with _above_…_tokens, _priority, _flex";

pub(crate) const LITELLM_PARAMS: Table = Table {
    name: "litellm_params",
    rows: &[
        Row("model", Used("bedrock/<id>, with LiteLLM's routes and regions in between; others' models are skipped")),
        Row("model_id", Used("the id or ARN to ask for, instead of the one in model")),
        Row("custom_llm_provider", Used("bedrock, if model does not say so")),
        Row(
            "aws_region_name",
            Used("the region, else that of the model's ARN, else the environment's"),
        ),
        Row(
            "aws_access_key_id aws_secret_access_key aws_session_token",
            Used("the credentials, else AWS's variables"),
        ),
        Row("api_key", Used("a Bedrock API key, sent as bearer token")),
        Row(
            "aws_bedrock_runtime_endpoint api_base",
            Used("another endpoint than the region's own"),
        ),
        Row("litellm_credential_name", Used("the entry of credential_list to use")),
        Row("weight rpm tpm", Used("the share of the group's requests; rpm and tpm are no limits")),
        Row("order", Used("deployments with a lower order are tried first")),
        Row(
            "guardrailConfig",
            Used("a guardrail of Bedrock's for every request; the same for all deployments of a model_name"),
        ),
        Row(
            "input_cost_per_token output_cost_per_token cache_read_input_token_cost cache_creation_input_token_cost",
            Used(PRICE),
        ),
        Row(
            "aws_role_name aws_profile_name aws_web_identity_token aws_sts_endpoint aws_external_id",
            Refused(ROLES),
        ),
        Row(
            "guardrails",
            Protects("its guardrails check every request of the deployment; here none runs"),
        ),
        Row(
            "max_parallel_requests",
            Protects("it limits how many requests run at a time; here nothing does"),
        ),
        Row(
            "max_budget",
            Protects("it stops requests to the deployment when the budget is spent; here nothing does"),
        ),
        Row(
            "itpm otpm default_api_key_tpm_limit default_api_key_rpm_limit",
            Protects("it limits tokens or requests per minute; here nothing does"),
        ),
        Row(
            "temperature top_p top_k max_tokens max_completion_tokens max_new_tokens min_tokens stop stop_sequences seed
             n presence_penalty frequency_penalty repetition_penalty response_format thinking reasoning_effort tools
             tool_choice parallel_tool_calls web_search_options extra_body instruction instructions
             performanceConfig serviceTier service_tier requestMetadata bedrock_tags cache_control_injection_points
             prompt_id vector_store_ids stream anthropic_beta",
            NoEffect(IN_BODY),
        ),
        Row(
            "extra_headers headers user_agent",
            NoEffect(HEADERS),
        ),
        Row(
            "num_retries max_retries",
            NoEffect(ATTEMPTS),
        ),
        Row(
            "timeout request_timeout stream_timeout",
            NoEffect(TIME_LIMIT),
        ),
        Row("cooldown_time", NoEffect(COOLDOWN)),
        Row("budget_duration", NoEffect("there are no budgets")),
        Row(
            "tags tag_regex",
            NoEffect(TAGS),
        ),
        Row("mock_response mock_timeout", NoEffect("the request is sent to Bedrock and paid for")),
        Row("silent_model", NoEffect("no copy of a request is sent to another model")),
        Row(
            "input_cost_per_second output_cost_per_second input_cost_per_pixel output_cost_per_pixel
             input_cost_per_image output_cost_per_image input_cost_per_query",
            Used(OTHER_UNIT),
        ),
        Row("region_name", NoEffect("the region is that of aws_region_name")),
        Row("ssl_verify", NoEffect("AWS's certificate is always checked: --upstream-ca names other CAs")),
        Row(
            "configurable_clientside_auth_params",
            NoEffect("clients cannot bring AWS credentials of their own"),
        ),
        Row(
            "aws_bedrock_project_id",
            NoEffect("requests belong to no project of Bedrock"),
        ),
        Row("aws_session_name aws_session_tags", NotNeeded("no role is assumed, so there is no session to name")),
        Row(
            "drop_params additional_drop_params modify_params allowed_openai_params
             merge_reasoning_content_in_choices use_chat_completions_api initial_prompt_value final_prompt_value roles
             bos_token eos_token user_continue_message",
            NotNeeded("bodies are passed on unchanged"),
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
        Row("base_model", Used("the model whose price is used, and by which CountTokens counts")),
        Row("blocked", Used("true: the deployment is skipped")),
        Row(
            "input_cost_per_token output_cost_per_token cache_read_input_token_cost cache_creation_input_token_cost",
            Used(PRICE),
        ),
        Row(
            "team_id",
            Protects("only the keys of a team may use the deployment; here the master key does"),
        ),
        Row(
            "supported_environments",
            Protects("it takes the deployment out of other environments; here it is used in all"),
        ),
        Row(
            "access_windows",
            Protects("it limits when the deployment may be used; here it always is"),
        ),
        Row("allowed_fails allowed_fails_policy", NoEffect(COOLDOWN)),
        Row("team_public_model_name", NoEffect("clients use the model_name")),
        Row(
            "input_cost_per_second output_cost_per_second input_cost_per_pixel output_cost_per_pixel
             input_cost_per_image output_cost_per_image input_cost_per_query input_cost_per_audio_token
             output_cost_per_audio_token",
            Used(OTHER_UNIT),
        ),
        Row(
            "search_context_cost_per_query",
            NoEffect("the cost of an answer with a web search is unknown"),
        ),
        Row("access_groups", NotNeeded(NO_KEYS)),
        Row(
            "mode max_tokens max_input_tokens max_output_tokens output_vector_size supports_vision
             supports_function_calling supports_parallel_function_calling supports_prompt_caching supports_reasoning
             supports_response_schema supports_system_messages supports_tool_choice supports_web_search
             supports_computer_use supports_pdf_input supports_audio_input supports_audio_output
             supports_assistant_prefill supports_native_streaming supported_endpoints supported_openai_params
             custom_tokenizer",
            NotNeeded("Bedrock says what a model can do"),
        ),
        Row(
            "description version metadata litellm_provider db_model created_at updated_at created_by updated_by tier
             key team_public_name web_search_billing_unit adaptive_router_preferences",
            NotNeeded("it only describes the deployment"),
        ),
        Row(
            "health_check_model health_check_timeout health_check_max_tokens health_check_max_tokens_reasoning
             health_check_max_tokens_non_reasoning disable_background_health_check",
            NotNeeded("no model is called to see whether it works"),
        ),
    ],
};
