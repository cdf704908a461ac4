//! Responses to valid and invalid bodies, without a network.

use crate::response::prompt_cache::PromptCache;
use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::*;
use crate::control::pace::ResponsePace;
use crate::response::frame::EventFrame;
use crate::response::model_response::ResponseContent;
use hyper::header::{HeaderMap, HeaderValue};

mod guardrails;
mod tools;

const ID: &str = "us.anthropic.claude-3-5-sonnet-20240620-v1:0";

fn ask_at_pace(
    operation: ApiOperation,
    model: ModelKind,
    body: &[u8],
    pace: ResponsePace,
) -> Result<ModelResponse, ApiError> {
    ask_for(ID, operation, model, body, pace)
}

fn ask_for(
    model_id: &str,
    operation: ApiOperation,
    model: ModelKind,
    body: &[u8],
    pace: ResponsePace,
) -> Result<ModelResponse, ApiError> {
    let digest: [u8; 32] = Sha256::digest(body).into();
    let headers = HeaderMap::new();
    respond(&ModelRequest {
        operation,
        model_id,
        model,
        region: "us-west-2",
        headers: &headers,
        body,
        digest: &digest,
        pace,
        prompt_cache: &PromptCache::default(),
    })
}

fn ask(operation: ApiOperation, body: &[u8]) -> Result<ModelResponse, ApiError> {
    ask_at_pace(operation, ModelKind::Any, body, ResponsePace::default())
}

fn code(result: Result<ModelResponse, ApiError>) -> (u16, String) {
    let error = result.expect_err("an error");
    (error.status.as_u16(), error.code)
}

fn whole(response: ModelResponse) -> Value {
    match response.content {
        ResponseContent::Whole(bytes) => serde_json::from_slice(&bytes).unwrap(),
        ResponseContent::Frames(_) => panic!("not a whole body"),
    }
}

/// The type and payload of each event, decoded by AWS's own crate.
fn events(response: ModelResponse) -> Vec<(String, Value)> {
    let ResponseContent::Frames(frames) = response.content else {
        panic!("not a stream")
    };
    let decode = |frame: EventFrame| {
        let decoded = MessageFrameDecoder::new()
            .decode_frame(&mut frame.bytes.clone())
            .unwrap();
        let DecodedFrame::Complete(message) = decoded else {
            panic!("not a whole frame")
        };
        let header = |name: &str| {
            let found = message
                .headers()
                .iter()
                .find(|header| header.name().as_str() == name)
                .unwrap();
            found.value().as_string().unwrap().as_str().to_owned()
        };
        assert_eq!(
            (header(":message-type"), header(":content-type")),
            ("event".into(), "application/json".into())
        );
        (
            header(":event-type"),
            serde_json::from_slice(message.payload()).unwrap(),
        )
    };
    frames.into_iter().map(decode).collect()
}

fn user(text: &str) -> Vec<u8> {
    json!({ "messages": [{ "role": "user", "content": [{ "text": text }] }] })
        .to_string()
        .into()
}

#[test]
fn a_body_of_the_wrong_shape_is_a_serialization_error() {
    for body in [
        "",
        "not json",
        "[]",
        "7",
        r#"{"messages":"x"}"#,
        r#"{"messages":[{"role":"king","content":[]}]}"#,
    ] {
        assert_eq!(
            code(ask(ApiOperation::Converse, body.as_bytes())),
            (400, "SerializationException".to_owned()),
            "{body}"
        );
    }
}

#[test]
fn an_invalid_conversation_is_a_validation_error() {
    for body in [
        "{}",
        r#"{"messages":[]}"#,
        r#"{"messages":[{"role":"user","content":[]}]}"#,
        r#"{"messages":[{"role":"assistant","content":[{"text":"x"}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"text":"x"}]}],"inferenceConfig":{"maxTokens":0}}"#,
    ] {
        assert_eq!(
            code(ask(ApiOperation::Converse, body.as_bytes())),
            (400, "ValidationException".to_owned()),
            "{body}"
        );
    }
}

