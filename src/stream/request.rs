//! A model request: checked by its headers, hashed while its body arrives, then dispatched. A body
//! that need not be hashed is streamed: the request is dispatched before its body arrives.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::admission::path::ModelPath;
use crate::admission::reject::Reject;
use crate::contract::names::{
    HEADER_ATTEMPT_TIMEOUT, HEADER_PACE, HEADER_ROUTE, HEADER_TIMEOUT, PACE_SLOW, ROUTE_STREAM, ROUTE_UNARY,
};
use crate::contract::operation::Operation;
use crate::contract::routing::Affinity;
use crate::encoding::decimal::push_decimal;
use crate::guardrail::{BodyEdit, Editor, Forwarded};
use crate::headers::{AddedHeaders, HeaderEdit, Headers, is_forwarded};
use crate::keys::VirtualKey;
use crate::limits::{Amount, LimitSubject};
use crate::pricing::{Cost, PicoUsd};
use crate::random::Random;
use crate::routing::active_config::ActiveConfig;
use crate::routing::attempt_log::AttemptLog;
use crate::routing::model::{ModelGroup, ModelMatch};
use crate::routing::plan::{ClientLimits, Plan};
use crate::sigv4::{PayloadHash, PayloadHasher};
use crate::time::UnixTime;
use crate::usage::{MaxTokens, Usage, estimated_input};

/// LiteLLM's headers with the most seconds that a request may take. For a stream, they limit the
/// time to the first byte.
const TIMEOUT: &str = "x-litellm-timeout";
const STREAM_TIMEOUT: &str = "x-litellm-stream-timeout";
const TIMEOUT_MAX_MILLISECONDS: u64 = 86_400_000;
/// LiteLLM's header with the most retries of a request.
const RETRIES: &str = "x-litellm-num-retries";
/// LiteLLM's header with the id of a conversation.
const SESSION_ID: &str = "x-litellm-session-id";

/// The tokens of a response that are reserved if the request does not limit them.
const EXPECTED_OUTPUT_TOKENS: u64 = 500;

/// A model request whose body is arriving.
#[derive(Debug)]
pub(crate) struct Request {
    config: Rc<ActiveConfig>,
    subjects: Vec<Rc<LimitSubject>>,
    matched: ModelMatch,
    /// Other models that the key may call, in the order in which they are tried.
    fallbacks: Vec<ModelMatch>,
    /// How many of them are for any failure. The others are for requests that are too long.
    general_fallbacks: usize,
    session: Option<u64>,
    client_limits: ClientLimits,
    operation: Operation,
    headers: Forwarded,
    payload: Payload,
    /// `None` if nothing is reserved for the request.
    max_tokens: Option<MaxTokens>,
    received_bytes: u64,
}

/// The hash of the body to send.
#[derive(Debug)]
enum Payload {
    /// As received.
    AsSent(PayloadHasher),
    /// With a guardrail added.
    Guarded(Box<Editor>),
    /// Not needed: every deployment takes a Bedrock API key. The client has declared this many
    /// bytes, and Envoy resets a request that sends more or fewer.
    Streamed(u64),
}

/// A model request that can be dispatched: its body is complete or
/// [streamed](Request::is_streamed).
#[derive(Debug)]
pub(crate) struct CompleteRequest {
    config: Rc<ActiveConfig>,
    matched: ModelMatch,
    fallbacks: Vec<ModelMatch>,
    /// How many of them are for any failure. The others are for requests that are too long.
    general_fallbacks: usize,
    session: Option<u64>,
    client_limits: ClientLimits,
    operation: Operation,
    headers: Forwarded,
    /// `None` if no deployment needs it.
    payload: Option<PayloadHash>,
    /// Length of the body to send, in bytes.
    bytes: u64,
    /// The most tokens of the response, if the request says so.
    max_tokens: Option<u64>,
}

/// A planned request, ready for Envoy's router.
#[derive(Debug)]
pub(crate) struct Dispatch {
    /// The plan for the signer role.
    pub(crate) plan: Plan,
    /// The route, which determines the timeouts.
    pub(crate) route: &'static str,
}

