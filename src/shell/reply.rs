//! Ends a request with a reply of the gateway's own.

use super::{Action, host};
use crate::admission::reject::Reply;
use crate::contract::names::HEADER_REJECTED;
use crate::headers::pairs;

/// Sends `reply`, marked so that Envoy's `local_reply_config` leaves its body alone. When Envoy does not take it the
/// request stays paused and ends with the stream: it never goes on.
pub(super) fn send(reply: &Reply) -> Action {
    let _unmarked = host::set_request_header(HEADER_REJECTED, "1");
    let headers = reply
        .headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let headers = pairs::serialise(headers);
    if let Err(error) = host::reply(reply.status, "envoy_bedrock", &headers, &reply.body) {
        log::error!("a reply of status {} was not taken: {error:?}", reply.status);
    }
    Action::Pause
}
