//! Names on which the rendered Envoy configuration and the filter have to agree.
//!
//! The headers are internal to one Envoy: the gateway role drops everything the client sent outside its allow-list,
//! and the signer role rebuilds the upstream request from the plan, so none of them crosses either edge.

/// Root id of the role in the listener's filter chain: who is it, may they, which deployments.
pub const ROOT_GATEWAY: &str = "gateway";
/// Root id of the role in the failover clusters' upstream filter chain: signs each attempt.
pub const ROOT_SIGNER: &str = "signer";

/// Request header that names the failover cluster (the route's `cluster_header`).
pub const HEADER_CLUSTER: &str = "x-eb-cluster";
/// Request header that chooses the route: [`ROUTE_UNARY`] or [`ROUTE_STREAM`] (they differ in their time limits).
pub const HEADER_ROUTE: &str = "x-eb-route";
/// Route of operations that answer with one body: `request_timeout` bounds the whole.
pub const ROUTE_UNARY: &str = "unary";
/// Route of operations that answer with an event stream: only idleness is bounded.
pub const ROUTE_STREAM: &str = "stream";
/// Response header by which the signer asks the router for another attempt (`retriable_headers`).
pub const HEADER_RETRY: &str = "x-eb-retry";
/// Request header that marks a reply as the gateway's own, so that `local_reply_config` leaves its body alone.
pub const HEADER_REJECTED: &str = "x-eb-rejected";

/// Property (Envoy keeps it as filter state `wasm.…`) that holds the key of the request's plan in the VM's table. It is
/// no header, because a header would either reach Bedrock or be gone when the next attempt looks for it.
pub const PROPERTY_PLAN: &str = "envoy_bedrock.plan";

/// Property that holds the request's line for the spend log, for Envoy's access logger (`FILTER_STATE(wasm.…:PLAIN)`).
pub const PROPERTY_ROW: &str = "envoy_bedrock.row";

/// Namespace of the endpoint metadata in the region clusters.
pub const METADATA_NAMESPACE: &str = "envoy-bedrock";
/// Key in that namespace: the name of the region cluster, by which the signer checks where Envoy really goes.
pub const METADATA_CLUSTER: &str = "cluster";

/// What separates region clusters in the name of a failover cluster (`us-west-2+us-east-1`).
pub const FAILOVER_SEPARATOR: char = '+';
