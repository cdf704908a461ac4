//! Names of the metrics, on which the filter and the rendered Envoy configuration have to agree.
//!
//! Envoy's stats have names and no labels, so a name carries them: `metric;label=value;label=value`. The rendered
//! `stats_tags` lift them out again. OpenTelemetry's GenAI names are spelled as Prometheus spells them, with the unit in the
//! name, because Envoy's stats are integers: <https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/>.

/// Envoy's prefix of the stats of a WebAssembly module. Its Prometheus page leaves it out.
pub const NAMESPACE: &str = "wasmcustom";

/// Every label.
pub const LABELS: [&str; 11] = [
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
];

/// Tokens of a request, exact: a histogram's sum is not.
pub const TOKENS: &str = "gen_ai_client_token_usage_total";
/// What requests cost, in pico-USD.
pub const COST: &str = "gen_ai_client_cost_pico_usd_total";
/// Requests that were admitted.
pub const REQUESTS: &str = "envoy_bedrock_requests_total";
/// Those among them that failed.
pub const FAILED: &str = "envoy_bedrock_failed_requests_total";
/// Requests that were not admitted.
pub const REFUSALS: &str = "envoy_bedrock_refusals_total";
/// Attempts, the retried ones included.
pub const ATTEMPTS: &str = "envoy_bedrock_attempts_total";
/// Requests whose usage was not told by the answer.
pub const UNREAD: &str = "envoy_bedrock_usage_unread_total";
/// Requests that used something whose price is not known.
pub const COST_UNKNOWN: &str = "envoy_bedrock_cost_unknown_total";
/// What is configured; always 1.
pub const DEPLOYMENT: &str = "envoy_bedrock_deployment_info";

/// Tokens per request.
pub const TOKENS_PER_REQUEST: &str = "gen_ai_client_token_usage";
/// From the request's first byte to the answer's last, in milliseconds.
pub const DURATION: &str = "gen_ai_server_request_duration_milliseconds";
/// From the request's first byte to the first token of a stream, in milliseconds.
pub const FIRST_TOKEN: &str = "gen_ai_server_time_to_first_token_milliseconds";
/// Between two tokens of a stream, in microseconds.
pub const PER_TOKEN: &str = "gen_ai_server_time_per_output_token_microseconds";
/// What the gateway itself adds to a request, in microseconds.
pub const OVERHEAD: &str = "envoy_bedrock_overhead_microseconds";

/// Every histogram.
pub const HISTOGRAMS: [&str; 5] = [TOKENS_PER_REQUEST, DURATION, FIRST_TOKEN, PER_TOKEN, OVERHEAD];
