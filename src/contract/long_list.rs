//! Lists that may be long, such as ten thousand keys. A long one is a string with JSON: Envoy and
//! the tool read and write one string much faster than a tree of that many nodes.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{DeserializeOwned, Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest list that people may want to read.
const READABLE_MAX: usize = 100;

/// Serializes a list.
pub(super) fn serialize<T: Serialize, S: Serializer>(list: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    if list.len() <= READABLE_MAX {
        return list.serialize(serializer);
    }
    let text = serde_json::to_string(list).map_err(serde::ser::Error::custom)?;
    serializer.serialize_str(&text)
}

/// Deserializes a list.
pub(super) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_any(ListVisitor(PhantomData))
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for ListVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list, or a string with a list in JSON")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<T>, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
        serde_json::from_str(text).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Lists {
        #[serde(with = "super")]
        numbers: Vec<u32>,
    }

    #[test]
    fn a_long_list_is_one_string() {
        for length in [0, 1, 100, 101, 1000] {
            let lists = Lists {
                numbers: (0..length).collect(),
            };
            let value = serde_json::to_value(&lists).unwrap();
            assert_eq!(value["numbers"].is_string(), length > 100);
            assert_eq!(serde_json::from_value::<Lists>(value.clone()).unwrap(), lists);
            let text = value.to_string();
            assert_eq!(serde_json::from_str::<Lists>(&text).unwrap(), lists);
        }
    }

    #[test]
    fn an_error_within_the_string_is_reported() {
        let read = |numbers: Value| serde_json::from_value::<Lists>(json!({ "numbers": numbers }));
        let error = read(json!("[1, -1]")).unwrap_err().to_string();
        assert!(error.contains("-1"), "{error}");
        let error = read(json!(5)).unwrap_err().to_string();
        assert!(error.contains("a list, or a string with a list"), "{error}");
    }
}
