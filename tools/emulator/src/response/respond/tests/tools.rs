//! Tool calls.

use super::*;

const ASKED: &str = "call the tool get_weather";

fn weather_schema() -> Value {
    json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] })
}

#[test]
fn converse_calls_a_tool_with_and_without_streaming() {
    let body = json!({
        "messages": [{ "role": "user", "content": [{ "text": ASKED }] }],
        "toolConfig": { "tools": [
            { "cachePoint": { "type": "default" } },
            { "toolSpec": { "name": "get_weather", "inputSchema": { "json": weather_schema() } } },
        ] },
    });
    let response = whole(ask(ApiOperation::Converse, body.to_string().as_bytes()).unwrap());
    let called = &response["output"]["message"]["content"][0]["toolUse"];
    assert_eq!(response["stopReason"], "tool_use");
    assert_eq!(
        (&called["name"], &called["input"]),
        (&json!("get_weather"), &json!({ "city": "made up" }))
    );

    let all = events(ask(ApiOperation::ConverseStream, body.to_string().as_bytes()).unwrap());
    assert_eq!(all[1].0, "contentBlockStart");
    assert_eq!(all[1].1["start"]["toolUse"]["toolUseId"], called["toolUseId"]);
    let pieces = all
        .iter()
        .filter_map(|(_, payload)| payload["delta"]["toolUse"]["input"].as_str());
    assert_eq!(
        serde_json::from_str::<Value>(&pieces.collect::<String>()).unwrap(),
        called["input"]
    );
    let stop = all.iter().find(|(name, _)| name == "messageStop").unwrap();
    assert_eq!(stop.1["stopReason"], "tool_use");
}

#[test]
fn converse_responds_to_a_tool_result_with_text() {
    let body = json!({
        "messages": [
            { "role": "user", "content": [{ "text": ASKED }] },
            { "role": "assistant", "content": [{ "toolUse": { "toolUseId": "a", "name": "get_weather", "input": {} } }] },
            { "role": "user", "content": [{ "toolResult": { "toolUseId": "a", "content": [{ "text": "sunny" }] } }] },
        ],
        "toolConfig": { "tools": [
            { "toolSpec": { "name": "get_weather", "inputSchema": { "json": weather_schema() } } },
        ] },
    });
    let response = whole(ask(ApiOperation::Converse, body.to_string().as_bytes()).unwrap());
    assert_eq!(response["stopReason"], "end_turn");
    assert!(response["output"]["message"]["content"][0]["text"].is_string());
}

#[test]
fn invoke_calls_a_tool_with_and_without_streaming() {
    let body = |choice: Value, last: Value| {
        let tool = json!({ "name": "get_weather", "input_schema": weather_schema() });
        json!({ "messages": [{ "role": "user", "content": last }], "tools": [tool], "tool_choice": choice })
            .to_string()
    };
    let forced = body(json!({ "type": "tool", "name": "get_weather" }), json!("hello"));
    let response = whole(ask(ApiOperation::Invoke, forced.as_bytes()).unwrap());
    let called = &response["content"][0];
    assert_eq!(
        (&response["stop_reason"], &called["type"]),
        (&json!("tool_use"), &json!("tool_use"))
    );
    assert_eq!(called["input"], json!({ "city": "made up" }));

    let pieces = events(ask(ApiOperation::InvokeWithResponseStream, forced.as_bytes()).unwrap());
    let pieces = pieces.iter().filter_map(|(_, payload)| {
        let event: Value = serde_json::from_slice(&STANDARD.decode(payload["bytes"].as_str()?).ok()?).ok()?;
        Some(event["delta"]["partial_json"].as_str()?.to_owned())
    });
    assert_eq!(
        serde_json::from_str::<Value>(&pieces.collect::<String>()).unwrap(),
        called["input"]
    );

    let result = json!([{ "type": "tool_result", "tool_use_id": "a", "content": "sunny" }]);
    for quiet in [
        body(json!({ "type": "none" }), json!(ASKED)),
        body(json!({ "type": "auto" }), result),
    ] {
        assert_eq!(
            whole(ask(ApiOperation::Invoke, quiet.as_bytes()).unwrap())["stop_reason"],
            "end_turn"
        );
    }
}
