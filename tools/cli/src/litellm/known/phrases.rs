//! Texts that several tables share.

pub(super) const ALERTS: &str = "no alerts are sent: use Prometheus (deploy/observability)";
pub(super) const BODIES: &str = "bodies are passed on unchanged";
pub(super) const CACHE: &str = "responses are not cached: every request goes to Bedrock and is paid for";
pub(super) const CLIENT_CREDENTIALS: &str = "clients cannot bring their own AWS credentials";
pub(super) const CONCURRENCY: &str = "LiteLLM limits the concurrent requests of a deployment or key; here \
     global_max_parallel_requests does for the whole gateway, and default_max_parallel_requests for a deployment";
pub(super) const COOLDOWN: &str = "when and for how long a deployment that fails gets no requests";
pub(super) const FALLBACKS: &str = "other models, by name, that serve a request when its own cannot";
/// When context window fallbacks are used.
pub(crate) const LONG_REQUESTS: &str = "used when Bedrock calls a request of more than 100 kB invalid, because its \
     headers do not say that the prompt is too long";
/// Why content policy fallbacks cannot work.
pub(super) const NO_CONTENT_POLICY: &str =
    "never used: Bedrock reports refused content in the body of a successful response";
pub(super) const GUARDRAILS: &str = "LiteLLM's guardrails check requests and responses; here none runs";
pub(super) const GUARDRAILS_BY_VALUE: &str =
    "protect with default_on: true; otherwise without effect, since requests must ask for them";
pub(super) const LOG_LEVEL: &str = "the log level is set with run --log-level";
pub(super) const NO_BODIES: &str = "prompts and responses are never logged";
pub(super) const NO_BUDGETS: &str = "there are no budgets";
pub(super) const NO_BUDGETS_OR_LIMITS: &str = "budgets and rate limits of keys and teams are always enforced";
pub(super) const NO_HEALTH_CHECKS: &str =
    "models are not called to check their health: requests skip a deployment that fails";
pub(super) const NO_KEYS: &str =
    "LiteLLM's database of keys, users and teams is not used: keys are in envoy_bedrock.keys";
pub(super) const NOTHING_SHARED: &str = "instances of this gateway share nothing";
pub(super) const OTHER_MODELS: &str = "only Amazon Bedrock's runtime is served";
pub(super) const PROMPTS: &str = "prompt templates are not applied: clients send the whole prompt";
pub(super) const TAGS: &str =
    "a request has only the tags of its key and those that its client sends in x-litellm-tags";
pub(super) const TLS: &str = "AWS's certificate is always verified: name other CAs with --upstream-ca";
pub(super) const VIRTUAL_KEYS: &str = "the database is not read: clients that use LiteLLM's virtual keys get 401 until `envoy-bedrock keys import` takes over the keys";

/// What is lost without session affinity.
pub(crate) const AFFINITY: &str =
    "requests of a client can go to any deployment, and miss Bedrock's prompt caches";
/// What is lost without LiteLLM's settings for headers.
pub(crate) const HEADERS: &str = "Bedrock gets only the headers listed in README.md, Clients";
/// What is lost without LiteLLM's callbacks to other services.
pub(crate) const SERVICE: &str =
    "nothing is sent there: use the spend log, which has a row for every request";
/// What is lost without LiteLLM's callbacks that run tools.
pub(crate) const TOOLS: &str = "no tool runs here: clients get a model's tool calls";
