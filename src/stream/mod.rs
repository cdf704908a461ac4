//! A stream in the gateway role: the client's request until its dispatch, then the response.
//!
//! [`Stream`] is the state machine. The shell passes it headers, bytes and the time, and applies
//! the [`Step`] that each callback returns. The signer role has its own state machine, [`attempt`].
//!
//! ```text
//!   New ──┬─── rejected, or a probe ──────────┐
//!         ├──▶ Lookup ─── row found or not ───┼──▶ LocalReply   drains the upload, then replies
//!         └──▶ Receiving ─┬─ body rejected ───┘
//!                         └─ body complete ──────▶ Dispatched   observes the response
//! ```
//!
//! A request that is signed with an AWS pair is first `Verifying`, until its body is complete: it
//! then goes on as from `New`. A request whose body need not be read skips `Receiving`. Before its dispatch, a request is
//! `Waiting` as long as the credential broker has not said whether there are credentials for it.
//!
//! A failed host call before the response also leads to `LocalReply`.

mod account;
mod arrival;
pub mod attempt;
mod dispatched;
pub mod drain;
mod headers;
mod hold;
mod limit_headers;
mod local_reply;
mod phase;
mod receiving;
pub(crate) mod request;
mod response;
pub mod service;
mod step;
mod verifying;
mod waiting;
pub mod watch;

use std::rc::Rc;

pub use step::{Buffer, Edit, Step, Then};

use crate::admission::reject::{Reject, Reply};
use crate::admission::signature::SignatureError;
use crate::headers::{Headers, pairs};
use crate::limits::Limiter;
use crate::random::Random;
use crate::records::lookup;
use crate::records::row::Row;
use crate::routing::active_config::ActiveConfig;
use crate::stream::account::Account;
use crate::stream::dispatched::{Dispatched, Held};
use crate::stream::drain::{Drain, Uploader};
use crate::stream::hold::Hold;
use crate::stream::local_reply::{OutgoingReply, ReplySummary};
use crate::stream::phase::{Phase, Upload};
use crate::stream::service::Service;
use crate::stream::waiting::Waiting;
use crate::time::UnixTime;

/// Longest body for which response headers are held, in bytes. A longer response is passed on as
/// it arrives, without its cost in the headers.
const HELD_MAX_BYTES: usize = 1024 * 1024;

/// How Envoy's details of a response begin if the connection of the upstream has failed.
const UPSTREAM_RESET: &[u8] = b"upstream_reset";

/// A request and its response in the gateway role.
#[derive(Debug)]
pub struct Stream {
    /// `None` if the plugin has no valid configuration. Every request is then refused.
    config: Option<Rc<ActiveConfig>>,
    random: Random,
    /// `None` until the request's headers have been read. Without them, no row is written.
    account: Option<Account>,
    /// `None` only without a configuration, and in tests of other things.
    limiter: Option<Rc<Limiter>>,
    hold: Hold,
    phase: Phase,
}

impl Stream {
    /// Opens a stream. `service` is `None` if the plugin has no valid configuration.
    pub fn open(service: Option<&Service>) -> Self {
        match service {
            Some(service) => Self {
                limiter: Some(service.limiter()),
                ..Self::new(Some(service.config()), service.random())
            },
            None => Self::new(None, Random::new(0)),
        }
    }

    /// Creates a stream. `random` generates its id and draws its deployments.
    pub fn new(config: Option<Rc<ActiveConfig>>, random: Random) -> Self {
        Self {
            config,
            random,
            account: None,
            limiter: None,
            hold: Hold::default(),
            phase: Phase::New,
        }
    }

    /// The request's call id, for the log; `None` until the request's headers have been read.
    pub fn call_id(&self) -> Option<&str> {
        Some(&self.account.as_ref()?.client.call_id)
    }

    /// The result of a [`Then::Lookup`].
    pub fn lookup_finished(&mut self, row: Option<&str>, now: UnixTime) -> Step {
        match std::mem::replace(&mut self.phase, Phase::New) {
            Phase::Lookup(upload) => self.reply(lookup::reply(row), upload, 0, now),
            phase => {
                self.phase = phase;
                Step::WAIT
            }
        }
    }

