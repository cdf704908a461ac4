//! Health probes under LiteLLM's paths. They need no key and say nothing else.

use serde_json::json;

use crate::admission::reject::Reply;

/// A question about this Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Whether the process is alive.
    Liveness,
    /// Whether it serves requests.
    Readiness,
}

impl Probe {
    /// The probe that a request makes, if it makes one.
    pub(crate) fn of(method: &[u8], path: &[u8]) -> Option<Self> {
        if method != b"GET" {
            return None;
        }
        match path {
            b"/health/liveliness" | b"/health/liveness" => Some(Self::Liveness),
            b"/health/readiness" => Some(Self::Readiness),
            _ => None,
        }
    }

    /// The reply, in LiteLLM's words.
    pub(crate) fn reply(self) -> Reply {
        match self {
            Self::Liveness => Reply::json(200, &json!("I'm alive!")),
            Self::Readiness => Reply::json(200, &json!({ "status": "healthy" })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_get_of_a_probe_path_is_a_probe() {
        let alive = Probe::of(b"GET", b"/health/liveliness").unwrap().reply();
        assert_eq!(alive.body, b"\"I'm alive!\"");
        let ready = Probe::of(b"GET", b"/health/readiness").unwrap().reply();
        assert_eq!(ready.status, 200);
        assert_eq!(Probe::of(b"POST", b"/health/liveliness"), None);
        assert_eq!(Probe::of(b"GET", b"/health"), None);
    }
}
