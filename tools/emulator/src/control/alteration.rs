//! What a fault changes in a response that is otherwise correct.

use std::collections::BTreeMap;

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

/// Another status, and further headers and trailers. HTTP/1.1 clients get no trailers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Alteration {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    trailers: BTreeMap<String, String>,
}

impl Alteration {
    pub(crate) fn status(&self) -> Option<StatusCode> {
        self.status.and_then(|status| StatusCode::from_u16(status).ok())
    }

    pub(crate) fn headers(&self) -> HeaderMap {
        parse(&self.headers)
    }

    pub(crate) fn trailers(&self) -> HeaderMap {
        parse(&self.trailers)
    }
}

/// Pairs that HTTP does not allow are left out.
fn parse(pairs: &BTreeMap<String, String>) -> HeaderMap {
    let pairs = pairs.iter().filter_map(|(name, value)| {
        let name = HeaderName::try_from(name).ok()?;
        Some((name, HeaderValue::try_from(value).ok()?))
    });
    pairs.collect()
}