    /// The request's buffered body has grown. With `end_stream`, it is complete.
    pub fn request_body(&mut self, body: &impl Buffer, end_stream: bool, now: UnixTime) -> Step {
        match &mut self.phase {
            Phase::Verifying(verifying) => {
                let started = verifying.started;
                let bytes = u64::try_from(body.size()).unwrap_or(u64::MAX);
                match verifying.read(body).and_then(|()| self.hold.grow_to(bytes)) {
                    Ok(()) if end_stream => self.verify(body, now),
                    Ok(()) => Step::WAIT,
                    Err(reject) => {
                        self.refuse_upload(&reject, (!end_stream).then_some(started), body.size(), now)
                    }
                }
            }
            Phase::Receiving(receiving) => {
                let started = receiving.started;
                let bytes = u64::try_from(body.size()).unwrap_or(u64::MAX);
                match receiving.read(body).and_then(|()| self.hold.grow_to(bytes)) {
                    Ok(()) if end_stream => self.request_read(true, now),
                    Ok(()) => Step::WAIT,
                    Err(reject) => {
                        self.refuse_upload(&reject, (!end_stream).then_some(started), body.size(), now)
                    }
                }
            }
            Phase::LocalReply { reply, .. } => reply.body(body.size(), end_stream, now),
            Phase::Waiting(waiting) => {
                waiting.body(body.size(), end_stream);
                Step::WAIT
            }
            Phase::Dispatched { dispatched, .. } => {
                dispatched.is_arriving &= !end_stream;
                Step::CONTINUE
            }
            Phase::New | Phase::Lookup(_) => Step::WAIT,
        }
    }

    /// The request ends with trailers. They are dropped, because Bedrock does not use any.
    pub fn request_trailers(&mut self, now: UnixTime) -> Step {
        match &mut self.phase {
            Phase::Verifying(_) => self.refuse_upload(&SignatureError::Trailers.into(), None, 0, now),
            Phase::Receiving(_) => {
                let mut step = self.request_read(true, now);
                step.edits.insert(0, Edit::ClearRequestTrailers);
                step
            }
            Phase::LocalReply { reply, .. } => reply.end(),
            Phase::Waiting(waiting) => {
                waiting.arriving = None;
                Step {
                    edits: vec![Edit::ClearRequestTrailers],
                    then: Then::Wait,
                }
            }
            Phase::Dispatched { dispatched, .. } => {
                dispatched.is_arriving = false;
                Step::continue_with(vec![Edit::ClearRequestTrailers])
            }
            Phase::New | Phase::Lookup(_) => Step::WAIT,
        }
    }

    /// The response's headers have arrived, serialized. With `end_stream`, no body follows.
    pub fn response_headers(
        &mut self,
        headers: Vec<u8>,
        end_stream: bool,
        now: impl Fn() -> UnixTime,
    ) -> Step {
        if let Phase::Dispatched { dispatched, held } = &mut self.phase {
            dispatched.response_headers(Headers(&pairs::parse(&headers).unwrap_or_default()));
            if dispatched.is_response_invalid() {
                let reply = Reject::BadResponse.reply();
                dispatched.replace_response(&reply);
                self.end_response(&now);
                return Step::then(Then::Reply(reply));
            }
            if end_stream {
                dispatched.end();
                self.end_response(&now);
            } else if dispatched.can_be_held() {
                *held = Some(Held {
                    headers,
                    read_bytes: 0,
                });
                return Step::WAIT;
            }
        }
        self.with_gateway_headers(headers, now())
    }

    /// A part of the response's body has arrived. While the headers are held, `body` is everything
    /// received so far; otherwise it is the current chunk. With `end_stream`, it is the last.
    pub fn response_body(
        &mut self,
        body: &impl Buffer,
        end_stream: bool,
        now: impl Fn() -> UnixTime,
    ) -> Step {
        let Phase::Dispatched { dispatched, held } = &mut self.phase else {
            return Step::CONTINUE;
        };
        let start = held.as_ref().map_or(0, |held| held.read_bytes);
        let has_content = dispatched.read(body, start, end_stream);
        if end_stream {
            self.end_response(&now);
        }
        if let (true, Some(account)) = (has_content, &mut self.account) {
            account.first_content.get_or_insert_with(&now);
        }
        match &mut self.phase {
            Phase::Dispatched { held: Some(held), .. } if !end_stream && body.size() <= HELD_MAX_BYTES => {
                held.read_bytes = body.size();
                Step::WAIT
            }
            _ => self.release(now),
        }
    }

    /// The response ends with these trailers, serialized.
    pub fn response_trailers(&mut self, trailers: Vec<u8>, now: impl Fn() -> UnixTime) -> Step {
        if let Phase::Dispatched { dispatched, .. } = &mut self.phase {
            dispatched.end();
        }
        self.end_response(&now);
        let mut step = self.release(now);
        let cleaned = headers::cleaned(trailers);
        step.edits.extend(cleaned.map(Edit::ResponseTrailers));
        step
    }

