//! Converse and ConverseStream.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::content::{Answer, Content};
use super::question::{Question, parse};
use super::tools::{self, Choice, Reply, Tool};
use super::usage::{LATENCY_MS, Usage};
use super::{guardrail, text};
use crate::api_error::ApiError;
use crate::judge::models::Model;
use crate::judge::route::Operation;
use crate::random::Dice;
use crate::response::frame;

/// What of a request body matters here; the rest is skipped without being kept.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    messages: Option<Vec<Message<'a>>>,
    inference_config: Option<InferenceConfig>,
    tool_config: Option<Value>,
    service_tier: Option<Value>,
    performance_config: Option<Value>,
    guardrail_config: Option<Value>,
}

#[derive(Deserialize)]
struct Message<'a> {
    role: Role,
    #[serde(borrow)]
    content: Vec<Block<'a>>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Role {
    User,
    Assistant,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    tool_result: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InferenceConfig {
    max_tokens: Option<u64>,
}

pub(super) fn answer(question: &Question<'_>) -> Result<Answer, ApiError> {
    let mut request: Request<'_> = parse(question.body)?;
    let guardrail = guardrail::of_body(request.guardrail_config.take(), question.operation)?;
    let said = last_user_text(&request, question.model)?;
    let is_blocked = guardrail.is_some() && said.contains(guardrail::BLOCKED);
    let reply = match tool_call(&request, said, question) {
        _ if is_blocked => Reply::Text(guardrail::MESSAGE.to_owned()),
        Some(call) => Reply::Call(call),
        None => Reply::Text(text::compose(question, said)),
    };
    let max_tokens = request
        .inference_config
        .as_ref()
        .and_then(|config| config.max_tokens);
    if max_tokens == Some(0) {
        return Err(ApiError::validation(
            "The value at inferenceConfig.maxTokens must be at least 1.",
        ));
    }
    let usage = Usage::of(question.digest, question.body.len(), &reply.text(), max_tokens);
    let stop_reason = match reply {
        Reply::Call(_) => "tool_use",
        Reply::Text(_) if is_blocked => guardrail::INTERVENED,
        Reply::Text(_) if max_tokens == Some(usage.output) => "max_tokens",
        Reply::Text(_) => "end_turn",
    };

    let mut tail = json!({ "usage": usage.converse(), "metrics": { "latencyMs": LATENCY_MS } });
    for (name, asked) in [
        ("serviceTier", request.service_tier),
        ("performanceConfig", request.performance_config),
    ] {
        if let Some(asked @ Value::Object(_)) = asked {
            tail[name] = asked;
        }
    }
    let content = match question.operation {
        Operation::ConverseStream => Content::Frames(stream(question, &reply, stop_reason, tail)?),
        _ => {
            let block = match &reply {
                Reply::Text(text) => json!({ "text": text }),
                Reply::Call(call) => json!({
                    "toolUse": { "toolUseId": call.id, "name": call.name, "input": call.input },
                }),
            };
            let message = json!({ "role": "assistant", "content": [block] });
            tail["output"] = json!({ "message": message });
            tail["stopReason"] = stop_reason.into();
            Content::Whole(tail.to_string().into())
        }
    };
    Ok(Answer {
        headers: Vec::new(),
        content,
        usage: Some(usage),
    })
}

fn last_user_text<'a>(request: &'a Request<'_>, model: Model) -> Result<&'a str, ApiError> {
    let messages = match &request.messages {
        Some(messages) if !messages.is_empty() => messages,
        _ if model == Model::Prompt => return Ok("a stored prompt"),
        None => return Err(ApiError::validation("messages: Field required")),
        Some(_) => return Err(ApiError::validation("messages: at least one message is required")),
    };
    if messages
        .first()
        .is_some_and(|message| message.role == Role::Assistant)
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
    let texts = messages.iter().rev().filter(|message| message.role == Role::User);
    Ok(texts
        .flat_map(|message| message.content.iter().rev())
        .find_map(|block| block.text.as_deref())
        .unwrap_or("no text"))
}

/// The call of a tool that the request asks for.
fn tool_call(request: &Request<'_>, said: &str, question: &Question<'_>) -> Option<tools::Call> {
    let config = request.tool_config.as_ref()?;
    let offered: Vec<Tool<'_>> = config["tools"]
        .as_array()?
        .iter()
        .filter_map(|tool| {
            let specification = tool.get("toolSpec")?;
            Some(Tool {
                name: specification["name"].as_str()?,
                schema: &specification["inputSchema"]["json"],
            })
        })
        .collect();
    let choice = &config["toolChoice"];
    let choice = match choice["tool"]["name"].as_str() {
        Some(name) => Choice::Named(name),
        None if choice.get("any").is_some() => Choice::Any,
        None => Choice::Auto,
    };
    let last = request.messages.as_ref().and_then(|messages| messages.last());
    let has_result =
        last.is_some_and(|message| message.content.iter().any(|block| block.tool_result.is_some()));
    tools::call(&offered, &choice, said, has_result, question.digest)
}

fn stream(
    question: &Question<'_>,
    reply: &Reply,
    stop_reason: &str,
    tail: Value,
) -> Result<Vec<frame::Frame>, ApiError> {
    let mut dice = Dice::of(question.digest);
    let mut all = vec![frame::event(
        "messageStart",
        json!({ "role": "assistant" }),
        dice.roll(),
    )?];
    if let Reply::Call(call) = reply {
        let start = json!({ "toolUse": { "toolUseId": call.id, "name": call.name } });
        let start = json!({ "contentBlockIndex": 0, "start": start });
        all.push(frame::event("contentBlockStart", start, dice.roll())?);
    }
    for piece in text::pieces(question, &reply.text()) {
        let delta = match reply {
            Reply::Text(_) => json!({ "text": piece }),
            Reply::Call(_) => json!({ "toolUse": { "input": piece } }),
        };
        let delta = json!({ "contentBlockIndex": 0, "delta": delta });
        all.push(frame::event("contentBlockDelta", delta, dice.roll())?);
    }
    all.push(frame::event(
        "contentBlockStop",
        json!({ "contentBlockIndex": 0 }),
        dice.roll(),
    )?);
    all.push(frame::event(
        "messageStop",
        json!({ "stopReason": stop_reason }),
        dice.roll(),
    )?);
    let mut metadata = frame::event("metadata", tail, dice.roll())?;
    metadata.reports_usage = true;
    all.push(metadata);
    Ok(all)
}
