//! A header map as the filter sees it: lower-case names, ordered, names may repeat.

use std::fmt;

use crate::abi::Pairs;

/// Headers or trailers.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HeaderMap(Pairs);

impl fmt::Debug for HeaderMap {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = self
            .0
            .iter()
            .map(|(name, value)| (name.escape_ascii(), value.escape_ascii()));
        out.debug_list()
            .entries(texts.map(|(name, value)| format!("{name}: {value}")))
            .finish()
    }
}

impl HeaderMap {
    /// The headers of a request or response, in order. Lower-cases the names, like Envoy's codecs.
    pub fn new<N: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: impl IntoIterator<Item = (N, V)>) -> HeaderMap {
        let mut headers = HeaderMap::default();
        for (name, value) in pairs {
            headers.add(name.as_ref(), value.as_ref());
        }
        headers
    }

    /// The first value of `name`, or `None`.
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.values(name).next()
    }

    /// The first value of `name` as text. Panics if it is not UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.first(name)
            .map(|value| std::str::from_utf8(value).expect("a header value in UTF-8"))
    }

    /// Every value of `name`, in order.
    pub fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let name = name.to_ascii_lowercase().into_bytes();
        self.0
            .iter()
            .filter(move |(other, _)| *other == name)
            .map(|(_, value)| value.as_slice())
    }

    /// Names and values, in order.
    pub fn pairs(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.0
    }

    /// Adds a value after any other values of `name`.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        self.0.push((name.to_ascii_lowercase(), value.to_vec()));
    }

    /// Makes `value` the only one of `name`.
    pub fn replace(&mut self, name: &[u8], value: &[u8]) {
        self.remove(name);
        self.add(name, value);
    }

    /// Removes every value of `name`.
    pub fn remove(&mut self, name: &[u8]) {
        let name = name.to_ascii_lowercase();
        self.0.retain(|(other, _)| *other != name);
    }
}