impl Request {
    /// Begins a request for `target` by the owner of `key`: finds the model group and checks what the
    /// headers declare.
    ///
    /// # Errors
    /// The [`Reject`] that ends the request.
    pub(crate) fn begin(
        config: Rc<ActiveConfig>,
        target: ModelPath,
        key: Rc<VirtualKey>,
        received: Headers<'_>,
    ) -> Result<Self, Reject> {
        let name = key.resolve(&target.alias);
        let matched = config.models.find(name);
        let group = matched.as_ref().map(|matched| matched.model.name.as_str());
        if !key.may_call(name, group) {
            return Err(Reject::ModelNotAllowed(target.alias));
        }
        let Some(matched) = matched else {
            return Err(Reject::UnknownModel(target.alias));
        };
        if let Some(deployment) = matched.unsupported(target.operation) {
            return Err(Reject::Uncountable(deployment.id.clone()));
        }
        let usable = |name: &String| {
            let other = config.models.find(name)?;
            let is_allowed = key.may_call(name, Some(&other.model.name));
            // The body has the guardrail of the selected model.
            let is_guarded = other.model.guardrail == matched.model.guardrail;
            let operation = target.operation;
            let is_possible =
                other.unsupported(operation).is_none() && other.takes_body_of(&matched, operation);
            let is_usable = is_allowed && is_guarded && is_possible;
            is_usable.then_some(other)
        };
        let named = matched.model.routing.fallbacks(name);
        let mut fallbacks: Vec<ModelMatch> = named.general.iter().filter_map(usable).collect();
        let general_fallbacks = fallbacks.len();
        fallbacks.extend(named.context_window.iter().filter_map(usable));
        let declared = received.content_length();
        if declared.is_some_and(|bytes| bytes > config.body_limit_bytes) {
            return Err(Reject::BodyTooLarge(config.body_limit_bytes));
        }
        let forwarded = received.0.iter().filter(|(name, _)| is_forwarded(name));
        let mut headers = forwarded
            .map(|(name, value)| (name.to_vec(), value.to_vec()))
            .collect();
        let guardrail = matched.model.guardrail.as_ref();
        let editor = guardrail.and_then(|guardrail| guardrail.guard(target.operation, &mut headers));
        let needs_signatures = {
            let mut groups = fallbacks.iter().chain([&matched]);
            groups.any(|matched| matched.model.needs_signatures())
        };
        let payload = match (editor, declared) {
            (Some(editor), _) => Payload::Guarded(Box::new(editor)),
            // Bedrock must be told the length, so a body of unknown length is held.
            (None, Some(bytes)) if !needs_signatures => Payload::Streamed(bytes),
            (None, _) => Payload::AsSent(PayloadHasher::default()),
        };
        let subjects = key.subjects(&matched.model.name);
        let is_reserved = subjects.iter().any(|subject| subject.limits.needs_reservations());
        Ok(Self {
            subjects,
            client_limits: ClientLimits {
                timeout: client_timeout(received, target.operation),
                retries: client_retries(received),
            },
            session: session_digest(received, config.routing.affinity, &key),
            config,
            matched,
            fallbacks,
            general_fallbacks,
            operation: target.operation,
            headers,
            payload,
            max_tokens: is_reserved.then(MaxTokens::default),
            received_bytes: 0,
        })
    }

    /// Whom the limits for the request are for.
    pub(crate) fn subjects(&self) -> &[Rc<LimitSubject>] {
        &self.subjects
    }

    /// The status of requests that exceed a budget.
    pub(crate) fn budget_exceeded_status(&self) -> u16 {
        self.config.budget_exceeded_status
    }

    /// Whether the request can be dispatched before its body has arrived.
    pub(crate) const fn is_streamed(&self) -> bool {
        matches!(self.payload, Payload::Streamed(_))
    }

    /// Hashes the next bytes of the body.
    ///
    /// # Errors
    /// [`Reject::BodyTooLarge`], or [`Reject::Body`] if the model's guardrail cannot be added.
    pub(crate) fn receive(&mut self, chunk: &[u8]) -> Result<(), Reject> {
        let bytes = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        self.received_bytes = self.received_bytes.saturating_add(bytes);
        if self.received_bytes > self.config.body_limit_bytes {
            return Err(Reject::BodyTooLarge(self.config.body_limit_bytes));
        }
        if let Some(max_tokens) = &mut self.max_tokens {
            max_tokens.push(chunk);
        }
        match &mut self.payload {
            Payload::AsSent(hasher) => hasher.update(chunk),
            Payload::Guarded(editor) => editor.push(chunk).map_err(Reject::Body)?,
            Payload::Streamed(_) => {}
        }
        Ok(())
    }

    /// Ends the body, or what must be read of it. Returns the request, and the change to the
    /// buffered body, if any.
    ///
    /// # Errors
    /// [`Reject::Body`] if the model's guardrail cannot be added.
    pub(crate) fn complete(self) -> Result<(CompleteRequest, Option<BodyEdit>), Reject> {
        let (payload, bytes, edit) = match self.payload {
            Payload::AsSent(hasher) => (Some(hasher.finish()), self.received_bytes, None),
            Payload::Guarded(editor) => {
                let edited = editor.finish().map_err(Reject::Body)?;
                (Some(edited.payload), edited.bytes, Some(edited.edit))
            }
            Payload::Streamed(bytes) => (None, bytes, None),
        };
        let complete = CompleteRequest {
            config: self.config,
            matched: self.matched,
            fallbacks: self.fallbacks,
            general_fallbacks: self.general_fallbacks,
            session: self.session,
            client_limits: self.client_limits,
            operation: self.operation,
            headers: self.headers,
            payload,
            bytes,
            max_tokens: self.max_tokens.and_then(|max_tokens| max_tokens.value()),
        };
        Ok((complete, edit))
    }
}

impl CompleteRequest {
    /// The model group that the client selected.
    pub(crate) fn model(&self) -> &ModelGroup {
        &self.matched.model
    }

