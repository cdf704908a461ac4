//! Shortens text from a client and makes it printable, for messages and the spend log.

/// Replaces characters that are not printable and bytes that are not UTF-8.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;
/// Marks text that was cut.
const ELLIPSIS: char = '…';

/// Returns at most `max_bytes` of `text`, followed by an ellipsis if it was cut. Characters that
/// are not printable, such as controls and bidirectional formatting, are replaced.
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

/// Whether the standard library prints `char` unescaped, or escapes it only because of its syntax.
fn is_printable(char: char) -> bool {
    matches!(char, '"' | '\'' | '\\') || char.escape_debug().len() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_text_is_unchanged() {
        for text in ["", "us.anthropic.claude-v1:0", "a \"b\" 'c' \\ é 模型", "%2F"] {
            assert_eq!(excerpt(text.as_bytes(), 100), text);
        }
    }

    #[test]
    fn characters_that_are_not_printable_are_replaced() {
        assert_eq!(
            excerpt(b"a\0b\r\nc\x7f\xffd", 100),
            "a\u{fffd}b\u{fffd}\u{fffd}c\u{fffd}\u{fffd}d"
        );
        assert_eq!(excerpt("a\u{202e}b\u{85}".as_bytes(), 100), "a\u{fffd}b\u{fffd}");
    }

    #[test]
    fn a_long_text_is_cut_at_a_character_boundary() {
        for (length, expected) in [(9, 9), (10, 10), (11, 10)] {
            let shown = excerpt("x".repeat(length).as_bytes(), 10);
            assert_eq!(shown.trim_end_matches(ELLIPSIS).len(), expected);
            assert_eq!(shown.ends_with(ELLIPSIS), length > 10);
        }
        assert_eq!(excerpt("éééé".as_bytes(), 5), "éé…");
        // Replacements count with their own length.
        assert_eq!(excerpt(&[0xff; 10], 7), "\u{fffd}\u{fffd}…");
    }
}
