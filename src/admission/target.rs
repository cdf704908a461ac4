//! What a request is for: a model, a probe or a lookup.

use crate::admission::path::{self, ModelPath};
use crate::admission::probe::Probe;
use crate::admission::reject::Reject;
use crate::headers::Headers;
use crate::records::lookup;
use crate::routing::active_config::ActiveConfig;
use crate::routing::plan::METHOD;

/// What an admitted request is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// An operation of a model.
    Model(ModelPath),
    /// Whether this Envoy is healthy. Needs no key.
    Probe(Probe),
    /// The row of the request with this id.
    Lookup(String),
}

impl Target {
    /// Reads the method and the path. The key is checked before anything else, so that nobody
    /// without one learns what exists.
    ///
    /// # Errors
    /// The [`Reject`] that ends the request.
    pub(crate) fn of(config: &ActiveConfig, headers: Headers<'_>) -> Result<Self, Reject> {
        let path = headers.all(":path").next().unwrap_or_default();
        let method = headers.all(":method").next().unwrap_or_default();
        if let Some(query) = lookup::query(path) {
            config.admit(headers)?;
            return lookup::request_id(method, query).map(Self::Lookup);
        }
        if let Some(probe) = Probe::of(method, path) {
            return Ok(Self::Probe(probe));
        }
        if path::is_guarded(path) {
            config.admit(headers)?;
        }
        let model = path::parse(path)?;
        if method != METHOD.as_bytes() {
            return Err(Reject::Method(METHOD));
        }
        Ok(Self::Model(model))
    }
}
