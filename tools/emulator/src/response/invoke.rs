//! InvokeModel and InvokeModelWithResponseStream. Every text model uses Anthropic's form.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use super::model_request::ModelRequest;
use super::model_response::{ModelResponse, ResponseContent};
use super::tools::{self, ModelReply, OfferedTool, ToolChoice};
use super::usage::{CacheUsage, EmulatedUsage, LATENCY_MS};
use super::{guardrail, text};
use crate::api_error::ApiError;
use crate::judge::route::ApiOperation;
use crate::random::SplitMix;
use crate::response::frame::{self, EventFrame};

/// Request headers that Bedrock repeats in the response.
const ECHOED: [&str; 2] = [
    "x-amzn-bedrock-performanceconfig-latency",
    "x-amzn-bedrock-service-tier",
];

#[derive(Deserialize)]
struct InvokeRequest<'a> {
    #[serde(borrow)]
    messages: Vec<InvokeMessage<'a>>,
    max_tokens: Option<u64>,
    #[serde(default)]
    tools: Value,
    #[serde(default)]
    tool_choice: Value,
}

#[derive(Deserialize)]
struct InvokeMessage<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow)]
    content: InvokeContent<'a>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum InvokeContent<'a> {
    #[serde(borrow)]
    Text(Cow<'a, str>),
    #[serde(borrow)]
    Blocks(Vec<InvokeBlock<'a>>),
}

#[derive(Deserialize)]
struct InvokeBlock<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

pub(super) fn respond(request: &ModelRequest<'_>) -> Result<ModelResponse, ApiError> {
    let guardrail = guardrail::of_headers(request.headers)?;
    let body: InvokeRequest<'_> = serde_json::from_slice(request.body).map_err(malformed)?;
    let user_text = body
        .messages
        .iter()
        .rev()
        .filter(|message| message.role == "user")
        .find_map(|message| match &message.content {
            InvokeContent::Text(text) => Some(text.as_ref()),
            InvokeContent::Blocks(blocks) => blocks.iter().rev().find_map(|block| block.text.as_deref()),
        });
    if body.messages.is_empty() {
        return Err(ApiError::validation("messages: at least one message is required"));
    }
    let user_text = user_text.unwrap_or("no text");
    let is_blocked = guardrail.is_some() && user_text.contains(guardrail::BLOCKED);
    let reply = match tool_call(&body, user_text, request) {
        _ if is_blocked => ModelReply::Text(guardrail::MESSAGE.to_owned()),
        Some(call) => ModelReply::ToolCall(call),
        None => ModelReply::Text(text::compose(request, user_text)),
    };
    let usage = EmulatedUsage::of(request.digest, request.body.len(), &reply.text(), body.max_tokens);
    let stop_reason = match reply {
        ModelReply::ToolCall(_) => "tool_use",
        ModelReply::Text(_) if body.max_tokens == Some(usage.output) => "max_tokens",
        ModelReply::Text(_) => "end_turn",
    };
    let mut headers = echoed(request);
    let content = match request.operation {
        ApiOperation::InvokeWithResponseStream => {
            headers.push((
                name("x-amzn-bedrock-content-type"),
                HeaderValue::from_static("application/json"),
            ));
            ResponseContent::Frames(stream(request, &reply, stop_reason, &usage)?)
        }
        _ => {
            headers.extend(counts(&usage));
            let mut message = message(request, &usage, usage.output);
            message["content"] = match &reply {
                ModelReply::Text(text) => json!([{ "type": "text", "text": text }]),
                ModelReply::ToolCall(call) => json!([tool_use(call, &call.input)]),
            };
            message["stop_reason"] = stop_reason.into();
            if guardrail.is_some() {
                let action = if is_blocked { "INTERVENED" } else { "NONE" };
                message["amazon-bedrock-guardrailAction"] = action.into();
            }
            ResponseContent::Whole(message.to_string().into())
        }
    };
    Ok(ModelResponse {
        headers,
        content,
        usage: Some(usage),
    })
}

/// The tool call that the request asks for.
fn tool_call(
    body: &InvokeRequest<'_>,
    user_text: &str,
    request: &ModelRequest<'_>,
) -> Option<tools::ToolCall> {
    let offered: Vec<OfferedTool<'_>> = body
        .tools
        .as_array()?
        .iter()
        .filter_map(|tool| {
            Some(OfferedTool {
                name: tool["name"].as_str()?,
                schema: tool.get("input_schema")?,
            })
        })
        .collect();
    let choice = match body.tool_choice["type"].as_str() {
        Some("none") => return None,
        Some("any") => ToolChoice::Any,
        Some("tool") => ToolChoice::Named(body.tool_choice["name"].as_str()?),
        _ => ToolChoice::Auto,
    };
    let has_result = body
        .messages
        .last()
        .is_some_and(|message| match &message.content {
            InvokeContent::Text(_) => false,
            InvokeContent::Blocks(blocks) => blocks
                .iter()
                .any(|block| block.kind.as_deref() == Some("tool_result")),
        });
    tools::call(&offered, &choice, user_text, has_result, request.digest)
}

fn tool_use(call: &tools::ToolCall, input: &Value) -> Value {
    json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": input })
}

/// An embedding. The headers and Titan's own member report its usage.
pub(super) fn embed(request: &ModelRequest<'_>) -> Result<ModelResponse, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Request<'a> {
        #[serde(borrow)]
        input_text: Cow<'a, str>,
    }
    let body: Request<'_> = serde_json::from_slice(request.body).map_err(malformed)?;
    let mut usage = EmulatedUsage::of(request.digest, body.input_text.len(), "", None);
    (usage.output, usage.cache) = (0, CacheUsage::Unmentioned);
    let vector: Vec<f64> = request
        .digest
        .iter()
        .map(|byte| f64::from(*byte) / 256.0)
        .collect();
    let body = json!({ "embedding": vector, "inputTextTokenCount": usage.input });
    let mut headers = echoed(request);
    headers.extend(counts(&usage));
    Ok(ModelResponse {
        headers,
        content: ResponseContent::Whole(body.to_string().into()),
        usage: Some(usage),
    })
}

/// Ranked documents. AWS charges for them by the query, not by the tokens in the headers.
pub(super) fn rerank(request: &ModelRequest<'_>) -> Result<ModelResponse, ApiError> {
    #[derive(Deserialize)]
    struct Request<'a> {
        #[serde(borrow)]
        query: Cow<'a, str>,
        #[serde(borrow)]
        documents: Vec<Cow<'a, str>>,
    }
    let body: Request<'_> = serde_json::from_slice(request.body).map_err(malformed)?;
    if body.query.is_empty() || body.documents.is_empty() {
        return Err(ApiError::validation("query and documents: Field required"));
    }
    let mut usage = EmulatedUsage::of(request.digest, request.body.len(), "", None);
    (usage.output, usage.cache) = (0, CacheUsage::Unmentioned);
    let results: Vec<Value> = (0..body.documents.len())
        .map(|index| json!({ "index": index, "relevance_score": 1.0 / (index + 1) as f64 }))
        .collect();
    let mut headers = echoed(request);
    headers.extend(counts(&usage));
    Ok(ModelResponse {
        headers,
        content: ResponseContent::Whole(json!({ "results": results }).to_string().into()),
        usage: Some(usage),
    })
}

fn malformed(error: serde_json::Error) -> ApiError {
    ApiError::validation(format!(
        "Malformed input request: {error}, please reformat your input and try again."
    ))
}

fn name(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

fn echoed(request: &ModelRequest<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let echo = |header| Some((name(header), request.headers.get(header)?.clone()));
    ECHOED.into_iter().filter_map(echo).collect()
}

fn counts(usage: &EmulatedUsage) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = vec![
        (
            name("x-amzn-bedrock-invocation-latency"),
            HeaderValue::from(LATENCY_MS),
        ),
        (
            name("x-amzn-bedrock-input-token-count"),
            HeaderValue::from(usage.input),
        ),
        (
            name("x-amzn-bedrock-output-token-count"),
            HeaderValue::from(usage.output),
        ),
    ];
    if let CacheUsage::Counted {
        read,
        write_5m,
        write_1h,
    } = usage.cache
    {
        headers.push((
            name("x-amzn-bedrock-cache-read-input-token-count"),
            HeaderValue::from(read),
        ));
        let write = HeaderValue::from(write_5m + write_1h);
        headers.push((name("x-amzn-bedrock-cache-write-input-token-count"), write));
    }
    headers
}

fn message(request: &ModelRequest<'_>, usage: &EmulatedUsage, output: u64) -> Value {
    json!({
        "id": format!("msg_bdrk_{}", hex::encode(&request.digest[..12])),
        "type": "message",
        "role": "assistant",
        "model": request.model_id,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": usage.anthropic(output),
    })
}

fn stream(
    request: &ModelRequest<'_>,
    reply: &ModelReply,
    stop_reason: &str,
    usage: &EmulatedUsage,
) -> Result<Vec<EventFrame>, ApiError> {
    let mut random = SplitMix::from_digest(request.digest);
    let mut events =
        vec![json!({ "type": "message_start", "message": message(request, usage, 1.min(usage.output)) })];
    let block = match reply {
        ModelReply::Text(_) => json!({ "type": "text", "text": "" }),
        ModelReply::ToolCall(call) => tool_use(call, &json!({})),
    };
    events.push(json!({ "type": "content_block_start", "index": 0, "content_block": block }));
    for piece in text::pieces(request, &reply.text()) {
        let delta = match reply {
            ModelReply::Text(_) => json!({ "type": "text_delta", "text": piece }),
            ModelReply::ToolCall(_) => json!({ "type": "input_json_delta", "partial_json": piece }),
        };
        events.push(json!({ "type": "content_block_delta", "index": 0, "delta": delta }));
    }
    events.push(json!({ "type": "content_block_stop", "index": 0 }));
    events.push(json!({
        "type": "message_delta",
        "delta": { "stop_reason": stop_reason, "stop_sequence": null },
        "usage": { "output_tokens": usage.output },
    }));
    events.push(json!({
        "type": "message_stop",
        "amazon-bedrock-invocationMetrics": usage.invocation_metrics(),
    }));
    let mut all = Vec::with_capacity(events.len());
    for event in events {
        let chunk = json!({ "bytes": STANDARD.encode(event.to_string()) });
        all.push(frame::event("chunk", chunk, random.next())?);
    }
    if let Some(last) = all.last_mut() {
        last.reports_usage = true;
    }
    Ok(all)
}
