//! JSON as the tree of a YAML document.

use std::rc::Rc;

use serde_json::Value;

use super::node::{DEPTH_MAX, YamlNode, YamlValue};
use crate::document::scalar::Scalar;

/// The tree of a value; `None` if it has a number that YAML reads otherwise, or is nested too deeply.
pub(super) fn node(value: Value) -> Option<Rc<YamlNode>> {
    let value = match value {
        Value::Null => YamlValue::Scalar(Scalar::Null),
        Value::Bool(flag) => YamlValue::Scalar(Scalar::Bool(flag)),
        Value::Number(number) => YamlValue::Scalar(match number.as_i64() {
            Some(whole) => Scalar::Integer(whole),
            None if number.is_u64() => return None,
            None => Scalar::Float(number.as_f64()?),
        }),
        Value::String(text) => YamlValue::Scalar(Scalar::Text(text)),
        Value::Array(values) => {
            let nodes = values.into_iter().map(node);
            YamlValue::Sequence(nodes.collect::<Option<_>>()?)
        }
        Value::Object(fields) => {
            let entries = fields.into_iter().map(|(name, value)| Some((name, node(value)?)));
            YamlValue::Mapping(entries.collect::<Option<_>>()?)
        }
    };
    let height = value.children().map(|child| child.height).max().unwrap_or(0) + 1;
    let line = 1;
    (height <= DEPTH_MAX).then(|| Rc::new(YamlNode { line, value, height }))
}

#[cfg(test)]
mod tests {
    use crate::document::yaml;

    #[test]
    fn json_is_read_like_yaml() {
        let text = r#"{"a": [1, -2, 1.5, true, null, "b", "1"], "c": {"d": {}, "e": []}}"#;
        let (expected, _) = yaml::parse(text).unwrap();
        let found = yaml::parse_json(text).unwrap();
        assert_eq!(format!("{:?}", found.value), format!("{:?}", expected.value));
    }

    #[test]
    fn what_json_cannot_say_is_left_to_yaml() {
        for text in ["a: 1", "[1]", "{a: 1}", r#"{"a": 18446744073709551615}"#, "", "{"] {
            assert!(yaml::parse_json(text).is_none(), "{text}");
        }
    }
}
