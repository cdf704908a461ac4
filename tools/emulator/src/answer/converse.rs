//! Converse and ConverseStream.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Content, Dice, LATENCY_MS, Question, Usage, parse, text};
use crate::error::ApiError;
use crate::frames;
use crate::models::Model;
use crate::route::Operation;

/// What of a request body matters here; the rest is skipped without being kept.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    messages: Option<Vec<Message<'a>>>,
    inference_config: Option<InferenceConfig>,
    service_tier: Option<Value>,
    performance_config: Option<Value>,
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
struct Block<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InferenceConfig {
    max_tokens: Option<u64>,
}

pub(super) fn answer(question: &Question<'_>) -> Result<Answer, ApiError> {
    let request: Request<'_> = parse(question.body)?;
    let said = last_user_text(&request, question.model)?;
    let reply = text::compose(question, said);
    let max_tokens = request
        .inference_config
        .as_ref()
        .and_then(|config| config.max_tokens);
    if max_tokens == Some(0) {
        return Err(ApiError::validation(
            "The value at inferenceConfig.maxTokens must be at least 1.",
        ));
    }
    let usage = Usage::of(question.digest, question.body.len(), &reply, max_tokens);
    let stop_reason = if max_tokens == Some(usage.output) {
        "max_tokens"
    } else {
        "end_turn"
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
            let message = json!({ "role": "assistant", "content": [{ "text": reply }] });
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

fn stream(
    question: &Question<'_>,
    reply: &str,
    stop_reason: &str,
    tail: Value,
) -> Result<Vec<frames::Frame>, ApiError> {
    let mut dice = Dice::of(question.digest);
    let mut all = vec![frames::event(
        "messageStart",
        json!({ "role": "assistant" }),
        dice.roll(),
    )?];
    for piece in text::pieces(question, reply) {
        let delta = json!({ "contentBlockIndex": 0, "delta": { "text": piece } });
        all.push(frames::event("contentBlockDelta", delta, dice.roll())?);
    }
    all.push(frames::event(
        "contentBlockStop",
        json!({ "contentBlockIndex": 0 }),
        dice.roll(),
    )?);
    all.push(frames::event(
        "messageStop",
        json!({ "stopReason": stop_reason }),
        dice.roll(),
    )?);
    let mut metadata = frames::event("metadata", tail, dice.roll())?;
    metadata.reports_usage = true;
    all.push(metadata);
    Ok(all)
}
