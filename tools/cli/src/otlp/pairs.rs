//! `name=value,name=value`: the form of headers and attributes in OpenTelemetry's variables. Values
//! are percent-encoded.

use percent_encoding::percent_decode_str;

use super::error::CollectorProblem;

/// Parses `text`. Spaces around names and values are removed.
pub(super) fn read(text: &str) -> Result<Vec<(String, String)>, CollectorProblem> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair
                .split_once('=')
                .ok_or(CollectorProblem::Pairs("one without ="))?;
            let name = name.trim();
            if name.is_empty() {
                return Err(CollectorProblem::Pairs("one without a name"));
            }
            let value = decoded(value.trim()).ok_or(CollectorProblem::Pairs(
                "a value that is not UTF-8 after decoding",
            ))?;
            Ok((name.to_owned(), value))
        })
        .collect()
}

/// `value` without percent-encoding; `None` if the result is not UTF-8. A `%` that starts no escape
/// stands for itself, as in the SDKs.
fn decoded(value: &str) -> Option<String> {
    let decoded = percent_decode_str(value).decode_utf8().ok()?;
    Some(decoded.into_owned())
}
