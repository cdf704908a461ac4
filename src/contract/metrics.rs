//! Names of the metrics, shared by the rendered Envoy configuration and the filter.
//!
//! Envoy's stats have no labels, so names contain them: `metric;label=value;label=value`. The
//! rendered `stats_tags` extract them again. OpenTelemetry's GenAI names follow Prometheus
//! conventions, with the unit in the name, because Envoy's stats are integers:
//! <https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/>.

/// Envoy's prefix for stats of a WebAssembly module. Its Prometheus endpoint omits it.
pub const NAMESPACE: &str = "wasmcustom";

/// Every label.
pub const LABELS: [&str; 13] = [
    "model_group",
    "deployment",
    "region",
    "operation",
    "status_class",
    "key_alias",
    "gen_ai_token_type",
    "error_class",
    "outcome",
    "reason",
    "model",
    "result",
    "fallback",
];

/// Tokens of requests. Unlike the sum of a histogram, this is exact.
pub const TOKENS: &str = "gen_ai_client_token_usage_total";
/// Cost of requests, in pico-USD.
pub const COST: &str = "gen_ai_client_cost_pico_usd_total";
/// Admitted requests.
pub const REQUESTS: &str = "envoy_bedrock_requests_total";
/// Admitted requests that failed.
pub const FAILED: &str = "envoy_bedrock_failed_requests_total";
/// Refused requests.
pub const REFUSALS: &str = "envoy_bedrock_refusals_total";
/// Attempts, including retries.
pub const ATTEMPTS: &str = "envoy_bedrock_attempts_total";
/// Cooldowns of deployments that have begun.
pub const COOLDOWNS: &str = "envoy_bedrock_cooldowns_total";
/// Requests that went to another model group than the one that the client selected, by the last one
/// that was tried.
pub const FALLBACKS: &str = "envoy_bedrock_fallbacks_total";
/// Requests whose response did not report its usage.
pub const UNREAD: &str = "envoy_bedrock_usage_unread_total";
/// Requests whose cost is unknown, because something that they used has no known price.
pub const COST_UNKNOWN: &str = "envoy_bedrock_cost_unknown_total";
/// Whether the newest configuration is active: 1, or 0 if it could not be used. Only if a program
/// keeps the configuration up to date, as for the other metrics of reloads.
pub const RELOAD_SUCCESSFUL: &str = "envoy_bedrock_config_last_reload_successful";
/// When the active configuration was loaded, in seconds since 1970.
pub const RELOAD_TIME: &str = "envoy_bedrock_config_last_reload_success_timestamp_seconds";
/// Changes of the configuration, by result, since the program started.
pub const RELOADS: &str = "envoy_bedrock_config_reloads";
/// How often Envoy was restarted, or replaced by its standby, since the program that runs it
/// started.
pub const RESTARTS: &str = "envoy_bedrock_envoy_restarts";
/// Calls to the credential broker that returned no credential, by reason. A worker repeats such a
/// call about once a second.
pub const REFRESH_FAILURES: &str = "envoy_bedrock_credential_refresh_failures_total";
/// When the credentials of a deployment expire, in seconds since 1970. 0 if there are none, if they
/// never expire, or if the deployment no longer gets them from the credential broker.
pub const CREDENTIALS_EXPIRE: &str = "envoy_bedrock_credentials_expire_seconds";
/// A configured deployment. The value is 1, or 0 once the deployment is no longer configured.
pub const DEPLOYMENT: &str = "envoy_bedrock_deployment_info";

/// Model requests in progress in all workers. Only counted if their number is limited.
pub const PARALLEL_REQUESTS: &str = "envoy_bedrock_parallel_requests";
/// Bytes that all workers have set aside for request bodies.
pub const BUFFERED_BYTES: &str = "envoy_bedrock_buffered_bytes";

/// Tokens per request.
pub const TOKENS_PER_REQUEST: &str = "gen_ai_client_token_usage";
/// Time from the first byte of the request to the last byte of the response, in milliseconds.
pub const DURATION: &str = "gen_ai_server_request_duration_milliseconds";
/// Time from the first byte of the request to the first token of a stream, in milliseconds.
pub const FIRST_TOKEN: &str = "gen_ai_server_time_to_first_token_milliseconds";
/// Time between two tokens of a stream, in microseconds.
pub const PER_TOKEN: &str = "gen_ai_server_time_per_output_token_microseconds";
/// Time that the gateway itself adds to a request, in microseconds.
pub const OVERHEAD: &str = "envoy_bedrock_overhead_microseconds";

/// Every histogram.
pub const HISTOGRAMS: [&str; 5] = [TOKENS_PER_REQUEST, DURATION, FIRST_TOKEN, PER_TOKEN, OVERHEAD];
