//! The type of a scalar by its tag, style and text, as PyYAML's `SafeLoader` decides it.

use granit_parser::{ScalarStyle, Tag};

use crate::document::scalar::{self, Scalar};

const NAMESPACE: &str = "tag:yaml.org,2002:";

/// A tag that LiteLLM's files can contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KnownTag {
    /// No tag.
    No,
    /// A lone `!`, which PyYAML ignores, even before quotes.
    Lone,
    Text,
    Integer,
    Float,
    Bool,
    Null,
    /// A date or time, which remains text here.
    Timestamp,
    Merge,
    Sequence,
    Mapping,
}

/// The known tag that `tag` is. Others, such as `!Ref`, `!vault` or `!!binary`, have no use in
/// LiteLLM or in this gateway.
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

/// The value of a scalar. `None` if its text does not have the type of its tag.
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
            // An integer that exceeds an `i64`.
            Scalar::Float(value) if value.fract() == 0.0 && !text.contains('.') => Some(Scalar::Float(value)),
            _ => None,
        },
        KnownTag::Float => match plain() {
            Scalar::Integer(value) => Some(Scalar::Float(value as f64)),
            Scalar::Float(value) => Some(Scalar::Float(value)),
            // Python's `float` accepts an exponent without a point or a sign.
            Scalar::Text(text) => text.parse().ok().map(Scalar::Float),
            _ => None,
        },
        KnownTag::Merge | KnownTag::Sequence | KnownTag::Mapping => None,
    }
}
