//! The response headers that the gateway adds, under LiteLLM's names.

use crate::encoding::decimal::{push_decimal, push_thousandths};
use crate::headers::{is_reserved, pairs};
use crate::pricing::{Cost, PicoUsd};
use crate::stream::account::Account;
use crate::stream::dispatched::Dispatched;
use crate::time::UnixTime;

/// The headers to add to a response at `now`. They include its cost once it is settled.
pub(super) fn gateway_headers(
    account: &Account,
    dispatched: Option<&Dispatched>,
    overhead_us: u64,
    now: UnixTime,
) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("x-litellm-call-id", account.client.call_id.clone()),
        (
            "x-litellm-response-duration-ms",
            decimal(now.milliseconds_since(account.started)),
        ),
    ];
    let Some(dispatched) = dispatched else {
        return headers;
    };
    let plan = &dispatched.plan;
    headers.push(("x-litellm-model-group", plan.last_model().name.clone()));
    let retries = plan.attempt_count().saturating_sub(1);
    headers.push(("x-litellm-attempted-retries", decimal(retries)));
    headers.push(("x-litellm-attempted-fallbacks", decimal(plan.fallback_count())));
    if let Some(deployment) = plan.last_deployment() {
        headers.push(("x-litellm-model-id", deployment.id.clone()));
        headers.push(("x-litellm-model-region", deployment.region.clone()));
        headers.push(("x-litellm-model-api-base", deployment.endpoint.clone()));
    }
    let mut overhead = String::new();
    push_thousandths(&mut overhead, overhead_us);
    headers.push(("x-litellm-overhead-duration-ms", overhead));
    headers.extend(dispatched.cost().into_iter().flat_map(cost_headers));
    // Names come from the configuration and may contain bytes that are not allowed in a header.
    headers.retain(|(_, value)| value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
    headers
}

/// Adds headers to those `received`, serialized, and removes those that an upstream must not send.
/// Returns `None` if there is no status, because the result replaces all headers and Envoy cannot
/// send a response without one.
pub(super) fn merge(received: &[u8], added: &[(&str, String)]) -> Option<Vec<u8>> {
    let received = pairs::parse(received)?;
    if !received.iter().any(|(name, _)| *name == b":status") {
        return None;
    }
    let kept = received.into_iter().filter(|(name, _)| !is_reserved(name));
    let added = added
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    Some(pairs::serialize(kept.chain(added)))
}

/// The serialized `trailers` without those that an upstream must not send; `None` if it has not
/// sent any of them.
pub(super) fn cleaned(trailers: &[u8]) -> Option<Vec<u8>> {
    let received = pairs::parse(trailers).unwrap_or_default();
    if !received.iter().any(|(name, _)| is_reserved(name)) {
        return None;
    }
    let kept = received.iter().copied().filter(|(name, _)| !is_reserved(name));
    Some(pairs::serialize(kept))
}

fn cost_headers(cost: &Cost) -> [(&'static str, String); 5] {
    [
        ("x-litellm-response-cost", text(cost.total())),
        ("x-litellm-response-cost-input", text(cost.input)),
        ("x-litellm-response-cost-output", text(cost.output)),
        ("x-litellm-response-cost-cache-read", text(cost.cache_read)),
        (
            "x-litellm-response-cost-cache-creation",
            text(cost.cache_creation),
        ),
    ]
}

fn decimal(number: u64) -> String {
    let mut text = String::new();
    push_decimal(&mut text, number);
    text
}

fn text(amount: PicoUsd) -> String {
    let mut text = String::new();
    amount.push_to(&mut text);
    text
}
