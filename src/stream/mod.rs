//! A stream in the gateway role: the client's request up to its dispatch, and the response as it
//! passes.
//!
//! [`Stream`] is one state machine. The shell hands it headers, bytes and the time, and applies the
//! [`Step`] that each callback returns. The signer role has a machine of its own, [`attempt`].
//!
//! ```text
//!         ┌──────────────── refused ───────────────┐
//!   New ──┤                                        ├──▶ Refused   drains the upload, then replies
//!         ├──▶ Lookup ──── row found or not ───────┘
//!         └──▶ Receiving ──── body complete ──────────▶ Dispatched   observes the response
//! ```

mod account;
pub mod attempt;
mod dispatched;
pub mod drain;
pub mod headers;
mod receiving;
mod refusal;
pub mod request;
mod response;
pub mod service;
mod step;
pub mod watch;

use std::rc::Rc;

pub use step::{Buffer, Edit, Step, Then};

use crate::admission::reject::{Reject, Reply};
use crate::headers::{HeaderPair, Headers, pairs};
use crate::random::Random;
use crate::records::client::Client;
use crate::records::lookup;
use crate::records::row::{Outcome, Row};
use crate::routing::active_config::ActiveConfig;
use crate::stream::account::Account;
use crate::stream::dispatched::Dispatched;
use crate::stream::drain::{Drain, Uploader};
use crate::stream::receiving::{Admitted, Receiving, upload};
use crate::stream::refusal::Refusal;
use crate::stream::service::Service;
use crate::time::UnixTime;

/// Longest response whose headers wait for its end, in bytes. A longer one passes as it comes,
/// without its cost in the headers.
const HELD_MAX_BYTES: usize = 1024 * 1024;

/// One request in the gateway role and its response.
#[derive(Debug)]
pub struct Stream {
    /// `None` if the plugin has no valid configuration. Every request is then refused.
    config: Option<Rc<ActiveConfig>>,
    random: Random,
    /// `None` until the request's headers have been read. There is no row without them.
    account: Option<Account>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// The request's headers have not come.
    New,
    /// The shell is looking for a row.
    Lookup(Upload),
    /// The request's body is arriving.
    Receiving(Box<Receiving>),
    /// The request is upstream.
    Dispatched {
        dispatched: Box<Dispatched>,
        held: Option<Held>,
    },
    /// The gateway replies itself.
    Refused { refused: Refused, refusal: Refusal },
}

/// A request that is still arriving when it is refused; `None` if it has ended.
type Upload = Option<Drain>;

/// A response whose headers wait for its end, since they will carry its cost.
#[derive(Debug)]
struct Held {
    /// The headers in the ABI's serialised form.
    headers: Vec<u8>,
    /// How much of its body has been read.
    read_bytes: usize,
}

/// What the row of a local reply says.
#[derive(Clone, Copy, Debug)]
struct Refused {
    status: u16,
    error_type: Option<&'static str>,
    /// Why the request was refused; `None` if it was not.
    reason: Option<&'static str>,
}

impl Stream {
    /// A stream of a plugin; `None` if it has no valid configuration.
    pub fn open(service: Option<&Service>) -> Self {
        match service {
            Some(service) => Self::new(Some(service.config()), service.random()),
            None => Self::new(None, Random::new(0)),
        }
    }

    /// A stream of a plugin with this configuration. `random` draws its id and its deployments.
    pub const fn new(config: Option<Rc<ActiveConfig>>, random: Random) -> Self {
        Self {
            config,
            random,
            account: None,
            phase: Phase::New,
        }
    }

    /// The request's headers have come, in the ABI's serialised form (`None` if the host did not give
    /// them), and with `ends` no body follows.
    pub fn request_headers(&mut self, headers: Option<Vec<u8>>, ends: bool, now: UnixTime) -> Step {
        if !matches!(self.phase, Phase::New) {
            return Step::WAIT;
        }
        let Some(config) = self.config.clone() else {
            return self.refuse_stranger(ends, now);
        };
        let Some(pairs) = headers.as_deref().and_then(pairs::parse) else {
            return self.refuse_stranger(ends, now);
        };
        let client = Client::read(Headers(&pairs), self.random.uuid());
        self.account = Some(Account::new(client, now));
        let admitted = Admitted::of(&config, Headers(&pairs));
        let upload = match admitted {
            Ok(Admitted::Request(_)) => None,
            _ if ends => None,
            _ => Some(upload(&config, Headers(&pairs), now)),
        };
        match admitted {
            Ok(Admitted::Request(request)) => {
                self.phase = Phase::Receiving(Box::new(Receiving {
                    request,
                    started: now,
                    headers: headers.unwrap_or_default(),
                    read_bytes: 0,
                }));
                if ends { self.end_request(now) } else { Step::WAIT }
            }
            Ok(Admitted::Reply(reply)) => self.refuse(reply, upload, 0, now),
            Ok(Admitted::Lookup(id)) => {
                self.phase = Phase::Lookup(upload);
                Step::then(Then::Lookup(id))
            }
            Err(reject) => self.refuse(reject.reply(), upload, 0, now),
        }
    }

