//! Tool calls. A request gets one when it forces one, or when its last text asks for a tool by name.

use serde_json::{Map, Value, json};

/// The words before the name of a tool that make this model call it.
const ASKING: &str = "call the tool ";
/// How deep values are made up for a schema, which may refer to itself. Below that everything is null.
const SCHEMA_DEPTH_LIMIT: usize = 8;

/// A tool that a request offers.
pub(super) struct OfferedTool<'a> {
    pub(super) name: &'a str,
    pub(super) schema: &'a Value,
}

/// Which tool the model has to call.
pub(super) enum ToolChoice<'a> {
    /// It may call one.
    Auto,
    /// It has to call one.
    Any,
    /// It has to call this one.
    Named(&'a str),
}

/// A call that the model makes.
#[derive(Debug)]
pub(super) struct ToolCall {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) input: Value,
}

/// What the model answers with.
pub(super) enum ModelReply {
    Text(String),
    ToolCall(ToolCall),
}

impl ModelReply {
    /// What its tokens are counted by.
    pub(super) fn text(&self) -> String {
        match self {
            ModelReply::Text(text) => text.clone(),
            ModelReply::ToolCall(call) => call.input.to_string(),
        }
    }
}

/// The call that `said` and `choice` ask for, if any. `has_result`: the last message has the result of a call, which
/// wants an answer in words.
pub(super) fn call(
    tools: &[OfferedTool<'_>],
    choice: &ToolChoice<'_>,
    said: &str,
    has_result: bool,
    digest: &[u8; 32],
) -> Option<ToolCall> {
    let asked = || {
        let asks_for = |tool: &&OfferedTool<'_>| said.contains(&format!("{ASKING}{}", tool.name));
        tools.iter().find(asks_for)
    };
    let tool = match choice {
        ToolChoice::Auto if has_result => None,
        ToolChoice::Auto => asked(),
        ToolChoice::Any => asked().or(tools.first()),
        ToolChoice::Named(name) => tools.iter().find(|tool| tool.name == *name),
    }?;
    Some(ToolCall {
        id: format!("tooluse_{}", hex::encode(&digest[..11])),
        name: tool.name.to_owned(),
        input: made_up(tool.schema, tool.schema, SCHEMA_DEPTH_LIMIT),
    })
}

/// A value that `schema` allows. `root` is what its references point into.
fn made_up(schema: &Value, root: &Value, depth: usize) -> Value {
    let Some(below) = depth.checked_sub(1) else {
        return Value::Null;
    };
    let inner = |schema| made_up(schema, root, below);
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

    fn called(choice: &ToolChoice<'_>, said: &str, has_result: bool) -> Option<String> {
        let schema = json!({});
        let tools = ["get_weather", "get_time"].map(|name| OfferedTool {
            name,
            schema: &schema,
        });
        call(&tools, choice, said, has_result, &[7; 32]).map(|call| call.name)
    }

    #[test]
    fn a_tool_is_called_when_the_text_names_it_and_nothing_forces_another() {
        for (choice, said, expected) in [
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
            assert_eq!(called(&choice, said, false).as_deref(), expected, "{said}");
        }
    }

    #[test]
    fn a_result_is_answered_in_words_unless_a_call_is_forced() {
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
        assert_eq!(made_up(&schema, &schema, SCHEMA_DEPTH_LIMIT), expected);
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends_at_the_limit() {
        let schema = json!({ "properties": { "a": { "$ref": "#" } }, "required": ["a"] });
        let mut made = made_up(&schema, &schema, SCHEMA_DEPTH_LIMIT);
        let mut levels = 0;
        while let Some(inner) = made.get("a").cloned() {
            (made, levels) = (inner, levels + 1);
        }
        assert_eq!((levels, made), (SCHEMA_DEPTH_LIMIT / 2, Value::Null));
    }
}
