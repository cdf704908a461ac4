//! `name=value,name=value`: how OpenTelemetry's variables hold headers and attributes. Values are percent-encoded.

use percent_encoding::percent_decode_str;

/// Reads `text`, the value of the variable `source`. Names and values are free of white space at their ends.
///
/// # Errors
///
/// Never quote `text`: it may hold secrets.
pub(super) fn read(source: &str, text: &str) -> Result<Vec<(String, String)>, String> {
    let wrong =
        |found: &str| format!("{source}: expected name=value pairs separated by commas, but found {found}");
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').ok_or_else(|| wrong("one without ="))?;
            let name = name.trim();
            if name.is_empty() {
                return Err(wrong("one without a name"));
            }
            let value =
                decoded(value.trim()).ok_or_else(|| wrong("a value that is not UTF-8 when decoded"))?;
            Ok((name.to_owned(), value))
        })
        .collect()
}

/// `value` without percent-encoding; `None` if the result is not UTF-8. A `%` that starts no escape stands for itself, as
/// in the SDKs.
fn decoded(value: &str) -> Option<String> {
    let decoded = percent_decode_str(value).decode_utf8().ok()?;
    Some(decoded.into_owned())
}
