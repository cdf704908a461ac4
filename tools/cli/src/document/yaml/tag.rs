//! The type of a scalar, by its tag, its style and its text: as PyYAML's `SafeLoader` decides.

use granit_parser::{ScalarStyle, Tag};

use crate::document::scalar::{self, Scalar};

const NAMESPACE: &str = "tag:yaml.org,2002:";

/// A tag, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KnownTag {
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
pub(super) fn known(tag: Option<&Tag>) -> Option<KnownTag> {
    let Some(tag) = tag else {
        return Some(KnownTag::No);
    };
    let whole = format!("{}{}", tag.handle(), tag.suffix());
    if whole == "!" {
        return Some(KnownTag::Lone);
    }
    match whole.strip_prefix(NAMESPACE)? {
        "str" => Some(KnownTag::Text),
        "int" => Some(KnownTag::Integer),
        "float" => Some(KnownTag::Float),
        "bool" => Some(KnownTag::Bool),
        "null" => Some(KnownTag::Null),
        "timestamp" => Some(KnownTag::Timestamp),
        "merge" => Some(KnownTag::Merge),
        "seq" => Some(KnownTag::Sequence),
        "map" => Some(KnownTag::Mapping),
        _ => None,
    }
}

/// The value of a scalar, unless its text is not what its tag says.
pub(super) fn typed(text: &str, style: ScalarStyle, tag: KnownTag) -> Option<Scalar> {
    let plain = || scalar::plain(text);
    match tag {
        KnownTag::No if style == ScalarStyle::Plain => Some(plain()),
        KnownTag::Lone => Some(plain()),
        KnownTag::No | KnownTag::Text | KnownTag::Timestamp => Some(Scalar::Text(text.to_owned())),
        KnownTag::Null => Some(Scalar::Null),
        KnownTag::Bool => Some(plain()).filter(|value| matches!(value, Scalar::Bool(_))),
        KnownTag::Integer => match plain() {
            Scalar::Integer(value) => Some(Scalar::Integer(value)),
            // One that exceeds an `i64`.
            Scalar::Float(value) if value.fract() == 0.0 && !text.contains('.') => Some(Scalar::Float(value)),
            _ => None,
        },
        KnownTag::Float => match plain() {
            Scalar::Integer(value) => Some(Scalar::Float(value as f64)),
            Scalar::Float(value) => Some(Scalar::Float(value)),
            // Python's `float` takes an exponent without a point or a sign.
            Scalar::Text(text) => text.parse().ok().map(Scalar::Float),
            _ => None,
        },
        KnownTag::Merge | KnownTag::Sequence | KnownTag::Mapping => None,
    }
}
