//! Why the collector's settings cannot be used.

use thiserror::Error;

use crate::address::AddressError;

/// A variable or option that cannot be used. No message contains a value that may be secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{setting}: {problem}")]
pub(crate) struct CollectorError {
    /// The variable or option.
    pub(crate) setting: &'static str,
    /// What is wrong with it.
    pub(crate) problem: CollectorProblem,
}

/// What is wrong with a variable or option.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum CollectorProblem {
    /// Not the URL of a collector: what was found.
    #[error("expected a URL like http://localhost:4318 or https://HOST:PORT, but found {0}")]
    Url(AddressError),
    /// Not a supported protocol.
    #[error("expected grpc or http/protobuf, but found '{0}'")]
    Protocol(String),
    /// Not a time limit.
    #[error("expected milliseconds from 1 to {max}, but found '{found}'")]
    Timeout {
        /// The text.
        found: String,
        /// The longest time limit.
        max: u64,
    },
    /// A client certificate.
    #[error("client certificates are not supported yet")]
    ClientCertificate,
    /// Not pairs: what was found.
    #[error("expected name=value pairs separated by commas, but found {0}")]
    Pairs(&'static str),
    /// A name that is not that of an HTTP header.
    #[error("a header name contains a character that is not allowed in one")]
    HeaderName,
    /// A header that Envoy sets.
    #[error("Envoy sets the header {0} itself")]
    OwnHeader(String),
    /// A header value that HTTP does not allow.
    #[error("the value of {0} contains a character other than printable ASCII")]
    HeaderValue(String),
    /// Two headers whose values would be in the same variable.
    #[error("the header {0} occurs twice (- and _ count as the same character)")]
    DuplicateHeader(String),
}

impl CollectorProblem {
    /// The error for `setting`.
    pub(super) fn of(self, setting: &'static str) -> CollectorError {
        CollectorError {
            setting,
            problem: self,
        }
    }
}
