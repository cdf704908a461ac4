//! Names shared by the rendered Envoy configuration and the filter.
//!
//! The headers never leave Envoy: the gateway role drops all client headers that are not on its
//! allow-list, and the signer role rebuilds the upstream request from the plan.

/// Root id of the gateway role, in the listener's filter chain: admission and routing.
pub const ROOT_GATEWAY: &str = "gateway";
/// Root id of the signer role, in the upstream filter chain of region clusters: signs each attempt.
pub const ROOT_SIGNER: &str = "signer";

/// Prefix of the gateway's own headers. It is removed from responses before the router sees them.
pub const HEADER_PREFIX: &str = "x-eb-";
/// Request header that slows retries down: they can only go where an attempt has failed.
pub const HEADER_PACE: &str = "x-eb-pace";
/// The value of [`HEADER_PACE`].
pub const PACE_SLOW: &str = "slow";
/// Request header that selects the route: [`ROUTE_UNARY`] or [`ROUTE_STREAM`], which have different
/// timeouts.
pub const HEADER_ROUTE: &str = "x-eb-route";
/// Route for operations with a single response body: `request_timeout` covers the whole request.
pub const ROUTE_UNARY: &str = "unary";
/// Route for operations with an event stream: there is only an idle timeout.
pub const ROUTE_STREAM: &str = "stream";
/// Response header by which the signer requests another attempt from the router
/// (`retriable_headers`).
pub const HEADER_RETRY: &str = "x-eb-retry";
/// Request header in which Envoy's router finds the time limit of the request, in milliseconds.
pub const HEADER_TIMEOUT: &str = "x-envoy-upstream-rq-timeout-ms";
/// Request header in which Envoy's router finds the time limit of an attempt, in milliseconds. It
/// ends when the response begins.
pub const HEADER_ATTEMPT_TIMEOUT: &str = "x-envoy-upstream-rq-per-try-timeout-ms";
/// Response header with the number of seconds after which the signer wants the next attempt.
pub const HEADER_BACKOFF: &str = "x-eb-backoff";
/// Request header that marks the gateway's own local replies, whose bodies `local_reply_config`
/// must not replace.
pub const HEADER_REJECTED: &str = "x-eb-rejected";

/// Property with the request's [`itinerary`](crate::contract::itinerary), which begins with the key
/// of its plan in the VM's table. Envoy stores it as filter state [`STATE_PLAN`]. A header would
/// either reach Bedrock or be gone by the next attempt.
pub const PROPERTY_PLAN: &str = "envoy_bedrock.plan";
/// The filter state of [`PROPERTY_PLAN`].
pub const STATE_PLAN: &str = "wasm.envoy_bedrock.plan";

/// Start of what the native module logs, with Envoy's logger `dynamic_modules`.
pub const LOG_NATIVE: &str = "envoy-bedrock: ";

/// What the call id follows at the end of a message that the filter logs about a request.
pub const LOG_REQUEST_ID: &str = " request_id=";

/// Property with the request's row in the spend log, for Envoy's access logger
/// (`FILTER_STATE(wasm.…:PLAIN)`).
pub const PROPERTY_ROW: &str = "envoy_bedrock.row";
/// The filter state of [`PROPERTY_ROW`].
pub const STATE_ROW: &str = "wasm.envoy_bedrock.row";

/// Key of the capacity ledger in Envoy's shared data.
pub const SHARED_LEDGER: &str = "envoy_bedrock.capacity.v2";
/// Prefix of the keys of limits' tallies in Envoy's shared data.
pub const SHARED_LIMITS: &str = "envoy_bedrock.limits.v1/";
/// Key of the deployments that cool down in Envoy's shared data.
pub const SHARED_COOLDOWNS: &str = "envoy_bedrock.cooldowns.v1";
/// Prefix of the keys of the counts of failures in Envoy's shared data.
pub const SHARED_FAILURES: &str = "envoy_bedrock.failures.v1/";
/// Key of the deployments' latencies in Envoy's shared data.
pub const SHARED_LATENCIES: &str = "envoy_bedrock.latencies.v1";

/// Namespace of the endpoint metadata in the region clusters.
pub const METADATA_NAMESPACE: &str = "envoy-bedrock";
/// Key in that namespace for the name of the region cluster. The signer uses it to verify Envoy's
/// choice.
pub const METADATA_CLUSTER: &str = "cluster";

/// Property of the region cluster that Envoy has chosen for an attempt: [`METADATA_CLUSTER`] in
/// [`METADATA_NAMESPACE`].
pub const PROPERTY_CLUSTER: &str = "xds\0upstream_host_metadata\0filter_metadata\0envoy-bedrock\0cluster";

/// The cluster that connects to the credential broker.
pub const CLUSTER_BROKER: &str = "envoy_bedrock_credentials";

/// Request header in which Envoy's router counts attempts. The signer role removes it with all
/// others.
pub const HEADER_ATTEMPT: &str = "x-envoy-attempt-count";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_property_is_the_path_of_the_metadata() {
        let path = [
            "xds",
            "upstream_host_metadata",
            "filter_metadata",
            METADATA_NAMESPACE,
            METADATA_CLUSTER,
        ];
        assert_eq!(PROPERTY_CLUSTER, path.join("\0"));
    }
}
