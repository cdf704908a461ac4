//! The response headers that the gateway adds, under LiteLLM's names.

use crate::encoding::decimal::{push_decimal, push_thousandths};
use crate::headers::{AddedHeaders, HeaderEdit, is_reserved, pairs};
use crate::pricing::{Cost, PicoUsd};
use crate::stream::account::Account;
use crate::stream::dispatched::Dispatched;
use crate::time::UnixTime;

/// How many headers a response usually gets.
const TYPICAL_COUNT: usize = 16;

/// The headers to add to a response at `now`. They include its cost once it is settled.
pub(super) fn gateway_headers(
    account: &Account,
    dispatched: Option<&Dispatched>,
    overhead_us: u64,
    now: UnixTime,
) -> AddedHeaders {
    let mut headers = AddedHeaders::with_capacity(TYPICAL_COUNT);
    headers.push("x-litellm-call-id", &account.client.call_id);
    let duration = now.milliseconds_since(account.started);
    headers.write("x-litellm-response-duration-ms", |text| {
        push_decimal(text, duration)
    });
    let Some(dispatched) = dispatched else {
        return headers;
    };
    let plan = &dispatched.plan;
    headers.push("x-litellm-model-group", &plan.last_model().name);
    let retries = plan.attempt_count().saturating_sub(1);
    headers.write("x-litellm-attempted-retries", |text| push_decimal(text, retries));
    let fallbacks = plan.fallback_count();
    headers.write("x-litellm-attempted-fallbacks", |text| {
        push_decimal(text, fallbacks)
    });
    if let Some(deployment) = plan.last_deployment() {
        headers.push("x-litellm-model-id", &deployment.id);
        headers.push("x-litellm-model-region", &deployment.region);
        headers.push("x-litellm-model-api-base", &deployment.endpoint);
    }
    headers.write("x-litellm-overhead-duration-ms", |text| {
        push_thousandths(text, overhead_us);
    });
    for (name, amount) in dispatched.cost().into_iter().flat_map(cost_headers) {
        headers.write(name, |text| amount.push_to(text));
    }
    headers
}

/// The change that adds headers to those `received`, serialized, and removes those that an upstream
/// must not send. `None` if there is no status, because Envoy cannot send a response without one.
pub(super) fn merge(received: Vec<u8>, added: AddedHeaders) -> Option<HeaderEdit> {
    let has_status = pairs::parse(&received)?
        .iter()
        .any(|(name, _)| *name == b":status");
    has_status.then(|| HeaderEdit::new(received, is_allowed, added))
}

/// The change that removes from serialized `trailers` those that an upstream must not send; `None`
/// if it has not sent any of them.
pub(super) fn cleaned(trailers: Vec<u8>) -> Option<HeaderEdit> {
    let received = pairs::parse(&trailers).unwrap_or_default();
    let has_reserved = received.iter().any(|(name, _)| is_reserved(name));
    has_reserved.then(|| HeaderEdit::new(trailers, is_allowed, AddedHeaders::default()))
}

fn is_allowed(name: &[u8]) -> bool {
    !is_reserved(name)
}

fn cost_headers(cost: &Cost) -> [(&'static str, PicoUsd); 5] {
    [
        ("x-litellm-response-cost", cost.total()),
        ("x-litellm-response-cost-input", cost.input),
        ("x-litellm-response-cost-output", cost.output),
        ("x-litellm-response-cost-cache-read", cost.cache_read),
        ("x-litellm-response-cost-cache-creation", cost.cache_creation),
    ]
}
