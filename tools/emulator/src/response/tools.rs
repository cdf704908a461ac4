//! Tool calls. The model calls a tool if the request forces it to, or if the last user text asks
//! for one by name.

use serde_json::{Map, Value, json};

/// With the name of a tool after it, this text makes the model call that tool.
const TRIGGER: &str = "call the tool ";
/// Depth of the values generated for a schema, which may refer to itself. Deeper values are null.
const SCHEMA_DEPTH_LIMIT: usize = 8;

/// A tool that a request offers.
pub(super) struct OfferedTool<'a> {
    pub(super) name: &'a str,
    pub(super) schema: &'a Value,
}

/// Which tool the model may or must call.
pub(super) enum ToolChoice<'a> {
    /// Any tool, or none.
    Auto,
    /// At least one tool.
    Any,
    /// This tool.
    Named(&'a str),
}

/// A tool call by the model.
#[derive(Debug)]
pub(super) struct ToolCall {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) input: Value,
}

/// What the model responds with.
pub(super) enum ModelReply {
    Text(String),
    ToolCall(ToolCall),
}

impl ModelReply {
    /// The text that the output tokens are counted from.
    pub(super) fn text(&self) -> String {
        match self {
            ModelReply::Text(text) => text.clone(),
            ModelReply::ToolCall(call) => call.input.to_string(),
        }
    }
}

/// The tool call that `user_text` and `choice` ask for. `has_result`: the last message has the
/// result of a call, so the model responds with text unless `choice` forces another call.
pub(super) fn call(
    tools: &[OfferedTool<'_>],
    choice: &ToolChoice<'_>,
    user_text: &str,
    has_result: bool,
    digest: &[u8; 32],
) -> Option<ToolCall> {
    let requested = || {
        let names = |tool: &&OfferedTool<'_>| user_text.contains(&format!("{TRIGGER}{}", tool.name));
        tools.iter().find(names)
    };
    let tool = match choice {
        ToolChoice::Auto if has_result => None,
        ToolChoice::Auto => requested(),
        ToolChoice::Any => requested().or(tools.first()),
        ToolChoice::Named(name) => tools.iter().find(|tool| tool.name == *name),
    }?;
    Some(ToolCall {
        id: format!("tooluse_{}", hex::encode(&digest[..11])),
        name: tool.name.to_owned(),
        input: generate(tool.schema, tool.schema, SCHEMA_DEPTH_LIMIT),
    })
}

/// A value that fits `schema`. `root` is the schema that its references point into.
fn generate(schema: &Value, root: &Value, depth: usize) -> Value {
    let Some(below) = depth.checked_sub(1) else {
        return Value::Null;
    };
    let inner = |schema| generate(schema, root, below);
    if let Some(reference) = schema["$ref"].as_str() {
        let pointed = reference
            .strip_prefix('#')
            .and_then(|pointer| root.pointer(pointer));
        return pointed.map_or(Value::Null, inner);
    }
    if let Some(only) = schema.get("const").or_else(|| schema["enum"].get(0)) {
        return only.clone();
    }
    if let Some(first) = ["anyOf", "oneOf", "allOf"]
        .iter()
        .find_map(|word| schema[word].get(0))
    {
        return inner(first);
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind.unwrap_or("object") {
        "string" => "made up".into(),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| 1.into()),
        "boolean" => true.into(),
        "array" if schema["minItems"].as_u64().unwrap_or(0) > 0 => json!([inner(&schema["items"])]),
        "array" => json!([]),
        "object" => {
            let required = schema["required"].as_array().into_iter().flatten();
            let members = required.filter_map(Value::as_str);
            let made = members.map(|name| (name.to_owned(), inner(&schema["properties"][name])));
            Value::Object(made.collect::<Map<_, _>>())
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(choice: &ToolChoice<'_>, user_text: &str, has_result: bool) -> Option<String> {
        let schema = json!({});
        let tools = ["get_weather", "get_time"].map(|name| OfferedTool {
            name,
            schema: &schema,
        });
        call(&tools, choice, user_text, has_result, &[7; 32]).map(|call| call.name)
    }

    #[test]
    fn a_tool_is_called_if_the_text_names_it_and_no_other_is_forced() {
        for (choice, user_text, expected) in [
            (ToolChoice::Auto, "hello", None),
            (ToolChoice::Auto, "get_time", None),
            (
                ToolChoice::Auto,
                "please call the tool get_time now",
                Some("get_time"),
            ),
            (ToolChoice::Auto, "call the tool unknown", None),
            (ToolChoice::Any, "hello", Some("get_weather")),
            (ToolChoice::Any, "call the tool get_time", Some("get_time")),
            (ToolChoice::Named("get_time"), "hello", Some("get_time")),
            (ToolChoice::Named("unknown"), "hello", None),
        ] {
            assert_eq!(
                called(&choice, user_text, false).as_deref(),
                expected,
                "{user_text}"
            );
        }
    }

    #[test]
    fn a_tool_result_gets_a_text_unless_a_call_is_forced() {
        assert_eq!(called(&ToolChoice::Auto, "call the tool get_time", true), None);
        assert!(called(&ToolChoice::Any, "hello", true).is_some());
    }

    #[test]
    fn the_input_fits_the_schema() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": { "type": "string" },
                "days": { "type": "integer", "minimum": 3 },
                "unit": { "enum": ["celsius", "kelvin"] },
                "exact": { "anyOf": [{ "type": "boolean" }, { "type": "null" }] },
                "places": { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/Place" } },
                "more": { "type": "array" },
                "optional": { "type": "string" },
            },
            "required": ["city", "days", "unit", "exact", "places", "more"],
            "$defs": { "Place": { "type": "object", "properties": { "x": { "type": "number" } }, "required": ["x"] } },
        });
        let expected = json!({
            "city": "made up", "days": 3, "unit": "celsius", "exact": true, "places": [{ "x": 1 }], "more": [],
        });
        assert_eq!(generate(&schema, &schema, SCHEMA_DEPTH_LIMIT), expected);
    }

    #[test]
    fn a_schema_that_refers_to_itself_is_cut_at_the_limit() {
        let schema = json!({ "properties": { "a": { "$ref": "#" } }, "required": ["a"] });
        let mut made = generate(&schema, &schema, SCHEMA_DEPTH_LIMIT);
        let mut levels = 0;
        while let Some(inner) = made.get("a").cloned() {
            (made, levels) = (inner, levels + 1);
        }
        assert_eq!((levels, made), (SCHEMA_DEPTH_LIMIT / 2, Value::Null));
    }
}