    /// The timer has fired, or the broker has answered, while this [needs
    /// ticks](Self::needs_ticks).
    pub fn tick(&mut self, now: UnixTime) -> Step {
        match &mut self.phase {
            Phase::LocalReply { reply, .. } => reply.tick(now),
            Phase::Waiting(_) => self.dispatch_if_possible(now),
            _ => Step::WAIT,
        }
    }

    /// An edit failed in a step that would have ended with `then`. A local reply is still sent. A
    /// request is refused. A response is passed on unedited, because it is still valid.
    pub fn edit_failed(&mut self, then: Then, now: UnixTime) -> Step {
        if let Then::Reply(_) = then {
            return Step::then(then);
        }
        match &mut self.phase {
            Phase::Dispatched { dispatched, .. } if dispatched.has_response() => Step::CONTINUE,
            Phase::LocalReply { reply, .. } => reply.end(),
            _ => self.reply(Reject::Host.reply(), None, 0, now),
        }
    }

    /// Whether an upload is being drained or the request waits for credentials, so that
    /// [`Stream::tick`] must be called.
    pub const fn needs_ticks(&self) -> bool {
        self.phase.needs_ticks()
    }

    /// Adds to the time that the gateway role has spent on the request.
    pub const fn add_gateway_time(&mut self, nanoseconds: u64) {
        if let Some(account) = &mut self.account {
            account.gateway_nanoseconds = account.gateway_nanoseconds.saturating_add(nanoseconds);
        }
    }

