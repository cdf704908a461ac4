//! What a request reports about itself in LiteLLM's headers, for the spend log. Values are limited
//! in length and used only for the spend log.

use crate::admission::path;
use crate::excerpt::excerpt;
use crate::headers::Headers;

/// Longest id, end user or user agent, in bytes.
const TEXT_MAX_BYTES: usize = 256;
/// Longest path, in bytes: twice the length of a percent-encoded ARN with an operation.
const PATH_MAX_BYTES: usize = 512;
/// Maximum number of tags.
const TAGS_MAX: usize = 32;
/// Prefixes of LiteLLM keys and of Bedrock's long-term and short-term API keys, which clients
/// sometimes put into the path by mistake.
const KEY_PREFIXES: [&str; 3] = ["sk-", "ABSK", "bedrock-api-key-"];
/// Replaces a key.
const REDACTED: &str = "[redacted]";
/// Longest `x-litellm-spend-logs-metadata`, in bytes.
const METADATA_MAX_BYTES: usize = 4096;

/// What a request reports about itself.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// `x-litellm-call-id`, or an id from the gateway.
    pub call_id: String,
    /// `x-litellm-tags`, separated by commas.
    pub tags: Vec<String>,
    /// `x-litellm-customer-id` or `x-litellm-end-user-id`.
    pub end_user: Option<String>,
    /// `x-litellm-spend-logs-metadata`, if it is JSON.
    pub metadata: Option<serde_json::Value>,
    /// `user-agent`.
    pub user_agent: Option<String>,
    /// The start of the `:path` without its query string, which may contain a secret.
    path: Vec<u8>,
}

impl Client {
    /// Reads the headers. `id` is the call id if the request has none.
    pub fn read(headers: Headers<'_>, id: String) -> Self {
        let text = |name| headers.all(name).next().and_then(text);
        let tags = headers
            .all("x-litellm-tags")
            .flat_map(|value| value.split(|byte| *byte == b','));
        let metadata = headers.all("x-litellm-spend-logs-metadata").next();
        let metadata = metadata.filter(|value| value.len() <= METADATA_MAX_BYTES);
        Self {
            call_id: text("x-litellm-call-id").filter(|id| is_id(id)).unwrap_or(id),
            tags: tags
                .filter_map(|tag| self::text(tag.trim_ascii()))
                .take(TAGS_MAX)
                .collect(),
            end_user: text("x-litellm-customer-id").or_else(|| text("x-litellm-end-user-id")),
            metadata: metadata.and_then(|value| serde_json::from_slice(value).ok()),
            user_agent: text("user-agent"),
            path: headers.all(":path").next().map(without_query).unwrap_or_default(),
        }
    }

    /// The path, for the spend log.
    pub fn path(&self) -> Option<String> {
        (!self.path.is_empty()).then(|| without_keys(&excerpt(&self.path, TEXT_MAX_BYTES)))
    }

    /// The model name in the path, for the spend log, if the path is valid.
    pub fn model(&self) -> Option<String> {
        let target = path::parse(&self.path).ok()?;
        Some(without_keys(&excerpt(target.alias.as_bytes(), TEXT_MAX_BYTES)))
    }
}

/// Removes the query string or fragment. Some clients percent-encode the `?` or `#` before it.
fn without_query(path: &[u8]) -> Vec<u8> {
    let is_query = |rest: &[u8]| {
        matches!(
            rest,
            [b'?' | b'#', ..] | [b'%', b'2', b'3', ..] | [b'%', b'3', b'f' | b'F', ..]
        )
    };
    let path = path.get(..path.len().min(PATH_MAX_BYTES)).unwrap_or(path);
    let end = (0..path.len()).find(|&index| path.get(index..).is_some_and(is_query));
    path.get(..end.unwrap_or(path.len())).unwrap_or(path).to_vec()
}

/// Redacts keys: each segment of `path` is cut where a key starts.
fn without_keys(path: &str) -> String {
    let segments = path.split('/').map(|segment| {
        let kept = find_key(segment).and_then(|index| segment.get(..index));
        kept.map_or_else(|| segment.to_owned(), |kept| format!("{kept}{REDACTED}"))
    });
    segments.collect::<Vec<_>>().join("/")
}

/// Finds the start of a key in `segment`: the prefix of a key that is not within a word.
fn find_key(segment: &str) -> Option<usize> {
    let mut indices = segment.char_indices().map(|(index, _)| index);
    indices.find(|&index| {
        segment.split_at_checked(index).is_some_and(|(before, rest)| {
            let is_key = KEY_PREFIXES.iter().any(|prefix| rest.starts_with(prefix));
            is_key && !ends_in_a_word(before)
        })
    })
}