#[test]
fn a_stored_prompt_needs_no_messages_and_an_imported_model_has_no_converse() {
    assert!(
        ask_at_pace(
            ApiOperation::Converse,
            ModelKind::Prompt,
            b"{}",
            ResponsePace::default()
        )
        .is_ok()
    );
    let imported = ask_at_pace(
        ApiOperation::Converse,
        ModelKind::InvokeOnly,
        &user("x"),
        ResponsePace::default(),
    );
    assert_eq!(code(imported).0, 400);
}

#[test]
fn the_last_user_text_is_repeated() {
    let body = json!({ "messages": [
        { "role": "user", "content": [{ "text": "first" }] },
        { "role": "assistant", "content": [{ "text": "reply" }] },
        { "role": "user", "content": [{ "text": "l\u{e4}st" }, { "image": {} }] },
    ] });
    let response = whole(ask(ApiOperation::Converse, body.to_string().as_bytes()).unwrap());
    let text = response["output"]["message"]["content"][0]["text"]
        .as_str()
        .unwrap();
    assert_eq!(text, format!("{ID} in us-west-2 heard: l\u{e4}st"));
}

#[test]
fn equal_requests_get_equal_bytes_and_different_ones_do_not() {
    let bytes = |text: &str| match ask(ApiOperation::ConverseStream, &user(text)).unwrap().content {
        ResponseContent::Frames(frames) => frames
            .into_iter()
            .flat_map(|frame| frame.bytes)
            .collect::<Vec<u8>>(),
        ResponseContent::Whole(bytes) => bytes.into(),
    };
    assert_eq!(bytes("same"), bytes("same"));
    assert_ne!(bytes("same"), bytes("emas"));
}

#[test]
fn the_pieces_of_a_stream_add_up_to_its_text_whatever_their_number() {
    let unary = whole(ask(ApiOperation::Converse, &user("\u{1f600}\u{e4}bc")).unwrap());
    let expected = unary["output"]["message"]["content"][0]["text"]
        .as_str()
        .unwrap()
        .to_owned();
    for count in [1, 2, 3, 7, 50, 300] {
        let pace = ResponsePace {
            events: Some(count),
            ..ResponsePace::default()
        };
        let response = ask_at_pace(
            ApiOperation::ConverseStream,
            ModelKind::Any,
            &user("\u{1f600}\u{e4}bc"),
            pace,
        );
        let all = events(response.unwrap());
        let deltas: Vec<&str> = all
            .iter()
            .filter(|(name, _)| name == "contentBlockDelta")
            .map(|(_, payload)| payload["delta"]["text"].as_str().unwrap())
            .collect();
        assert_eq!(deltas.len(), count);
        assert!(deltas.iter().all(|piece| !piece.is_empty()));
        assert!(deltas.concat().starts_with(&expected));
        assert!(all.iter().all(|(_, payload)| payload["p"].is_string()));
    }
}

#[test]
fn only_the_last_frame_reports_the_usage() {
    for (operation, body) in [
        (ApiOperation::ConverseStream, user("x")),
        (
            ApiOperation::InvokeWithResponseStream,
            br#"{"messages":[{"role":"user","content":"x"}]}"#.to_vec(),
        ),
    ] {
        let ResponseContent::Frames(frames) = ask(operation, &body).unwrap().content else {
            panic!("not a stream")
        };
        let reporting: Vec<usize> = frames
            .iter()
            .enumerate()
            .filter(|(_, frame)| frame.reports_usage)
            .map(|(index, _)| index)
            .collect();
        assert_eq!(reporting, [frames.len() - 1]);
    }
}

#[test]
fn chunks_contain_the_models_own_events() {
    let body = br#"{"max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}"#;
    let response = ask(ApiOperation::InvokeWithResponseStream, body).unwrap();
    let usage = response.usage.unwrap();
    let inner: Vec<Value> = events(response)
        .into_iter()
        .map(|(name, payload)| {
            assert_eq!(name, "chunk");
            let bytes = STANDARD.decode(payload["bytes"].as_str().unwrap()).unwrap();
            serde_json::from_slice(&bytes).unwrap()
        })
        .collect();
    let last = inner.last().unwrap();
    assert_eq!(
        last["amazon-bedrock-invocationMetrics"]["outputTokenCount"],
        usage.output
    );
    assert_eq!(inner[0]["message"]["usage"]["input_tokens"], usage.input);
    assert!(usage.output <= 9);
}

