//! The type of a scalar, by its tag, its style and its text: as PyYAML's `SafeLoader` decides.

use granit_parser::{ScalarStyle, Tag};

use super::super::scalar::{self, Scalar};

const NAMESPACE: &str = "tag:yaml.org,2002:";

/// A tag, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// None, or the lone `!`, which PyYAML takes for none even in front of quotes.
    No,
    Lone,
    Text,
    Integer,
    Float,
    Bool,
    Null,
    /// A date or time, which stays text here.
    Timestamp,
    Merge,
    Sequence,
    Mapping,
}

/// What `tag` is, unless neither LiteLLM nor this gateway has a use for it: `!Ref`, `!vault`, `!!binary`, `!!python/…`.
pub(super) fn known(tag: Option<&Tag>) -> Option<Known> {
    let Some(tag) = tag else {
        return Some(Known::No);
    };
    let whole = format!("{}{}", tag.handle(), tag.suffix());
    if whole == "!" {
        return Some(Known::Lone);
    }
    match whole.strip_prefix(NAMESPACE)? {
        "str" => Some(Known::Text),
        "int" => Some(Known::Integer),
        "float" => Some(Known::Float),
        "bool" => Some(Known::Bool),
        "null" => Some(Known::Null),
        "timestamp" => Some(Known::Timestamp),
        "merge" => Some(Known::Merge),
        "seq" => Some(Known::Sequence),
        "map" => Some(Known::Mapping),
        _ => None,
    }
}

/// The value of a scalar, unless its text is not what its tag says.
pub(super) fn typed(text: &str, style: ScalarStyle, tag: Known) -> Option<Scalar> {
    let plain = || scalar::plain(text);
    match tag {
        Known::No if style == ScalarStyle::Plain => Some(plain()),
        Known::Lone => Some(plain()),
        Known::No | Known::Text | Known::Timestamp => Some(Scalar::Text(text.to_owned())),
        Known::Null => Some(Scalar::Null),
        Known::Bool => Some(plain()).filter(|value| matches!(value, Scalar::Bool(_))),
        Known::Integer => match plain() {
            Scalar::Integer(value) => Some(Scalar::Integer(value)),
            // One that exceeds an `i64`.
            Scalar::Float(value) if value.fract() == 0.0 && !text.contains('.') => Some(Scalar::Float(value)),
            _ => None,
        },
        Known::Float => match plain() {
            Scalar::Integer(value) => Some(Scalar::Float(value as f64)),
            Scalar::Float(value) => Some(Scalar::Float(value)),
            // Python's `float` takes an exponent without a point or a sign.
            Scalar::Text(text) => text.parse().ok().map(Scalar::Float),
            _ => None,
        },
        Known::Merge | Known::Sequence | Known::Mapping => None,
    }
}