/// Whether `text` ends within a word. The digits of a percent-encoded character do not count.
fn ends_in_a_word(text: &str) -> bool {
    let is_encoded = text.bytes().rev().nth(2) == Some(b'%');
    text.ends_with(|last: char| last.is_alphanumeric()) && !is_encoded
}

/// The id is echoed in a response header, so it must be safe in headers and logs without escaping.
fn is_id(id: &str) -> bool {
    id.bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

/// The start of a header value as text, if it is not empty.
fn text(value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(value);
    let end = text.floor_char_boundary(TEXT_MAX_BYTES);
    text.get(..end).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(headers: &[(&str, &str)]) -> Client {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        Client::read(Headers(&headers), "made-up".into())
    }

    #[test]
    fn litellm_headers_are_read() {
        let client = client(&[
            ("x-litellm-call-id", "call-1"),
            ("x-litellm-tags", "a, b,,c"),
            ("x-litellm-end-user-id", "u"),
            ("x-litellm-spend-logs-metadata", "{\"k\": 1}"),
            ("user-agent", "Boto3/1"),
        ]);
        assert_eq!(client.call_id, "call-1");
        assert_eq!(client.tags, ["a", "b", "c"]);
        assert_eq!(client.end_user.as_deref(), Some("u"));
        assert_eq!(client.metadata, Some(serde_json::json!({ "k": 1 })));
        assert_eq!(client.user_agent.as_deref(), Some("Boto3/1"));
    }

    #[test]
    fn an_id_that_is_not_safe_in_a_header_is_ignored() {
        for id in ["", "a b", "a\"b", "é", "a\\b"] {
            assert_eq!(client(&[("x-litellm-call-id", id)]).call_id, "made-up", "{id}");
        }
    }

    #[test]
    fn long_values_are_cut_and_many_tags_dropped() {
        let tags = "t,".repeat(100);
        let long = "é".repeat(300);
        let client = client(&[("x-litellm-tags", &tags), ("user-agent", &long)]);
        assert_eq!(client.tags.len(), TAGS_MAX);
        assert_eq!(client.user_agent.unwrap().len(), TEXT_MAX_BYTES);
    }

    #[test]
    fn the_path_is_kept_without_its_query_and_names_the_model() {
        for (path, kept, model) in [
            ("/model/m/converse", Some("/model/m/converse"), Some("m")),
            (
                "/bedrock//model/a%2Fb/invoke?key=sk-1",
                Some("/bedrock//model/a%2Fb/invoke"),
                Some("a/b"),
            ),
            ("/model/m/converse#sk-1", Some("/model/m/converse"), Some("m")),
            ("/model/m/nothing", Some("/model/m/nothing"), None),
            (
                "/model/\u{1}\u{7f}/converse",
                Some("/model/\u{fffd}\u{fffd}/converse"),
                None,
            ),
            ("/v1/chat/completions", Some("/v1/chat/completions"), None),
            ("?a", None, None),
        ] {
            let client = client(&[(":path", path)]);
            assert_eq!(
                (client.path().as_deref(), client.model().as_deref()),
                (kept, model),
                "{path}"
            );
        }
        assert_eq!((client(&[]).path(), client(&[]).model()), (None, None));
        let bytes = Client::read(Headers(&[(b":path", b"/model/\xff/converse")]), "id".into());
        assert_eq!(
            (bytes.path().as_deref(), bytes.model()),
            (Some("/model/\u{fffd}/converse"), None)
        );
    }

    #[test]
    fn a_long_path_is_cut() {
        let name = "n".repeat(TEXT_MAX_BYTES);
        for (more, model_length) in [(0, 256), (1, 256 + '…'.len_utf8())] {
            let client = client(&[(":path", &format!("/model/{name}{}/converse", "n".repeat(more)))]);
            assert_eq!(client.path().unwrap().len(), TEXT_MAX_BYTES + '…'.len_utf8());
            assert_eq!(client.model().unwrap().len(), model_length);
        }
        let room = PATH_MAX_BYTES - "/model//converse".len();
        for (length, has_model) in [(room - 1, true), (room, true), (room + 1, false)] {
            let path = format!("/model/{}/converse", "n".repeat(length));
            let client = client(&[(":path", &path)]);
            assert!(client.path.len() <= PATH_MAX_BYTES);
            assert_eq!(client.model().is_some(), has_model, "{length}");
        }
    }

    #[test]
    fn metadata_that_is_too_long_or_invalid_is_ignored() {
        let long = format!("\"{}\"", "x".repeat(METADATA_MAX_BYTES));
        for metadata in ["{", "", &long] {
            assert_eq!(
                client(&[("x-litellm-spend-logs-metadata", metadata)]).metadata,
                None
            );
        }
    }
}
