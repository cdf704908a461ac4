//! Event-stream frames, encoded by AWS's own crate.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use hyper::StatusCode;
use serde_json::Value;

use crate::api_error::ApiError;

const JSON: &str = "application/json";
/// Paddings are prefixes of this. Bedrock pads events to hide the length of the text.
const PADDING: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// One frame of a response.
#[derive(Clone, Debug)]
pub(crate) struct EventFrame {
    pub(crate) bytes: Bytes,
    /// Whether it has the usage of the response.
    pub(crate) reports_usage: bool,
}

/// An event. `payload` is an object; `random` decides the length of its padding.
pub(crate) fn event(name: &str, mut payload: Value, random: u64) -> Result<EventFrame, ApiError> {
    if let Value::Object(members) = &mut payload {
        let length = usize::try_from(random % 62).unwrap_or(0);
        members.insert("p".to_owned(), PADDING.get(..length).unwrap_or(PADDING).into());
    }
    encode(":event-type", name, "event", &payload)
}

/// An exception in a stream that began with status 200. `name` is a type such as
/// `throttlingException`.
pub(crate) fn exception(name: &str, message: &str) -> Result<EventFrame, ApiError> {
    let mut payload = serde_json::json!({ "message": message });
    if name == "modelStreamErrorException" {
        payload["originalStatusCode"] = 500.into();
        payload["originalMessage"] = message.into();
    }
    encode(":exception-type", name, "exception", &payload)
}

fn encode(
    type_header: &'static str,
    name: &str,
    kind: &'static str,
    payload: &Value,
) -> Result<EventFrame, ApiError> {
    let text = |value: &str| HeaderValue::String(value.to_owned().into());
    let message = Message::new(payload.to_string())
        .add_header(Header::new(type_header, text(name)))
        .add_header(Header::new(":content-type", text(JSON)))
        .add_header(Header::new(":message-type", text(kind)));
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes)
        .map_err(|_| ApiError::of_status(StatusCode::INTERNAL_SERVER_ERROR))?;
    Ok(EventFrame {
        bytes: bytes.into(),
        reports_usage: false,
    })
}