    /// The result of a [`Then::Lookup`].
    pub fn found(&mut self, row: Option<&str>, now: UnixTime) -> Step {
        match std::mem::replace(&mut self.phase, Phase::New) {
            Phase::Lookup(upload) => self.refuse(lookup::reply(row), upload, 0, now),
            phase => {
                self.phase = phase;
                Step::WAIT
            }
        }
    }

    /// The request's buffered body has grown; with `ends` it is complete.
    pub fn request_body(&mut self, body: &impl Buffer, ends: bool, now: UnixTime) -> Step {
        match &mut self.phase {
            Phase::Receiving(receiving) => {
                let started = receiving.started;
                match receiving.read(body) {
                    Ok(()) if ends => self.end_request(now),
                    Ok(()) => Step::WAIT,
                    Err(reject) => self.refuse_upload(&reject, (!ends).then_some(started), body.size(), now),
                }
            }
            Phase::Refused { refusal, .. } => refusal.body(body.size(), ends, now),
            Phase::Dispatched { .. } => Step::CONTINUE,
            Phase::New | Phase::Lookup(_) => Step::WAIT,
        }
    }

    /// The request ends with trailers. They go no further: Bedrock has no use for them.
    pub fn request_trailers(&mut self, now: UnixTime) -> Step {
        match &mut self.phase {
            Phase::Receiving(_) => {
                let mut step = self.end_request(now);
                step.edits.insert(0, Edit::ClearRequestTrailers);
                step
            }
            Phase::Refused { refusal, .. } => refusal.end(),
            Phase::Dispatched { .. } => Step::CONTINUE,
            Phase::New | Phase::Lookup(_) => Step::WAIT,
        }
    }

    /// The response's headers have come, in the ABI's serialised form; with `ends` no body follows.
    pub fn response_headers(&mut self, headers: Vec<u8>, ends: bool, now: impl Fn() -> UnixTime) -> Step {
        if let Phase::Dispatched { dispatched, held } = &mut self.phase {
            dispatched.response_headers(Headers(&pairs::parse(&headers).unwrap_or_default()));
            if ends {
                dispatched.end();
            } else if dispatched.can_be_held() {
                *held = Some(Held {
                    headers,
                    read_bytes: 0,
                });
                return Step::WAIT;
            }
        }
        self.with_own_headers(&headers, now())
    }

    /// A part of the response's body has come: all of it so far while the headers are held, else
    /// what is passing. With `ends` it is the last part.
    pub fn response_body(&mut self, body: &impl Buffer, ends: bool, now: impl Fn() -> UnixTime) -> Step {
        let Phase::Dispatched { dispatched, held } = &mut self.phase else {
            return Step::CONTINUE;
        };
        let start = held.as_ref().map_or(0, |held| held.read_bytes);
        let has_content = dispatched.read(body, start, ends);
        if let (true, Some(account)) = (has_content, &mut self.account) {
            account.first_content.get_or_insert_with(&now);
        }
        match held {
            Some(held) if !ends && body.size() <= HELD_MAX_BYTES => {
                held.read_bytes = body.size();
                Step::WAIT
            }
            _ => self.release(now),
        }
    }

    /// The response ends with trailers.
    pub fn response_trailers(&mut self, now: impl Fn() -> UnixTime) -> Step {
        if let Phase::Dispatched { dispatched, .. } = &mut self.phase {
            dispatched.end();
        }
        self.release(now)
    }

    /// Time passes while a refused upload is drained.
    pub fn tick(&mut self, now: UnixTime) -> Step {
        match &mut self.phase {
            Phase::Refused { refusal, .. } => refusal.tick(now),
            _ => Step::WAIT,
        }
    }

    /// The host failed an edit of a step that would have ended with `then`. A local reply is sent all
    /// the same, a request is refused, and a response passes: it is still valid.
    pub fn failed(&mut self, then: Then, now: UnixTime) -> Step {
        if let Then::Reply(_) = then {
            return Step::then(then);
        }
        match &mut self.phase {
            Phase::Dispatched { dispatched, .. } if dispatched.has_response() => Step::CONTINUE,
            Phase::Refused { refusal, .. } => refusal.end(),
            _ => self.refuse(Reject::Host.reply(), None, 0, now),
        }
    }

    /// Whether the stream waits for the end of a refused upload, and so needs [`Stream::tick`].
    pub const fn is_draining(&self) -> bool {
        matches!(&self.phase, Phase::Refused { refusal, .. } if refusal.is_draining())
    }

    /// The gateway role has spent this much time on the request, in nanoseconds.
    pub const fn spend(&mut self, nanoseconds: u64) {
        if let Some(account) = &mut self.account {
            account.spent = account.spent.saturating_add(nanoseconds);
        }
    }

