//! How an admitted request is sent: its time limits and its retries.

use envoy_bedrock::contract::names::{
    HEADER_BACKOFF, HEADER_PACE, HEADER_RETRY, HEADER_ROUTE, PACE_SLOW, ROUTE_STREAM, ROUTE_UNARY,
};
use serde_json::{Value, json};

use super::duration::{duration, milliseconds, seconds};
use super::itinerary;
use crate::blueprint::Blueprint;

/// Retry when there is no response, or a response that the signer marks as worth another attempt.
/// Nothing is retried after the first byte of a response.
const RETRY_ON: &str = "connect-failure,refused-stream,reset,retriable-headers";

/// More than the signer asks for.
const BACKOFF_MAX_SECONDS: u64 = 61;

/// How long to wait before the next attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RetryPace {
    /// Hardly at all: the next attempt goes to another region.
    Elsewhere,
    /// Longer: the next attempt goes where the last one failed, so only time may help.
    SamePlace,
}

pub(super) fn routes(blueprint: &Blueprint) -> Vec<Value> {
    let mut routes = Vec::new();
    for pace in [RetryPace::SamePlace, RetryPace::Elsewhere] {
        routes.extend([ROUTE_UNARY, ROUTE_STREAM].map(|kind| route(kind, pace, blueprint)));
    }
    routes.push(not_admitted());
    routes
}

fn route(kind: &str, pace: RetryPace, blueprint: &Blueprint) -> Value {
    let mut headers = vec![exact(HEADER_ROUTE, kind)];
    let name = match pace {
        RetryPace::SamePlace => {
            headers.push(exact(HEADER_PACE, PACE_SLOW));
            format!("{kind}-{PACE_SLOW}")
        }
        RetryPace::Elsewhere => kind.to_owned(),
    };
    let limit = duration(blueprint.request_timeout);
    let (timeout, idle_timeout) = match kind {
        ROUTE_STREAM => (seconds(0), limit),
        _ => (limit, seconds(0)),
    };
    json!({
        "name": name,
        "match": { "prefix": "/", "headers": headers },
        "route": {
            "cluster_specifier_plugin": itinerary::PLUGIN,
            "timeout": timeout,
            "idle_timeout": idle_timeout,
            "retry_policy": retry_policy(blueprint.settings.attempts_at_most(), pace),
        },
    })
}

/// The route of a request until the filter admits it. Nothing can be sent on it: its cluster does
/// not exist, and `local_reply_config` supplies the body of the 404. It is not a direct response,
/// because Envoy takes the virtual host's `request_body_buffer_limit` from a route with a cluster
/// only. Without it, a body that arrives before the filter has chosen the route has the limit of
/// the connection.
fn not_admitted() -> Value {
    json!({
        "match": { "prefix": "/" },
        "route": { "cluster": itinerary::CLUSTER_NONE, "cluster_not_found_response_code": "NOT_FOUND" },
    })
}

fn exact(header: &str, value: &str) -> Value {
    json!({ "name": header, "string_match": { "exact": value } })
}

fn retry_policy(attempts: u32, pace: RetryPace) -> Option<Value> {
    let retries = attempts.checked_sub(1).filter(|&retries| retries > 0)?;
    let (base, max) = match pace {
        RetryPace::Elsewhere => (10, 50),
        RetryPace::SamePlace => (250, 4_000),
    };
    Some(json!({
        "retry_on": RETRY_ON,
        "retriable_headers": [{ "name": HEADER_RETRY, "present_match": true }],
        "num_retries": retries,
        "refresh_cluster_on_retry": true,
        // The signer asks for this when the next attempt goes where the last one has failed.
        "rate_limited_retry_back_off": {
            "reset_headers": [{ "name": HEADER_BACKOFF, "format": "SECONDS" }],
            "max_interval": seconds(BACKOFF_MAX_SECONDS),
        },
        "retry_back_off": { "base_interval": milliseconds(base), "max_interval": milliseconds(max) },
    }))
}
