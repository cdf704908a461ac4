//! Questions of the owner of a key: about the key, and about the models that it may call. Paths and
//! replies are LiteLLM's.

mod health;
#[cfg(test)]
mod health_tests;
mod key_info;
mod models;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use crate::admission::reject::{Reject, Reply};
use crate::encoding::percent;
use crate::inquiry::health::HealthFilter;
use crate::keys::VirtualKey;
use crate::limits::Limiter;
use crate::routing::active_config::ActiveConfig;
use crate::time::UnixTime;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Inquiry {
    /// About the key itself, or another one that the master key asks about.
    Key(Option<String>),
    /// Which models the key may call, in OpenAI's format.
    Models,
    /// About one of these models.
    Model(String),
    /// About the deployments of these models.
    Deployments,
    /// Which of these get requests.
    Health(HealthFilter),
}

impl Inquiry {
    /// The question that a request asks, if it asks one.
    pub(crate) fn of(method: &[u8], path: &[u8]) -> Option<Self> {
        if method != b"GET" {
            return None;
        }
        let (path, query) = match path.iter().position(|byte| *byte == b'?') {
            Some(mark) => path.split_at_checked(mark)?,
            None => (path, &b""[..]),
        };
        match path {
            b"/key/info" => Some(Self::Key(parameter(query, b"key"))),
            b"/v1/models" | b"/models" => Some(Self::Models),
            b"/health" => Some(Self::Health(HealthFilter {
                model: parameter(query, b"model"),
                id: parameter(query, b"model_id"),
            })),
            b"/model/info" | b"/v1/model/info" => Some(Self::Deployments),
            _ => {
                let name = path.strip_prefix(b"/v1/models/")?;
                decoded(name).map(Self::Model)
            }
        }
    }

    /// The answer for the owner of `key`.
    ///
    /// # Errors
    /// [`Reject::MasterKeyOnly`], [`Reject::UnknownKey`] or [`Reject::NoSuchModel`].
    pub(crate) fn answer(
        &self,
        config: &ActiveConfig,
        key: &Rc<VirtualKey>,
        limiter: Option<&Limiter>,
        now: UnixTime,
    ) -> Result<Reply, Reject> {
        let mut reply = match self {
            Self::Key(named) => {
                let asked = named.as_ref().map(|name| config.keys.find(name));
                let asked = match asked {
                    None => Rc::clone(key),
                    Some(Some(other)) if Rc::ptr_eq(&other, key) => other,
                    Some(_) if !key.is_master() => return Err(Reject::MasterKeyOnly),
                    Some(Some(other)) => other,
                    Some(None) => return Err(Reject::UnknownKey),
                };
                Reply::json(200, &key_info::body(&asked, limiter, now))
            }
            Self::Models => Reply::json(200, &models::list(config, key)),
            Self::Model(name) => {
                let model = models::one(config, key, name);
                Reply::json(200, &model.ok_or_else(|| Reject::NoSuchModel(name.clone()))?)
            }
            Self::Deployments => Reply::json(200, &models::deployments(config, key)),
            Self::Health(filter) => Reply::json(200, &health::body(config, key, filter, now)),
        };
        reply.headers.push(("cache-control", "no-store".into()));
        Ok(reply)
    }
}

/// The value of a parameter in a query string that starts with `?`.
fn parameter(query: &[u8], name: &[u8]) -> Option<String> {
    let query = query.strip_prefix(b"?")?;
    let mut values = query.split(|byte| *byte == b'&').filter_map(|pair| {
        let value = pair.strip_prefix(name)?.strip_prefix(b"=")?;
        decoded(value)
    });
    values.next()
}

fn decoded(text: &[u8]) -> Option<String> {
    let bytes = percent::decode(text, Some)?;
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}
