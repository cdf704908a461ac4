//! What a request is for: a model, a probe, a lookup or a question.

use std::rc::Rc;

use crate::admission::path::{self, ModelPath};
use crate::admission::probe::Probe;
use crate::admission::reject::Reject;
use crate::headers::Headers;
use crate::inquiry::Inquiry;
use crate::keys::{VerifiedKey, VirtualKey};
use crate::records::lookup;
use crate::routing::active_config::ActiveConfig;
use crate::routing::upstream_request::METHOD;
use crate::time::UnixTime;

/// What an admitted request is for.
#[derive(Debug)]
pub(crate) enum Target {
    /// An operation of a model, for the owner of this key.
    Model(ModelPath, Rc<VirtualKey>),
    /// Whether this Envoy is healthy. Needs no key.
    Probe(Probe),
    /// The row of the request with this id.
    Lookup(String),
    /// A question of the owner of this key.
    Inquiry(Inquiry, Rc<VirtualKey>),
}

impl Target {
    /// Reads the method and the path. The key is checked before anything else, so that nobody
    /// without one learns what exists. It is left in `presented`, also if the request is refused
    /// for another reason.
    ///
    /// # Errors
    /// The [`Reject`] that ends the request.
    pub(crate) fn of(
        config: &ActiveConfig,
        headers: Headers<'_>,
        verified: Option<&VerifiedKey>,
        presented: &mut Option<Rc<VirtualKey>>,
        now: UnixTime,
    ) -> Result<Self, Reject> {
        let mut admit = || {
            let key = config.keys.admit(headers, verified, || now)?;
            *presented = Some(Rc::clone(&key));
            Ok::<_, Reject>(key)
        };
        let path = headers.all(":path").next().unwrap_or_default();
        let method = headers.all(":method").next().unwrap_or_default();
        if let Some(query) = lookup::query(path) {
            if !admit()?.is_master() {
                return Err(Reject::MasterKeyOnly);
            }
            return lookup::request_id(method, query).map(Self::Lookup);
        }
        if let Some(probe) = Probe::of(method, path) {
            return Ok(Self::Probe(probe));
        }
        if let Some(inquiry) = Inquiry::of(method, path) {
            return Ok(Self::Inquiry(inquiry, admit()?));
        }
        let key = path::is_guarded(path).then(&mut admit).transpose()?;
        let model = path::parse(path)?;
        if method != METHOD.as_bytes() {
            return Err(Reject::Method(METHOD));
        }
        let key = key.map_or_else(admit, Ok)?;
        Ok(Self::Model(model, key))
    }
}
