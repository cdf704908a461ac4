mod bodies;
mod json;
mod streams;

use std::fmt::Write;

use crate::eventstream::tests::cut;

/// Asserts that `result` is the same for the whole, for every split into two and byte by byte.
fn in_every_split<T: PartialEq + std::fmt::Debug>(bytes: &[u8], result: impl Fn(&[&[u8]]) -> T) -> T {
    let whole = result(&[bytes]);
    assert_eq!(
        result(&bytes.chunks(1).collect::<Vec<_>>()),
        whole,
        "byte by byte"
    );
    for split in 0..=bytes.len() {
        let (left, right) = bytes.split_at(split);
        assert_eq!(result(&[left, right]), whole, "split at {split}");
    }
    whole
}

/// A JSON string in which the bits of `escapes` select the characters to escape.
fn escaped(text: &str, escapes: u64) -> String {
    let mut json = String::from("\"");
    for (index, character) in text.chars().enumerate() {
        if escapes >> (index % 64) & 1 == 1 || character < ' ' || matches!(character, '"' | '\\') {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(json, "\\u{unit:04x}").unwrap();
            }
        } else {
            json.push(character);
        }
    }
    json.push('"');
    json
}
