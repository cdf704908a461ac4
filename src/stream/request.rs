//! One request in the gateway role: judged by its headers, hashed as its body arrives, then planned.

use std::rc::Rc;

use crate::admission::reject::{Reject, Reply};
use crate::admission::{path, probe};
use crate::contract::names::{ROUTE_STREAM, ROUTE_UNARY};
use crate::contract::operation::Operation;
use crate::guardrail::{Edit, Editor, Forwarded};
use crate::headers::{Headers, is_forwarded};
use crate::random::Random;
use crate::routing::active_config::ActiveConfig;
use crate::routing::attempt_log::AttemptLog;
use crate::routing::model::ModelMatch;
use crate::routing::plan::{METHOD, Plan};
use crate::sigv4::PayloadHasher;

/// A request whose headers were accepted and whose body is arriving.
#[derive(Debug)]
pub struct Exchange {
    config: Rc<ActiveConfig>,
    named: ModelMatch,
    operation: Operation,
    headers: Forwarded,
    payload: Payload,
    received_bytes: u64,
}

/// What is to be signed of the body.
#[derive(Debug)]
enum Payload {
    /// The body as it comes.
    AsSent(PayloadHasher),
    /// The body with a guardrail.
    Guarded(Box<Editor>),
}

/// A request that may go upstream.
#[derive(Debug)]
pub struct Departure {
    /// What the signer needs for each attempt.
    pub plan: Plan,
    /// The failover cluster that makes the attempts.
    pub cluster: String,
    /// The route: how long the answer may take.
    pub route: &'static str,
    /// What has to be done to the body before it leaves.
    pub edit: Option<Edit>,
}

impl Exchange {
    /// Judges a request by its headers: the key before everything else, so that nobody without one learns what exists.
    ///
    /// # Errors
    /// The [`Reply`] that ends the request.
    pub fn begin(config: Rc<ActiveConfig>, headers: Headers<'_>) -> Result<Self, Reply> {
        let path = headers.all(":path").next().unwrap_or_default();
        let method = headers.all(":method").next().unwrap_or_default();
        if let Some(reply) = probe::answer(method, path) {
            return Err(reply);
        }
        Self::judge(config, headers, method, path).map_err(|reject| reject.reply())
    }

    fn judge(
        config: Rc<ActiveConfig>,
        headers: Headers<'_>,
        method: &[u8],
        path: &[u8],
    ) -> Result<Self, Reject> {
        if path::is_guarded(path) {
            config.admit(headers)?;
        }
        let target = path::parse(path)?;
        if method != METHOD.as_bytes() {
            return Err(Reject::Method(METHOD));
        }
        let Some(named) = config.models.find(&target.alias) else {
            return Err(Reject::UnknownModel(target.alias));
        };
        let mut deployments = named.model.deployments.iter();
        if let Some(deployment) = deployments.find(|one| !one.can(target.operation, &named.captures)) {
            return Err(Reject::Uncountable(deployment.id.clone()));
        }
        if headers
            .content_length()
            .is_some_and(|bytes| bytes > config.body_limit_bytes)
        {
            return Err(Reject::BodyTooLarge(config.body_limit_bytes));
        }
        let forwarded = headers.0.iter().filter(|(name, _)| is_forwarded(name));
        let mut headers = forwarded
            .map(|(name, value)| (name.to_vec(), value.to_vec()))
            .collect();
        let guardrail = named.model.guardrail.as_ref();
        let editor = guardrail.and_then(|guardrail| guardrail.guard(target.operation, &mut headers));
        Ok(Self {
            config,
            named,
            operation: target.operation,
            headers,
            payload: match editor {
                Some(editor) => Payload::Guarded(Box::new(editor)),
                None => Payload::AsSent(PayloadHasher::default()),
            },
            received_bytes: 0,
        })
    }

    /// Takes the next bytes of the body.
    ///
    /// # Errors
    /// The [`Reply`] that ends the request when the body is longer than allowed, or cannot get the guardrail that it
    /// has to have.
    pub fn receive(&mut self, chunk: &[u8]) -> Result<(), Reply> {
        let bytes = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        self.received_bytes = self.received_bytes.saturating_add(bytes);
        if self.received_bytes > self.config.body_limit_bytes {
            return Err(Reject::BodyTooLarge(self.config.body_limit_bytes).reply());
        }
        match &mut self.payload {
            Payload::AsSent(hasher) => hasher.update(chunk),
            Payload::Guarded(editor) => editor.push(chunk).map_err(|fault| Reject::Body(fault).reply())?,
        }
        Ok(())
    }

    /// Ends the body and decides where the request goes.
    ///
    /// # Errors
    /// The [`Reply`] that ends the request when its body cannot get the guardrail that it has to have.
    pub fn depart(self, random: &mut Random) -> Result<Departure, Reply> {
        let (payload, bytes, edit) = match self.payload {
            Payload::AsSent(hasher) => (hasher.finish(), self.received_bytes, None),
            Payload::Guarded(editor) => {
                let edited = editor.finish().map_err(|fault| Reject::Body(fault).reply())?;
                (edited.payload, edited.bytes, Some(edited.edit))
            }
        };
        let model = &self.named.model;
        let drawn = model.balance.draw(random);
        let attempts = drawn
            .iter()
            .filter_map(|&index| model.deployments.get(index))
            .cloned()
            .collect();
        Ok(Departure {
            cluster: model.balance.cluster(&drawn),
            route: if self.operation.is_stream() {
                ROUTE_STREAM
            } else {
                ROUTE_UNARY
            },
            plan: Plan {
                config: self.config,
                attempts,
                model: Rc::clone(&self.named.model),
                captures: self.named.captures,
                log: AttemptLog::default(),
                operation: self.operation,
                headers: self.headers,
                payload,
                content_length: bytes.to_string(),
            },
            edit,
        })
    }
}

#[cfg(test)]
mod tests;
