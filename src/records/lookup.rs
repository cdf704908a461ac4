//! Lookups: `GET /spend/logs?request_id=…` returns what a completed request cost. For streams, this
//! is the only way to learn it from the gateway. The path and the response format are LiteLLM's.

use crate::admission::reject::{CONTENT_TYPE, Reject, Reply};
use crate::encoding::percent;

const PATH: &[u8] = b"/spend/logs";
const METHOD: &str = "GET";
const PARAMETER: &[u8] = b"request_id";
/// Longest id, in bytes. Longer ones are never recorded.
const ID_MAX_BYTES: usize = 256;

/// Returns the query string if the path is that of a lookup.
pub(crate) fn query(path: &[u8]) -> Option<&[u8]> {
    let mut parts = path.splitn(2, |byte| *byte == b'?');
    (parts.next() == Some(PATH)).then(|| parts.next().unwrap_or_default())
}

/// Returns the id to look up: the `x-litellm-call-id` or `x-amzn-requestid` of a request.
///
/// # Errors
/// [`Reject::Method`] or [`Reject::SpendQuery`].
pub(crate) fn request_id(method: &[u8], query: &[u8]) -> Result<String, Reject> {
    if method != METHOD.as_bytes() {
        return Err(Reject::Method(METHOD));
    }
    parameter(query).ok_or(Reject::SpendQuery)
}

/// The reply to a lookup: a list with the row, or an empty list. `row` is the content of a JSON
/// object with a trailing comma.
pub(crate) fn reply(row: Option<&str>) -> Reply {
    let mut body = String::from("[");
    if let Some(row) = row {
        body.push('{');
        body.push_str(row.trim_end_matches(','));
        body.push('}');
    }
    body.push(']');
    Reply {
        status: 200,
        headers: vec![
            ("content-type", CONTENT_TYPE.into()),
            ("cache-control", "no-store".into()),
        ],
        error_type: None,
        body: body.into_bytes(),
        reason: None,
    }
}

/// Returns the `request_id` of a query string, unless it is repeated, not UTF-8, empty or too long.
fn parameter(query: &[u8]) -> Option<String> {
    let mut ids = query.split(|byte| *byte == b'&').filter_map(|pair| {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        (parts.next() == Some(PARAMETER)).then(|| parts.next().unwrap_or_default())
    });
    let id = ids.next()?;
    if ids.next().is_some() {
        return None;
    }
    // As in HTML forms, a plus is a space.
    let id = percent::decode(id, |byte| Some(if byte == b'+' { b' ' } else { byte }))?;
    let id = String::from_utf8(id).ok()?;
    (1..=ID_MAX_BYTES).contains(&id.len()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::target::Target;
    use crate::headers::Headers;
    use crate::routing::active_config::ActiveConfig;
    use crate::time::UnixTime;

    const SETTINGS: &str = r#"{"master_key": "K", "attempts": 1, "body_limit_bytes": 1, "models": []}"#;

    fn lookup(method: &str, path: &str, key: &str) -> Option<Result<String, Reject>> {
        let config = ActiveConfig::new(SETTINGS.as_bytes(), |_| Some("sk-1".into())).unwrap();
        let authorization = format!("Bearer {key}");
        let headers = [
            (":method", method),
            (":path", path),
            ("authorization", &authorization),
        ]
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        match Target::of(
            &config,
            Headers(&headers),
            None,
            &mut None,
            UnixTime::from_seconds(0),
        ) {
            Ok(Target::Lookup(id)) => Some(Ok(id)),
            Ok(_) | Err(Reject::Path(_)) => None,
            Err(reject) => Some(Err(reject)),
        }
    }

    #[test]
    fn a_lookup_names_one_request() {
        for (query, id) in [
            ("request_id=a-1", "a-1"),
            ("x=1&request_id=a%2F1+b&request_idx=2", "a/1 b"),
        ] {
            let path = format!("/spend/logs?{query}");
            assert_eq!(lookup("GET", &path, "sk-1"), Some(Ok(id.into())), "{path}");
        }
        let long = format!("request_id={}", "a".repeat(257));
        for query in [
            "",
            "request_id",
            "request_id=",
            "request_id=a&request_id=b",
            "request_id=%4",
            "request_id=%ff",
            &long,
        ] {
            let path = format!("/spend/logs?{query}");
            assert_eq!(
                lookup("GET", &path, "sk-1"),
                Some(Err(Reject::SpendQuery)),
                "{path}"
            );
        }
        assert_eq!(
            lookup("GET", "/spend/logs", "sk-1"),
            Some(Err(Reject::SpendQuery))
        );
    }

    #[test]
    fn the_key_is_checked_first_and_other_paths_are_not_lookups() {
        for path in ["/spend/logs", "/spend/logs?request_id=a"] {
            assert_eq!(lookup("POST", path, "sk-2"), Some(Err(Reject::WrongKey)));
        }
        assert_eq!(
            lookup("POST", "/spend/logs?request_id=a", "sk-1"),
            Some(Err(Reject::Method("GET")))
        );
        for path in ["/spend", "/spend/logs/", "/spend/logsx", "/model/spend/logs"] {
            assert_eq!(lookup("GET", path, "sk-1"), None, "{path}");
        }
    }

    #[test]
    fn the_reply_is_a_list_of_at_most_one_row() {
        assert_eq!(reply(None).body, b"[]");
        assert_eq!(reply(Some("\"a\":1,\"b\":2,")).body, b"[{\"a\":1,\"b\":2}]");
    }
}
