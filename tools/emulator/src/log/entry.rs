//! One request and its response in the log.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::judge::route::ApiOperation;
use crate::response::guardrail::RequestGuardrail;
use crate::response::usage::EmulatedUsage;

/// A request and its response. Times are UNIX milliseconds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LogEntry {
    /// Position in the log. Requests are numbered when they end, so `since` never misses one.
    pub index: u64,
    /// Position in the order of arrival, from 0.
    pub arrival: u64,
    /// The region that the request reached.
    pub region: String,
    /// Number of the connection. Requests on one connection have the same number.
    pub connection: u64,
    /// Whether the connection uses TLS.
    pub tls: bool,
    /// `h1` or `h2`.
    pub protocol: &'static str,
    /// The method.
    pub method: String,
    /// Path and query, byte for byte.
    pub path: String,
    /// `:authority` of HTTP/2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Names and values as received; secrets are redacted.
    pub headers: Vec<(String, String)>,
    /// Length of the body.
    pub body_bytes: u64,
    /// Hex SHA-256 of the body; empty if the body was not read to its end.
    pub body_sha256: String,
    /// Whether the request is authenticated; `null` if that was never checked, because the
    /// connection broke or was reset early.
    pub verified: Option<bool>,
    /// `signature`, `api key`, `short-term api key`, or why the request is not authenticated.
    pub reason: Option<&'static str>,
    /// Whether the test that sent the request meant it to be valid (`mode`).
    pub expected_to_verify: bool,
    /// What a gateway must never send.
    pub violations: Vec<String>,
    /// The kind of the fault that hit the request.
    pub fault: Option<String>,
    /// Id of that fault.
    pub fault_id: Option<u64>,
    /// HTTP status of the response; `null` if none was sent.
    pub status: Option<u16>,
    /// `x-amzn-ErrorType` of the response, or the type of an exception in the stream.
    pub error_type: Option<String>,
    /// `x-amzn-RequestId` of the response.
    pub request_id: String,
    /// Model id or ARN, percent-decoded.
    pub model: Option<String>,
    /// The operation.
    pub operation: Option<ApiOperation>,
    /// The guardrail that the request names, if AWS would accept it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guardrail: Option<RequestGuardrail>,
    /// The access key id in the signature, or in that of a short-term API key.
    pub access_key_id: Option<String>,
    /// The account that this access key id belongs to, if it is known.
    pub account: Option<String>,
    /// Whether that credential had expired when the request was judged.
    pub credential_expired: bool,
    /// When the request headers had arrived.
    pub received_unix_ms: u64,
    /// When the request body had arrived.
    pub body_unix_ms: Option<u64>,
    /// When the response headers were sent.
    pub headers_unix_ms: Option<u64>,
    /// When each frame of the response was sent.
    pub frames_unix_ms: Vec<u64>,
    /// When the request ended, in whatever way.
    pub ended_unix_ms: u64,
    /// How it ended.
    pub ended: Ended,
    /// When the emulator noticed that the client was gone, if it left early.
    pub client_gone_unix_ms: Option<u64>,
    /// The response's usage in Converse's form; `null` for errors.
    pub usage: Option<EmulatedUsage>,
    /// Whether the usage was sent, in the response or its headers. A response that breaks off may
    /// not have sent it.
    pub usage_reported: bool,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The whole response was sent.
    #[default]
    Complete,
    /// The client closed the connection first.
    ClientGone,
    /// A fault broke it off.
    Fault,
    /// The emulator stopped.
    Shutdown,
}

/// Now, in UNIX milliseconds.
pub(crate) fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
