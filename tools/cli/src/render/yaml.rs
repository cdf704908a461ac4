//! JSON values as the text of a YAML document.

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;

use super::comments;

/// The member that comes first in its object, so that a reader sees what a long list entry is
/// about.
const FIRST: &str = "name";

/// `value` as a document, with the comments of [`comments`]. Members that are null are left out: an
/// optional setting may be a null.
pub(super) fn document(value: &Value) -> String {
    let options = serde_saphyr::ser_options! {
        // Texts of one line stay on one line: only what has line breaks becomes a block.
        folded_wrap_chars: usize::MAX,
    };
    let mut text = String::new();
    serde_saphyr::to_fmt_writer_with_options(&mut text, &Ordered(value), options)
        .expect("objects with text keys are YAML, and writing to a string cannot fail");
    comments::annotate(&text)
}

/// Objects in the order in which they are written: [`FIRST`], then by name (`@type` before
/// letters). The order is chosen here because `serde_json` keeps that of the source only with its
/// feature `preserve_order`, which cargo would then turn on for the filter's native tests as well,
/// but not for the filter that ships.
struct Ordered<'a>(&'a Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(members) => {
                let mut map = serializer.serialize_map(None)?;
                let first = members.get_key_value(FIRST);
                let others = members.iter().filter(|(name, _)| *name != FIRST);
                for (name, value) in first.into_iter().chain(others) {
                    if !value.is_null() {
                        map.serialize_entry(name, &Ordered(value))?;
                    }
                }
                map.end()
            }
            Value::Array(elements) => {
                let mut list = serializer.serialize_seq(Some(elements.len()))?;
                for element in elements {
                    list.serialize_element(&Ordered(element))?;
                }
                list.end()
            }
            scalar => scalar.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_comes_first_and_null_members_are_left_out() {
        let value = json!({
            "b": [{ "typed_config": { "value": 1, "@type": "t" }, "address": "a", "name": "one" }],
            "a": { "absent": null, "empty": {}, "none": [] },
        });
        let expected = "\
a:
  empty: {}
  none: []
b:
- name: one
  address: a
  typed_config:
    \"@type\": t
    value: 1
";
        assert_eq!(document(&value), expected);
    }

    #[test]
    fn text_that_reads_as_something_else_is_quoted() {
        for text in [
            "", "on", "No", "y", "1", "0.5", "-", "1e3", "1_000", "0x10", "010", "1:30", "a: b", "a #b", "*",
            "~", "null", "@type", " x", "[",
        ] {
            let document = document(&json!(text));
            assert!(document.starts_with(['"', '\'']), "{text}: {document}");
        }
        for text in [
            "us-west-2+us-east-1",
            "STRICT_DNS",
            "/etc/ssl/certs",
            "envoy.clusters.composite",
            "0.010s",
        ] {
            assert_eq!(document(&json!(text)), format!("{text}\n"));
        }
    }

    #[test]
    fn long_text_stays_on_one_line_and_lines_become_a_block() {
        let long = "word ".repeat(100) + "end";
        assert_eq!(document(&json!({ "a": long })), format!("a: {long}\n"));
        assert_eq!(document(&json!({ "a": "{\n  1\n}" })), "a: |-\n  {\n    1\n  }\n");
        assert_eq!(document(&json!({ "a": "line\n" })), "a: |\n  line\n");
    }
}