    /// The row of a stream that is over. `client_status` tells the status that the client got, if it
    /// got a response; it is asked only where that can differ from what this stream has seen.
    pub fn close(&self, now: UnixTime, client_status: impl FnOnce() -> Option<u16>) -> Option<Row<'_>> {
        let account = self.account.as_ref()?;
        let outcome = match &self.phase {
            Phase::New | Phase::Lookup(_) | Phase::Receiving(_) => Outcome::Incomplete,
            Phase::Dispatched { dispatched, held } => {
                let replaced = held.is_some().then(client_status);
                let overhead = self.overhead_us(account);
                Outcome::Served(dispatched.served(account.first_content, overhead, replaced))
            }
            Phase::Refused { refused, refusal } => {
                let status = if refusal.is_draining() {
                    client_status()
                } else {
                    Some(refused.status)
                };
                match (refused.reason, status) {
                    (Some(reason), status) => Outcome::Refused {
                        status,
                        error_type: refused.error_type,
                        reason,
                    },
                    (None, Some(status)) => Outcome::Internal { status },
                    (None, None) => Outcome::Incomplete,
                }
            }
        };
        Some(Row {
            client: &account.client,
            started: account.started,
            ended: now,
            outcome,
        })
    }

    /// Refuses a request about which nothing is known.
    fn refuse_stranger(&mut self, ends: bool, now: UnixTime) -> Step {
        let limit = self.config.as_ref().map_or(0, |config| config.body_limit_bytes);
        let drain = (!ends).then(|| Drain::begin(Uploader::Unknown, limit, None, now, now));
        self.refuse(Reject::Host.reply(), drain, 0, now)
    }

    /// Refuses an admitted request. `started` is when its headers came, `None` if it has ended.
    fn refuse_upload(
        &mut self,
        reject: &Reject,
        started: Option<UnixTime>,
        buffered: usize,
        now: UnixTime,
    ) -> Step {
        let limit = self.config.as_ref().map_or(0, |config| config.body_limit_bytes);
        let drain = started.map(|started| Drain::begin(Uploader::Known, limit, None, started, now));
        self.refuse(reject.reply(), drain, buffered, now)
    }

    fn refuse(&mut self, reply: Reply, drain: Upload, buffered: usize, now: UnixTime) -> Step {
        let refused = Refused {
            status: reply.status,
            error_type: reply.error_type(),
            reason: reply.reason,
        };
        let (refusal, step) = Refusal::begin(reply, drain, buffered, now);
        self.phase = Phase::Refused { refused, refusal };
        step
    }

    /// The request is complete: plans its attempts and hands it to Envoy's router.
    fn end_request(&mut self, now: UnixTime) -> Step {
        let phase = std::mem::replace(&mut self.phase, Phase::New);
        let Phase::Receiving(receiving) = phase else {
            self.phase = phase;
            return Step::WAIT;
        };
        let Receiving {
            request,
            headers,
            read_bytes,
            ..
        } = *receiving;
        let dispatch = match request.dispatch(&mut self.random) {
            Ok(dispatch) => dispatch,
            Err(reject) => return self.refuse_upload(&reject, None, read_bytes, now),
        };
        let request_headers = dispatch.headers(&pairs::parse(&headers).unwrap_or_default());
        let plan = Rc::new(dispatch.plan);
        let mut edits = Vec::with_capacity(3);
        edits.extend(dispatch.edit.map(|edit| Edit::RequestBody {
            edit,
            size: read_bytes,
        }));
        edits.push(Edit::Plan(Rc::clone(&plan)));
        edits.push(Edit::RequestHeaders(request_headers));
        self.phase = Phase::Dispatched {
            dispatched: Box::new(Dispatched::new(plan)),
            held: None,
        };
        Step::edit(edits)
    }

    /// Lets a held response go.
    fn release(&mut self, now: impl Fn() -> UnixTime) -> Step {
        let Phase::Dispatched { held, .. } = &mut self.phase else {
            return Step::CONTINUE;
        };
        match held.take() {
            Some(held) => self.with_own_headers(&held.headers, now()),
            None => Step::CONTINUE,
        }
    }

    /// Adds the gateway's own headers to those of a response, in place of any of the same prefix.
    fn with_own_headers(&self, received: &[u8], now: UnixTime) -> Step {
        let Some(account) = &self.account else {
            return Step::CONTINUE;
        };
        let dispatched = match &self.phase {
            Phase::Dispatched { dispatched, .. } => Some(&**dispatched),
            _ => None,
        };
        let own = headers::own(account, dispatched, self.overhead_us(account), now);
        // All headers are replaced, so they have to be a response's: without a status Envoy would not
        // send it.
        let is_whole = |received: &Vec<HeaderPair<'_>>| received.iter().any(|(name, _)| *name == b":status");
        let Some(received) = pairs::parse(received).filter(is_whole) else {
            return Step::CONTINUE;
        };
        let kept = received
            .into_iter()
            .filter(|(name, _)| !name.starts_with(headers::PREFIX.as_bytes()));
        let own = own
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        Step::edit(vec![Edit::ResponseHeaders(pairs::serialise(kept.chain(own)))])
    }

    /// Time that the filter has spent on the request in both of its roles, in microseconds.
    fn overhead_us(&self, account: &Account) -> u64 {
        let signing = match &self.phase {
            Phase::Dispatched { dispatched, .. } => dispatched.plan.signing_nanoseconds(),
            _ => 0,
        };
        account.spent.saturating_add(signing) / 1000
    }
}

#[cfg(test)]
pub(crate) mod tests;
