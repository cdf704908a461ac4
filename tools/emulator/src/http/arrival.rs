//! A request that has just arrived: its connection, its id, and the start of its log entry.

use std::sync::Arc;

use hyper::Version;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;

use super::reset::ResetHandle;
use crate::judge::authorization::redact;
use crate::log::recording::Recording;
use crate::random::mix;
use crate::state::{EmulatorState, RegionState};

/// The connection that a request arrived on.
#[derive(Clone, Debug)]
pub(super) struct ConnectionInfo {
    pub(super) number: u64,
    pub(super) tls: bool,
    pub(super) reset: Arc<ResetHandle>,
}

/// Starts the log entry of a request.
pub(super) fn begin(region: &RegionState, connection: &ConnectionInfo, parts: &Parts) -> Box<Recording> {
    let emulator = &region.emulator;
    let mut recording = Recording::new(emulator.log.clone(), emulator.stopping.clone(), &region.name);
    let entry = &mut recording.entry;
    entry.request_id = request_id(emulator, entry.arrival);
    if emulator.log.keeps_entries() {
        entry.connection = connection.number;
        entry.tls = connection.tls;
        entry.protocol = if parts.version == Version::HTTP_2 {
            "h2"
        } else {
            "h1"
        };
        entry.method = parts.method.to_string();
        entry.path = target(parts).to_owned();
        entry.authority = authority(parts).map(str::to_owned);
        entry.headers = redacted(&parts.headers);
    }
    Box::new(recording)
}

/// Path and query, byte for byte.
pub(super) fn target(parts: &Parts) -> &str {
    parts.uri.path_and_query().map_or("/", |target| target.as_str())
}

/// `:authority`. An absolute request target of HTTP/1.1 has one too, with the same meaning.
pub(super) fn authority(parts: &Parts) -> Option<&str> {
    parts.uri.authority().map(|authority| authority.as_str())
}

/// A UUID of version 4. Emulators have different seeds, so their ids differ.
fn request_id(emulator: &EmulatorState, arrival: u64) -> String {
    let high = emulator.seed;
    let low = mix(emulator.seed ^ arrival.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let hex = format!("{high:016x}{low:016x}");
    format!(
        "{}-{}-4{}-a{}-{}",
        &hex[16..24],
        &hex[24..28],
        &hex[28..31],
        &hex[..3],
        &hex[3..15]
    )
}

/// The headers for the log, without secrets.
fn redacted(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let pair = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = match name.as_str() {
            "authorization" => redact(&text(value)),
            "x-amz-security-token" => "[redacted]".to_owned(),
            _ => text(value),
        };
        (name.as_str().to_owned(), value)
    };
    headers.iter().map(pair).collect()
}
