//! Probes, under LiteLLM's paths: whether this Envoy serves requests. They say nothing else and need no key.

use serde_json::json;

use crate::admission::reject::Reply;

/// The answer to a probe, or `None` if the request is none.
pub fn answer(method: &[u8], path: &[u8]) -> Option<Reply> {
    if method != b"GET" {
        return None;
    }
    match path {
        b"/health/liveliness" | b"/health/liveness" => Some(Reply::json(200, &json!("I'm alive!"))),
        b"/health/readiness" => Some(Reply::json(200, &json!({ "status": "healthy" }))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_get_of_a_probe_is_answered() {
        assert_eq!(
            answer(b"GET", b"/health/liveliness").unwrap().body,
            b"\"I'm alive!\""
        );
        assert_eq!(answer(b"GET", b"/health/readiness").unwrap().status, 200);
        assert_eq!(answer(b"POST", b"/health/liveliness"), None);
        assert_eq!(answer(b"GET", b"/health"), None);
    }
}