    /// Returns the row of a finished stream, or `None` if the request's headers were never read.
    ///
    /// `client_status` returns the status that the client received, if any. It is called only if
    /// that may differ from the status seen here.
    pub fn close(&self, now: UnixTime, client_status: impl FnOnce() -> Option<u16>) -> Option<Row<'_>> {
        let account = self.account.as_ref()?;
        let overhead = self.overhead_us(account);
        self.settle(|| now);
        let outcome = self.phase.outcome(account.first_content, overhead, client_status);
        Some(Row {
            client: &account.client,
            key: account.key.as_deref(),
            started: account.started,
            ended: now,
            outcome,
        })
    }

    /// Whether the response has begun, but its end was never seen.
    pub fn is_cut(&self) -> bool {
        self.phase.dispatched().is_some_and(Dispatched::is_cut)
    }

    /// The response was cut. `details` are Envoy's reason: other requests learn from the upstream's
    /// failures, and not from clients that leave.
    pub fn report_cut(&self, details: &[u8], now: UnixTime) {
        let is_upstream = details.starts_with(UPSTREAM_RESET);
        if let Some(dispatched) = self.phase.dispatched().filter(|_| is_upstream) {
            dispatched.plan.record_cut(now);
        }
    }

    /// For the log: the cooldowns that have begun because of the request.
    pub fn cooldown_messages(&self) -> Vec<String> {
        let dispatched = self.phase.dispatched();
        dispatched.map_or_else(Vec::new, |dispatched| dispatched.plan.cooldown_messages())
    }

    /// Refuses a request whose headers cannot be read or checked.
    fn refuse_unidentified(&mut self, end_stream: bool, now: UnixTime) -> Step {
        let limit = self.config.as_ref().map_or(0, |config| config.body_limit_bytes);
        let drain = (!end_stream).then(|| Drain::begin(Uploader::Unknown, limit, None, now, now));
        self.reply(Reject::Host.reply(), drain, 0, now)
    }

    /// Refuses a request whose body has been read. `started` is when its headers arrived, or `None` if the request
    /// has ended. `buffered` is the size of Envoy's buffer in bytes.
    fn refuse_upload(
        &mut self,
        reject: &Reject,
        started: Option<UnixTime>,
        buffered: usize,
        now: UnixTime,
    ) -> Step {
        let limit = self.config.as_ref().map_or(0, |config| config.body_limit_bytes);
        let is_known = self.account.as_ref().is_some_and(|account| account.key.is_some());
        let uploader = if is_known {
            Uploader::Known
        } else {
            Uploader::Unknown
        };
        let drain = started.map(|started| Drain::begin(uploader, limit, None, started, now));
        let mut step = self.reply(reject.reply(), drain, buffered, now);
        let warning = reject.warning().map(str::to_owned);
        step.edits.extend(warning.map(Edit::Warn));
        step
    }

    fn reply(&mut self, reply: Reply, drain: Upload, buffered: usize, now: UnixTime) -> Step {
        let summary = ReplySummary {
            status: reply.status,
            error_type: reply.error_type,
            reason: reply.reason,
        };
        self.hold = Hold::default();
        let (reply, step) = OutgoingReply::begin(reply, drain, buffered, now);
        self.phase = Phase::LocalReply { reply, summary };
        step
    }

    /// What must be read of the request has been read. Unless `has_ended`, its body is still
    /// arriving.
    fn request_read(&mut self, has_ended: bool, now: UnixTime) -> Step {
        let phase = std::mem::replace(&mut self.phase, Phase::New);
        let Phase::Receiving(receiving) = phase else {
            self.phase = phase;
            return Step::WAIT;
        };
        match Waiting::begin(*receiving, has_ended, now) {
            Ok((waiting, edit)) => {
                self.phase = Phase::Waiting(Box::new(waiting));
                let mut step = self.dispatch_if_possible(now);
                let edit = edit.filter(|_| !matches!(step.then, Then::Reply(_)));
                step.edits.splice(0..0, edit);
                step
            }
            Err(reject) => self.refuse_upload(&reject, None, 0, now),
        }
    }

    /// Plans the attempts of a waiting request and hands it to Envoy's router, or refuses it if
    /// there is nothing to wait for.
    fn dispatch_if_possible(&mut self, now: UnixTime) -> Step {
        let waiting = match std::mem::replace(&mut self.phase, Phase::New) {
            Phase::Waiting(waiting) if waiting.is_over(now) => waiting,
            phase => {
                self.phase = phase;
                return Step::WAIT;
            }
        };
        let call_id = self.call_id().unwrap_or_default().to_owned();
        let arriving = waiting.arriving;
        let dispatch = self.hold.dispatch(|| waiting.expected(), now);
        let dispatch = dispatch.and_then(|()| waiting.dispatch(call_id, &mut self.random, now));
        match dispatch {
            Ok((plan, edits)) => {
                let dispatched = Box::new(Dispatched::new(plan, arriving.is_some()));
                let held = None;
                self.phase = Phase::Dispatched { dispatched, held };
                Step::continue_with(edits)
            }
            Err(reject) => {
                let started = arriving.map(|body| body.started);
                let buffered = arriving.map_or(0, |body| body.buffered);
                self.refuse_upload(&reject, started, buffered, now)
            }
        }
    }

    /// The response has ended, so the request no longer runs.
    fn end_response(&mut self, now: impl Fn() -> UnixTime) {
        if let Some(dispatched) = self.phase.dispatched() {
            dispatched.report(&now);
        }
        self.settle(now);
        self.hold.end_response();
    }

    /// Records what the request has used of the limits of its key and team, once it is over.
    fn settle(&self, now: impl Fn() -> UnixTime) {
        if let Some(dispatched) = self.phase.dispatched() {
            dispatched.plan.finish(|| dispatched.used(), &now);
            self.hold.settle(|| dispatched.used(), now);
        }
    }

    /// Releases held response headers.
    fn release(&mut self, now: impl Fn() -> UnixTime) -> Step {
        let Phase::Dispatched { held, .. } = &mut self.phase else {
            return Step::CONTINUE;
        };
        match held.take() {
            Some(held) => self.with_gateway_headers(held.headers, now()),
            None => Step::CONTINUE,
        }
    }

    /// Adds the gateway's headers to those of a response, and removes those that an upstream must
    /// not send.
    fn with_gateway_headers(&self, received: Vec<u8>, now: UnixTime) -> Step {
        let Some(account) = &self.account else {
            return Step::CONTINUE;
        };
        let (dispatched, overhead) = (self.phase.dispatched(), self.overhead_us(account));
        let mut added = headers::gateway_headers(account, dispatched, overhead, now);
        limit_headers::add(&self.hold.standings(now), now, &mut added);
        match headers::merge(received, added) {
            Some(headers) => Step::continue_with(vec![Edit::ResponseHeaders(headers)]),
            None => Step::CONTINUE,
        }
    }

    /// The time that both roles have spent on the request, in microseconds.
    fn overhead_us(&self, account: &Account) -> u64 {
        let signing = self
            .phase
            .dispatched()
            .map_or(0, |dispatched| dispatched.plan.signing_nanoseconds());
        account.gateway_nanoseconds.saturating_add(signing) / 1000
    }
}

#[cfg(test)]
pub(crate) mod tests;
