//! What a gateway must never send to AWS: traces of its clients, of proxies, or of itself.

use hyper::HeaderMap;

/// Prefixes of headers of client SDKs, proxies and gateways.
const PREFIXES: &[&str] = &["amz-sdk-", "x-litellm-", "x-eb-", "x-envoy-", "x-forwarded-"];
/// Headers with secrets of a client.
const NAMES: &[&str] = &["cookie", "x-api-key", "api-key", "proxy-authorization"];

/// What a gateway must never send, found in this request.
pub(crate) fn violations(headers: &HeaderMap, query: Option<&str>, authority: Option<&str>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in headers {
        let name = name.as_str();
        if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name) {
            found.push(format!("header {name}"));
        }
        if has_virtual_key(value.as_bytes()) {
            found.push(format!("virtual key in header {name}"));
        }
    }
    if query.is_some() {
        found.push("query string".to_owned());
    }
    for host in headers.get_all(hyper::header::HOST) {
        if authority.is_some_and(|authority| authority.as_bytes() != host.as_bytes()) {
            found.push("host differs from :authority".to_owned());
        }
    }
    found
}

/// Whether a word in `value` starts with `sk-`, as proxy keys do.
fn has_virtual_key(value: &[u8]) -> bool {
    value.windows(4).enumerate().any(|(index, window)| {
        let before = index.checked_sub(1).and_then(|before| value.get(before));
        window.starts_with(b"sk-")
            && window[3].is_ascii_alphanumeric()
            && !before.is_some_and(u8::is_ascii_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &'static str, value: &'static str) -> Vec<String> {
        let mut headers = HeaderMap::new();
        headers.insert(name, hyper::header::HeaderValue::from_static(value));
        violations(&headers, None, None)
    }

    #[test]
    fn headers_of_sdks_and_proxies_are_violations() {
        for name in [
            "amz-sdk-request",
            "x-litellm-tags",
            "x-eb-plan",
            "x-envoy-attempt-count",
            "cookie",
        ] {
            assert_eq!(found(name, "v"), [format!("header {name}")]);
        }
    }

    #[test]
    fn a_virtual_key_is_found_anywhere_in_a_value() {
        assert_eq!(
            found("user-agent", "Bearer sk-1234"),
            ["virtual key in header user-agent"]
        );
        assert_eq!(found("accept", "sk-1"), ["virtual key in header accept"]);
        assert!(found("user-agent", "task-1 desk-2 sk- sk-").is_empty());
    }

    #[test]
    fn a_query_string_is_a_violation_even_when_empty() {
        assert_eq!(violations(&HeaderMap::new(), Some(""), None), ["query string"]);
    }

    #[test]
    fn a_header_of_bedrock_is_no_violation() {
        assert!(found("x-amzn-bedrock-trace", "ENABLED").is_empty());
    }
}
