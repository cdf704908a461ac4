//! Text of a client, made fit for a message or a line of the record: short and printable.

/// Stands for a character that is not printable, and for bytes that are not UTF-8.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;
/// Says that something was cut off.
const ELLIPSIS: char = '…';

/// The beginning of `text`: at most `max_bytes` of it, and an ellipsis if that is not all. Characters that are not
/// printable (controls, marks that change the direction of text) are replaced.
pub(crate) fn excerpt(text: &[u8], max_bytes: usize) -> String {
    let text = String::from_utf8_lossy(text);
    let mut shown = String::with_capacity(text.len().min(max_bytes));
    for char in text.chars() {
        let char = if is_printable(char) { char } else { REPLACEMENT };
        if shown.len().saturating_add(char.len_utf8()) > max_bytes {
            shown.push(ELLIPSIS);
            break;
        }
        shown.push(char);
    }
    shown
}

/// Whether the standard library prints it as itself, or would only escape it because it is a quotation mark or the like.
fn is_printable(char: char) -> bool {
    matches!(char, '"' | '\'' | '\\') || char.escape_debug().len() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_text_stays_as_it_is() {
        for text in ["", "us.anthropic.claude-v1:0", "a \"b\" 'c' \\ é 模型", "%2F"] {
            assert_eq!(excerpt(text.as_bytes(), 100), text);
        }
    }

    #[test]
    fn what_is_not_printable_is_replaced() {
        assert_eq!(
            excerpt(b"a\0b\r\nc\x7f\xffd", 100),
            "a\u{fffd}b\u{fffd}\u{fffd}c\u{fffd}\u{fffd}d"
        );
        assert_eq!(excerpt("a\u{202e}b\u{85}".as_bytes(), 100), "a\u{fffd}b\u{fffd}");
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        for (length, expected) in [(9, 9), (10, 10), (11, 10)] {
            let shown = excerpt("x".repeat(length).as_bytes(), 10);
            assert_eq!(shown.trim_end_matches(ELLIPSIS).len(), expected);
            assert_eq!(shown.ends_with(ELLIPSIS), length > 10);
        }
        assert_eq!(excerpt("éééé".as_bytes(), 5), "éé…");
        // Replacements count as what they have become.
        assert_eq!(excerpt(&[0xff; 10], 7), "\u{fffd}\u{fffd}…");
    }
}