#[test]
fn invoke_accepts_25_million_bytes_and_no_more() {
    let shell = r#"{"messages":[{"role":"user","content":""}]}"#;
    let body = |length: usize| {
        let text = "x".repeat(length - shell.len());
        format!(r#"{{"messages":[{{"role":"user","content":"{text}"}}]}}"#).into_bytes()
    };
    for length in [INVOKE_BODY_LIMIT_BYTES - 1, INVOKE_BODY_LIMIT_BYTES] {
        assert!(ask(ApiOperation::Invoke, &body(length)).is_ok(), "{length}");
    }
    assert_eq!(
        code(ask(ApiOperation::Invoke, &body(INVOKE_BODY_LIMIT_BYTES + 1))).0,
        413
    );
}

#[test]
fn tokens_are_counted_for_exactly_one_kind_of_input() {
    for body in [
        r#"{"input":{"converse":{"messages":[]}}}"#,
        r#"{"input":{"invokeModel":{"body":"e30="}}}"#,
    ] {
        assert!(whole(count(body).unwrap())["inputTokens"].is_u64());
    }
    assert_eq!(code(count(r#"{"input":{}}"#)).1, "ValidationException");
    assert_eq!(code(count("{}")).1, "SerializationException");
}

fn count(body: &str) -> Result<ModelResponse, ApiError> {
    let model = ID.strip_prefix("us.").unwrap();
    ask_for(
        model,
        ApiOperation::CountTokens,
        ModelKind::Any,
        body.as_bytes(),
        ResponsePace::default(),
    )
}

#[test]
fn tokens_are_counted_for_foundation_models_only() {
    let body = br#"{"input":{"converse":{"messages":[]}}}"#;
    let refused = |model_id, model| {
        let response = ask_for(
            model_id,
            ApiOperation::CountTokens,
            model,
            body,
            ResponsePace::default(),
        );
        response.expect_err("an error")
    };
    for (id, model) in [
        (ID, ModelKind::Any),
        (
            "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/a",
            ModelKind::Any,
        ),
        ("amazon.titan-embed-text-v2:0", ModelKind::Embedding),
    ] {
        let error = refused(id, model);
        assert_eq!(
            (error.status.as_u16(), error.code.as_str(), error.message.as_str()),
            (
                400,
                "ValidationException",
                "The provided model doesn't support counting tokens."
            ),
            "{id}"
        );
    }
}

#[test]
fn documents_are_ranked_by_invoke_only() {
    let body = br#"{"query":"which","documents":["one","two"],"top_n":1}"#;
    let response = ask_at_pace(
        ApiOperation::Invoke,
        ModelKind::Rerank,
        body,
        ResponsePace::default(),
    )
    .unwrap();
    assert_eq!(response.usage.unwrap().output, 0);
    assert_eq!(whole(response)["results"].as_array().unwrap().len(), 2);
    for (operation, body) in [
        (ApiOperation::InvokeWithResponseStream, &body[..]),
        (ApiOperation::Converse, &body[..]),
        (ApiOperation::Invoke, br#"{"query":"which","documents":[]}"#),
    ] {
        let refused = ask_at_pace(operation, ModelKind::Rerank, body, ResponsePace::default());
        assert_eq!(code(refused).0, 400, "{operation:?}");
    }
}

#[test]
fn an_embedding_reports_its_tokens_in_headers() {
    let body = br#"{"inputText":"some words"}"#;
    let response = ask_at_pace(
        ApiOperation::Invoke,
        ModelKind::Embedding,
        body,
        ResponsePace::default(),
    )
    .unwrap();
    let count = response
        .headers
        .iter()
        .find(|(name, _)| name == "x-amzn-bedrock-input-token-count")
        .unwrap();
    assert_eq!(count.1, HeaderValue::from(response.usage.unwrap().input));
}
