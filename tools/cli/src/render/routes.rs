//! How a request that the filter has admitted is sent: which time limits hold, and how it is tried again.

use envoy_bedrock::contract::names::{HEADER_CLUSTER, HEADER_RETRY, HEADER_ROUTE, ROUTE_STREAM, ROUTE_UNARY};

use super::duration::{duration, milliseconds, seconds};
use super::failover::Failover;
use super::yaml::{Node, list, map};
use crate::blueprint::Blueprint;

/// No answer so far, or one of which the signer says that another deployment may do better. Nothing is tried again
/// after the first byte of an answer.
const RETRY_ON: &str = "connect-failure,refused-stream,reset,retriable-headers";

/// How long to wait before the next attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RetryPace {
    /// It goes elsewhere, so hardly at all.
    Elsewhere,
    /// It goes where the last one failed, so time is what may help.
    SamePlace,
}

pub(crate) fn routes(blueprint: &Blueprint, failovers: &[Failover]) -> Vec<Node> {
    let is_patient = |failover: &&Failover| failover.has_one_region();
    let patient: Vec<&Failover> = failovers.iter().filter(is_patient).collect();
    let kinds = [ROUTE_UNARY, ROUTE_STREAM];
    let all_patient = patient.len() == failovers.len();
    let mut routes = Vec::new();
    if !all_patient {
        // Exact names, because Envoy bounds the size of regular expressions.
        for failover in patient {
            routes.extend(kinds.map(|kind| route(kind, Some(failover), RetryPace::SamePlace, blueprint)));
        }
    }
    let pace = if all_patient {
        RetryPace::SamePlace
    } else {
        RetryPace::Elsewhere
    };
    routes.extend(kinds.map(|kind| route(kind, None, pace, blueprint)));
    // What the filter has not admitted. The body is the one of `local_reply_config`.
    routes.push(map! {
        "match" => map! { "prefix" => "/" },
        "direct_response" => map! { "status" => 404u16 },
    });
    routes
}

fn route(kind: &'static str, only: Option<&Failover>, pace: RetryPace, blueprint: &Blueprint) -> Node {
    let mut headers = vec![exact(HEADER_ROUTE, kind)];
    headers.extend(only.map(|failover| exact(HEADER_CLUSTER, &failover.name)));
    let limit = duration(blueprint.request_timeout);
    let (timeout, idle_timeout) = match kind {
        ROUTE_STREAM => (seconds(0), limit),
        _ => (limit, seconds(0)),
    };
    map! {
        "name" => kind,
        "match" => map! { "prefix" => "/", "headers" => headers },
        "route" => map! {
            "cluster_header" => HEADER_CLUSTER,
            "timeout" => timeout,
            "idle_timeout" => idle_timeout,
            "retry_policy" => retry_policy(blueprint.settings.attempts, pace),
        },
    }
}

fn exact(header: &'static str, value: &str) -> Node {
    map! { "name" => header, "string_match" => map! { "exact" => value } }
}

fn retry_policy(attempts: u32, pace: RetryPace) -> Option<Node> {
    let retries = attempts.checked_sub(1).filter(|&retries| retries > 0)?;
    let (base, most) = match pace {
        RetryPace::Elsewhere => (10, 50),
        RetryPace::SamePlace => (250, 4_000),
    };
    Some(map! {
        "retry_on" => RETRY_ON,
        "retriable_headers" => list![map! { "name" => HEADER_RETRY, "present_match" => true }],
        "num_retries" => retries,
        "retry_back_off" => map! { "base_interval" => milliseconds(base), "max_interval" => milliseconds(most) },
    })
}
