//! Guardrails.

use super::*;
use crate::response::guardrail::{self, BLOCKED};

fn ask_with(
    operation: ApiOperation,
    headers: &[(&'static str, &str)],
    body: &Value,
) -> Result<ModelResponse, ApiError> {
    let body = body.to_string();
    let digest: [u8; 32] = Sha256::digest(&body).into();
    let headers = headers_of(headers);
    respond(&ModelRequest {
        operation,
        model_id: ID,
        model: ModelKind::Any,
        region: "us-west-2",
        headers: &headers,
        body: body.as_bytes(),
        digest: &digest,
        pace: ResponsePace::default(),
        prompt_cache: &PromptCache::default(),
    })
}

fn guarded(text: &str, config: Value) -> Value {
    json!({ "messages": [{ "role": "user", "content": [{ "text": text }] }], "guardrailConfig": config })
}

#[test]
fn a_guardrail_of_converse_is_validated_by_its_shape() {
    let good = json!({ "guardrailIdentifier": "gr1", "guardrailVersion": "1", "trace": "enabled" });
    let with = |name: &str, value: Value| {
        let mut config = good.clone();
        config[name] = value;
        config
    };
    let is_taken = |operation, config: &Value| match ask_with(operation, &[], &guarded("x", config.clone())) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(
                (error.status.as_u16(), error.code.as_str()),
                (400, "ValidationException")
            );
            false
        }
    };
    for (config, in_stream) in [
        (good.clone(), true),
        (with("guardrailVersion", json!("DRAFT")), true),
        (with("guardrailVersion", json!("0")), false),
        (with("guardrailVersion", json!(1)), false),
        (with("guardrailIdentifier", json!("")), false),
        (with("guardrailIdentifier", Value::Null), false),
        (with("guardrailVersion", Value::Null), false),
        (with("trace", json!("ENABLED")), false),
        (with("mode", json!("x")), false),
        (json!([]), false),
    ] {
        assert_eq!(is_taken(ApiOperation::Converse, &config), in_stream, "{config}");
        assert_eq!(
            is_taken(ApiOperation::ConverseStream, &config),
            in_stream,
            "{config}"
        );
    }
    let with_mode = with("streamProcessingMode", json!("async"));
    assert!(is_taken(ApiOperation::ConverseStream, &with_mode));
    assert!(!is_taken(ApiOperation::Converse, &with_mode));
    assert!(!is_taken(
        ApiOperation::ConverseStream,
        &with("streamProcessingMode", json!("x"))
    ));
    let twice = r#"{"messages":[{"role":"user","content":[{"text":"x"}]}],"guardrailConfig":{},"guardrailConfig":{}}"#;
    assert_eq!(code(ask(ApiOperation::Converse, twice.as_bytes())).0, 400);
}

#[test]
fn a_guardrail_of_invoke_is_read_from_three_headers() {
    let identifier = ("x-amzn-bedrock-guardrailidentifier", "gr1");
    let version = ("x-amzn-bedrock-guardrailversion", "1");
    let trace = ("x-amzn-bedrock-trace", "ENABLED_FULL");
    let json = ("content-type", "application/json");
    let body = json!({ "messages": [{ "role": "user", "content": "x" }], "max_tokens": 9 });
    for (headers, is_taken) in [
        (&[identifier, version, trace, json][..], true),
        (&[identifier, version, json], true),
        (&[trace], true),
        (&[identifier, version], true),
        (&[identifier, version, ("content-type", "text/plain")], false),
        (&[identifier, json], false),
        (&[version, json], false),
        (&[identifier, identifier, version, json], false),
        (
            &[identifier, version, json, ("x-amzn-bedrock-trace", "enabled")],
            false,
        ),
    ] {
        let response = ask_with(ApiOperation::Invoke, headers, &body);
        assert_eq!(response.is_ok(), is_taken, "{headers:?}");
        let found = guardrail::find(
            ApiOperation::Invoke,
            &headers_of(headers),
            body.to_string().as_bytes(),
        );
        assert_eq!(found.is_some(), is_taken && headers.len() > 1, "{headers:?}");
    }
}

fn headers_of(headers: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_str(value).unwrap());
    }
    map
}

#[test]
fn the_blocked_text_is_stopped_only_with_a_guardrail() {
    let config = json!({ "guardrailIdentifier": "gr1", "guardrailVersion": "1" });
    for (config, reason) in [(config, "guardrail_intervened"), (Value::Null, "end_turn")] {
        let body = guarded(BLOCKED, config);
        let response = whole(ask_with(ApiOperation::Converse, &[], &body).unwrap());
        assert_eq!(response["stopReason"], reason);
        let streamed = events(ask_with(ApiOperation::ConverseStream, &[], &body).unwrap());
        let stop = streamed.iter().find(|(name, _)| name == "messageStop").unwrap();
        assert_eq!(stop.1["stopReason"], reason);
    }
}
