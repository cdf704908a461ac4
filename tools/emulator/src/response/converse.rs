//! Converse and ConverseStream.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::model_request::{ModelRequest, parse};
use super::model_response::{ModelResponse, ResponseContent};
use super::tools::{self, ModelReply, OfferedTool, ToolChoice};
use super::usage::{EmulatedUsage, LATENCY_MS};
use super::{guardrail, text};
use crate::api_error::ApiError;
use crate::judge::models::ModelKind;
use crate::judge::route::ApiOperation;
use crate::random::SplitMix;
use crate::response::frame;

/// The members of a body that matter here. The others are skipped.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConverseRequest<'a> {
    #[serde(borrow)]
    messages: Option<Vec<ConverseMessage<'a>>>,
    inference_config: Option<InferenceConfig>,
    tool_config: Option<Value>,
    service_tier: Option<Value>,
    performance_config: Option<Value>,
    guardrail_config: Option<Value>,
}

#[derive(Deserialize)]
struct ConverseMessage<'a> {
    role: ConverseRole,
    #[serde(borrow)]
    content: Vec<ConverseBlock<'a>>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum ConverseRole {
    User,
    Assistant,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConverseBlock<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    tool_result: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InferenceConfig {
    max_tokens: Option<u64>,
}

pub(super) fn respond(request: &ModelRequest<'_>) -> Result<ModelResponse, ApiError> {
    let mut body: ConverseRequest<'_> = parse(request.body)?;
    let guardrail = guardrail::of_body(body.guardrail_config.take(), request.operation)?;
    let user_text = last_user_text(&body, request.model)?;
    let is_blocked = guardrail.is_some() && user_text.contains(guardrail::BLOCKED);
    let reply = match tool_call(&body, user_text, request) {
        _ if is_blocked => ModelReply::Text(guardrail::MESSAGE.to_owned()),
        Some(call) => ModelReply::ToolCall(call),
        None => ModelReply::Text(text::compose(request, user_text)),
    };
    let max_tokens = body
        .inference_config
        .as_ref()
        .and_then(|config| config.max_tokens);
    if max_tokens == Some(0) {
        return Err(ApiError::validation(
            "The value at inferenceConfig.maxTokens must be at least 1.",
        ));
    }
    let mut usage = EmulatedUsage::of(request.digest, request.body.len(), &reply.text(), max_tokens);
    if let Some(cache) = request
        .prompt_cache
        .usage(request.region, request.model_id, request.body)
    {
        usage.cache = cache;
    }
    let stop_reason = match reply {
        ModelReply::ToolCall(_) => "tool_use",
        ModelReply::Text(_) if is_blocked => guardrail::INTERVENED,
        ModelReply::Text(_) if max_tokens == Some(usage.output) => "max_tokens",
        ModelReply::Text(_) => "end_turn",
    };

    let mut tail = json!({ "usage": usage.converse(), "metrics": { "latencyMs": LATENCY_MS } });
    for (name, requested) in [
        ("serviceTier", body.service_tier),
        ("performanceConfig", body.performance_config),
    ] {
        if let Some(requested @ Value::Object(_)) = requested {
            tail[name] = requested;
        }
    }
    let content = match request.operation {
        ApiOperation::ConverseStream => ResponseContent::Frames(stream(request, &reply, stop_reason, tail)?),
        _ => {
            let block = match &reply {
                ModelReply::Text(text) => json!({ "text": text }),
                ModelReply::ToolCall(call) => json!({
                    "toolUse": { "toolUseId": call.id, "name": call.name, "input": call.input },
                }),
            };
            let message = json!({ "role": "assistant", "content": [block] });
            tail["output"] = json!({ "message": message });
            tail["stopReason"] = stop_reason.into();
            ResponseContent::Whole(tail.to_string().into())
        }
    };
    Ok(ModelResponse {
        headers: Vec::new(),
        content,
        usage: Some(usage),
    })
}

fn last_user_text<'a>(body: &'a ConverseRequest<'_>, model: ModelKind) -> Result<&'a str, ApiError> {
    let messages = match &body.messages {
        Some(messages) if !messages.is_empty() => messages,
        _ if model == ModelKind::Prompt => return Ok("a stored prompt"),
        None => return Err(ApiError::validation("messages: Field required")),
        Some(_) => return Err(ApiError::validation("messages: at least one message is required")),
    };
    if messages
        .first()
        .is_some_and(|message| message.role == ConverseRole::Assistant)
    {
        return Err(ApiError::validation(
            "A conversation must start with a user message. Try again with a conversation that starts with a user \
             message.",
        ));
    }
    if messages.iter().any(|message| message.content.is_empty()) {
        return Err(ApiError::validation(
            "The content field in the Message object is empty.",
        ));
    }
    let texts = messages
        .iter()
        .rev()
        .filter(|message| message.role == ConverseRole::User);
    Ok(texts
        .flat_map(|message| message.content.iter().rev())
        .find_map(|block| block.text.as_deref())
        .unwrap_or("no text"))
}

/// The tool call that the request asks for.
fn tool_call(
    body: &ConverseRequest<'_>,
    user_text: &str,
    request: &ModelRequest<'_>,
) -> Option<tools::ToolCall> {
    let config = body.tool_config.as_ref()?;
    let offered: Vec<OfferedTool<'_>> = config["tools"]
        .as_array()?
        .iter()
        .filter_map(|tool| {
            let specification = tool.get("toolSpec")?;
            Some(OfferedTool {
                name: specification["name"].as_str()?,
                schema: &specification["inputSchema"]["json"],
            })
        })
        .collect();
    let choice = &config["toolChoice"];
    let choice = match choice["tool"]["name"].as_str() {
        Some(name) => ToolChoice::Named(name),
        None if choice.get("any").is_some() => ToolChoice::Any,
        None => ToolChoice::Auto,
    };
    let last = body.messages.as_ref().and_then(|messages| messages.last());
    let has_result =
        last.is_some_and(|message| message.content.iter().any(|block| block.tool_result.is_some()));
    tools::call(&offered, &choice, user_text, has_result, request.digest)
}

fn stream(
    request: &ModelRequest<'_>,
    reply: &ModelReply,
    stop_reason: &str,
    tail: Value,
) -> Result<Vec<frame::EventFrame>, ApiError> {
    let mut random = SplitMix::from_digest(request.digest);
    let mut all = vec![frame::event(
        "messageStart",
        json!({ "role": "assistant" }),
        random.next(),
    )?];
    if let ModelReply::ToolCall(call) = reply {
        let start = json!({ "toolUse": { "toolUseId": call.id, "name": call.name } });
        let start = json!({ "contentBlockIndex": 0, "start": start });
        all.push(frame::event("contentBlockStart", start, random.next())?);
    }
    for piece in text::pieces(request, &reply.text()) {
        let delta = match reply {
            ModelReply::Text(_) => json!({ "text": piece }),
            ModelReply::ToolCall(_) => json!({ "toolUse": { "input": piece } }),
        };
        let delta = json!({ "contentBlockIndex": 0, "delta": delta });
        all.push(frame::event("contentBlockDelta", delta, random.next())?);
    }
    all.push(frame::event(
        "contentBlockStop",
        json!({ "contentBlockIndex": 0 }),
        random.next(),
    )?);
    all.push(frame::event(
        "messageStop",
        json!({ "stopReason": stop_reason }),
        random.next(),
    )?);
    let mut metadata = frame::event("metadata", tail, random.next())?;
    metadata.reports_usage = true;
    all.push(metadata);
    Ok(all)
}
