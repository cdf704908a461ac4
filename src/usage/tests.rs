mod bodies;
mod json;
mod streams;

use std::fmt::Write;

/// Cuts `bytes` at these places.
fn cut<'a>(bytes: &'a [u8], cuts: &[proptest::prelude::prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

/// `result` for the whole, for every cut into two, and byte by byte: all must be one.
fn in_every_split<T: PartialEq + std::fmt::Debug>(bytes: &[u8], result: impl Fn(&[&[u8]]) -> T) -> T {
    let whole = result(&[bytes]);
    assert_eq!(
        result(&bytes.chunks(1).collect::<Vec<_>>()),
        whole,
        "byte by byte"
    );
    for place in 0..=bytes.len() {
        let (left, right) = bytes.split_at(place);
        assert_eq!(result(&[left, right]), whole, "cut at {place}");
    }
    whole
}

/// A JSON string whose characters are escaped as the bits of `escapes` say.
fn escaped(text: &str, escapes: u64) -> String {
    let mut json = String::from("\"");
    for (place, character) in text.chars().enumerate() {
        if escapes >> (place % 64) & 1 == 1 || character < ' ' || matches!(character, '"' | '\\') {
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
