//! The most tokens that a request allows its response to have.

use crate::usage::scan::{ScanNode, Scanner, Visit};

/// Longer requests are not searched to their end: reading JSON costs more than hashing it.
const SEARCHED_MAX_BYTES: usize = 256 * 1024;

/// Searches a request while it arrives. A repeated limit replaces the first one, as in most parsers.
#[derive(Clone, Debug)]
pub(crate) struct MaxTokens {
    scanner: Scanner<Limit, LastNumber>,
    searched_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    /// A container that means nothing by itself.
    Group,
    Tokens,
}

#[derive(Clone, Copy, Debug, Default)]
struct LastNumber(Option<u64>);

const fn tokens(key: &'static str) -> ScanNode<Limit> {
    ScanNode::leaf(key, Limit::Tokens)
}

/// Where Converse and the models' own formats have the limit.
static REQUEST: ScanNode<Limit> = ScanNode::object(
    "",
    Limit::Group,
    &[
        ScanNode::object(
            "inferenceConfig",
            Limit::Group,
            &[tokens("maxTokens"), tokens("max_new_tokens")],
        ),
        ScanNode::object("textGenerationConfig", Limit::Group, &[tokens("maxTokenCount")]),
        tokens("max_tokens"),
        tokens("max_completion_tokens"),
        tokens("max_tokens_to_sample"),
        tokens("max_gen_len"),
        tokens("maxTokens"),
    ],
);

impl Visit<Limit> for LastNumber {
    fn enter(&mut self, _: Limit) {}

    fn number(&mut self, field: Limit, value: Option<u64>) {
        if field == Limit::Tokens {
            self.0 = value;
        }
    }
}

impl Default for MaxTokens {
    fn default() -> Self {
        Self {
            scanner: Scanner::new(&REQUEST, LastNumber::default()),
            searched_bytes: 0,
        }
    }
}

impl MaxTokens {
    /// Searches the next bytes.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        let room = SEARCHED_MAX_BYTES.saturating_sub(self.searched_bytes);
        let searched = chunk.get(..chunk.len().min(room)).unwrap_or_default();
        self.searched_bytes = self.searched_bytes.saturating_add(searched.len());
        // What is not JSON has no limit.
        let _malformed = self.scanner.push(searched);
    }

    /// The limit, if there is one.
    pub(crate) fn value(&self) -> Option<u64> {
        self.scanner.visitor().0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str, chunk: usize) -> Option<u64> {
        let mut search = MaxTokens::default();
        for chunk in body.as_bytes().chunks(chunk) {
            search.push(chunk);
        }
        search.value()
    }

    #[test]
    fn the_limit_is_found_in_every_format() {
        for (body, expected) in [
            (
                r#"{"messages": [], "inferenceConfig": {"maxTokens": 7}}"#,
                Some(7),
            ),
            (r#"{"inferenceConfig": {"max_new_tokens": 7}}"#, Some(7)),
            (r#"{"textGenerationConfig": {"maxTokenCount": 7}}"#, Some(7)),
            (r#"{"max_tokens": 7, "messages": []}"#, Some(7)),
            (r#"{"max_tokens": 8, "max_tokens": 7}"#, Some(7)),
            (r#"{"max_gen_len": 7}"#, Some(7)),
            (r#"{"messages": [{"text": "\"max_tokens\": 7"}]}"#, None),
            (r#"{"messages": [{"max_tokens": 7}]}"#, None),
            (r#"{"max_tokens": -1}"#, None),
            ("max_tokens", None),
            ("", None),
        ] {
            for chunk in [1, 5, 100] {
                assert_eq!(found(body, chunk), expected, "{body}");
            }
        }
    }

    #[test]
    fn a_long_request_is_not_searched_to_its_end() {
        let body = |bytes| format!(r#"{{"a": "{}", "max_tokens": 7}}"#, "x".repeat(bytes));
        assert_eq!(found(&body(SEARCHED_MAX_BYTES - 100), 4096), Some(7));
        assert_eq!(found(&body(SEARCHED_MAX_BYTES), 4096), None);
    }
}
