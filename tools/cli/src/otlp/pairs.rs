//! `name=value,name=value`: how OpenTelemetry's variables hold headers and attributes. Values are percent-encoded.

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

/// Without percent-encoding; a sign that starts none stands for itself, as it does for the SDKs.
fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = (byte == b'%').then(|| after.get(..2).and_then(code)).flatten();
        bytes.push(code.unwrap_or(byte));
        rest = if code.is_some() { after.get(2..)? } else { after };
    }
    String::from_utf8(bytes).ok()
}

fn code(digits: &[u8]) -> Option<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let (high, low) = (digits.first().and_then(digit)?, digits.get(1).and_then(digit)?);
    u8::try_from(high << 4 | low).ok()
}