    /// What the request will probably use: its size in tokens, and as many tokens of the response
    /// as it allows. A price that is not known counts as 0.
    pub(crate) fn expected(&self) -> Amount {
        if self.operation == Operation::CountTokens {
            return Amount::default();
        }
        let usage = Usage {
            input: estimated_input(self.bytes),
            output: self.max_tokens.unwrap_or(EXPECTED_OUTPUT_TOKENS),
            ..Usage::default()
        };
        let mut deployments = self.matched.model.deployments.iter();
        let cost = deployments.find_map(|deployment| {
            let rates = self.config.rates(deployment, &self.matched.captures)?;
            Cost::of(&usage, None, None, rates)
        });
        Amount {
            tokens: usage.total().unwrap_or(u64::MAX),
            spend: cost.map_or(PicoUsd::ZERO, |cost| cost.total()),
        }
    }

    /// Plans the request: draws a deployment for each attempt. `call_id` is for the log.
    ///
    /// # Errors
    /// [`Reject::NoCredentials`] if the first attempt cannot be signed.
    pub(crate) fn dispatch(
        self,
        call_id: String,
        random: &mut Random,
        now: UnixTime,
    ) -> Result<Dispatch, Reject> {
        let expected = self.expected();
        let limit = self
            .client_limits
            .timeout
            .or(self.config.routing.time_limit_milliseconds);
        let limit = limit.filter(|_| !self.operation.is_stream());
        let plan = Plan {
            call_id,
            config: self.config,
            selected: self.matched,
            fallbacks: self.fallbacks,
            general_fallbacks: self.general_fallbacks,
            operation: self.operation,
            headers: self.headers,
            payload: self.payload,
            content_length: self.bytes.to_string(),
            session: self.session,
            random: RefCell::new(Random::new(random.draw())),
            targets: RefCell::default(),
            published: RefCell::default(),
            table_key: Cell::default(),
            held: RefCell::default(),
            probe: Cell::default(),
            begun: RefCell::default(),
            deadline: limit.map(|limit| now.after_milliseconds(limit)),
            client_limits: self.client_limits,
            expected,
            log: AttemptLog::default(),
        };
        plan.begin(now)?;
        let route = if plan.operation.is_stream() {
            ROUTE_STREAM
        } else {
            ROUTE_UNARY
        };
        Ok(Dispatch { plan, route })
    }
}

impl Dispatch {
    /// Leaves the headers that Envoy's router needs: some of those `received`, serialized, and those
    /// that select the route. The signer role replaces them in each attempt.
    pub(super) fn headers(&self, received: Vec<u8>) -> HeaderEdit {
        let mut added = AddedHeaders::with_capacity(4);
        added.push(HEADER_ROUTE, self.route);
        if self.plan.has_one_cluster() {
            added.push(HEADER_PACE, PACE_SLOW);
        }
        // The client's limit is for the whole request, if its response does not stream.
        let is_stream = self.plan.operation.is_stream();
        let own = self.plan.attempt_timeout();
        let of_client = self.plan.client_limits.timeout;
        let attempt = if is_stream { of_client.or(own) } else { own };
        let limits = [
            (HEADER_TIMEOUT, of_client.filter(|_| !is_stream)),
            (HEADER_ATTEMPT_TIMEOUT, attempt),
        ];
        for (name, limit) in limits {
            if let Some(limit) = limit {
                added.write(name, |text| push_decimal(text, limit));
            }
        }
        HeaderEdit::new(received, is_routed_by, added)
    }
}

/// The time limit that a client sets, in milliseconds: up to a day.
fn client_timeout(received: Headers<'_>, operation: Operation) -> Option<u64> {
    let seconds = |name| {
        let value = received.all(name).next()?;
        let seconds: f64 = std::str::from_utf8(value).ok()?.trim().parse().ok()?;
        let duration = Duration::try_from_secs_f64(seconds).ok()?;
        let milliseconds = u64::try_from(duration.as_millis()).ok()?;
        (1..=TIMEOUT_MAX_MILLISECONDS)
            .contains(&milliseconds)
            .then_some(milliseconds)
    };
    let of_stream = operation.is_stream().then(|| seconds(STREAM_TIMEOUT)).flatten();
    of_stream.or_else(|| seconds(TIMEOUT))
}

/// The retries that a client sets.
fn client_retries(received: Headers<'_>) -> Option<u32> {
    let value = received.all(RETRIES).next()?;
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

/// The digest of what a conversation is recognized by, if the request has it.
fn session_digest(received: Headers<'_>, affinity: Affinity, key: &VirtualKey) -> Option<u64> {
    let session = received.all(SESSION_ID).next().filter(|id| !id.is_empty());
    let of_key = || (affinity == Affinity::Key).then(|| key.token.as_bytes());
    let mut hash = Sha256::new();
    hash.update(session.or_else(of_key)?);
    hash.finalize().first_chunk().copied().map(u64::from_le_bytes)
}

/// Whether Envoy's router needs this header to match a route.
fn is_routed_by(name: &[u8]) -> bool {
    name.starts_with(b":") || name == b"x-forwarded-proto"
}

#[cfg(test)]
mod tests;
