//! A stream in the gateway role: the client's request up to its departure, and the answer as it passes.

use std::cell::RefCell;
use std::rc::Rc;

use super::body::READ_MAX_BYTES;
use super::books::Books;
use super::host::HostError;
use super::refusal::{Refusal, Upload};
use super::{Action, body, host, plans};
use crate::admission::reject::{Reject, Reply};
use crate::contract::names::{HEADER_CLUSTER, HEADER_ROUTE, PROPERTY_PLAN};
use crate::headers::{HeaderPair, Headers, pairs};
use crate::random::Random;
use crate::records::lookup;
use crate::routing::active_config::ActiveConfig;
use crate::stream::Account;
use crate::stream::drain::{Drain, Uploader};
use crate::stream::headers::PREFIX as HEADER_PREFIX;
use crate::stream::request::Exchange;
use crate::time::UnixTime;

/// Longest answer whose headers wait for its end. A longer one goes as it comes, without its cost in the headers.
const HELD_MAX_BYTES: usize = 1024 * 1024;

/// Property of the status that Envoy has answered with: i64, little endian; 0 or absent if it has not.
const PROPERTY_STATUS: &str = "response\0code";

/// Where a stream is.
enum Stage {
    /// Its headers have not come.
    Fresh,
    /// Its body is arriving.
    Receiving(Box<Receiving>),
    /// It is upstream. Dropping the entry ends the plan.
    Departed { _plan: plans::Entry },
    /// It is answered here.
    Refused(Refusal),
}

impl Stage {
    /// Where a stream is that has nothing to do any more.
    const OVER: Self = Self::Refused(Refusal::Sent);
}

struct Receiving {
    exchange: Exchange,
    /// When its headers came.
    started: UnixTime,
    /// The headers as they came, in the ABI's serialised form: asking Envoy again would cost more than keeping them.
    headers: Vec<u8>,
    /// How much of the body has been read.
    read_bytes: usize,
}

struct Held {
    /// Its headers, in the ABI's serialised form.
    headers: Vec<u8>,
    /// How much of its body has been read.
    read_bytes: usize,
}

/// What the streams of a plugin share.
pub(super) struct Service {
    gateway: Rc<ActiveConfig>,
    random: RefCell<Random>,
    books: Books,
}

impl Service {
    pub(super) fn new(gateway: ActiveConfig, random: Random) -> Self {
        Self {
            books: Books::open(&gateway),
            gateway: Rc::new(gateway),
            random: RefCell::new(random),
        }
    }
}

/// A request that is answered here as soon as its headers are known.
struct Refused {
    reply: Reply,
    uploader: Uploader,
    /// Its `content-length`.
    declared: Option<u64>,
}

pub(super) struct GatewayStream {
    service: Rc<Service>,
    /// The number of its plugin.
    root_id: u32,
    stage: Stage,
    /// From the moment its headers have come.
    account: Option<Account>,
    /// An answer that is held back, because its headers wait for its cost.
    held: Option<Held>,
}

impl GatewayStream {
    pub(super) fn new(service: Rc<Service>, root_id: u32) -> Self {
        Self {
            service,
            root_id,
            stage: Stage::Fresh,
            account: None,
            held: None,
        }
    }

    pub(super) fn request_headers(&mut self, ends: bool) -> Action {
        let Stage::Fresh = std::mem::replace(&mut self.stage, Stage::OVER) else {
            return Action::Pause;
        };
        self.timed(|stream, now| match stream.begin(now) {
            Err(refused) => {
                let limit = stream.service.gateway.body_limit_bytes;
                let drain = Drain::begin(refused.uploader, limit, refused.declared, now, now);
                stream.refuse(refused.reply, (!ends).then(|| stream.upload(drain, 0)), now)
            }
            Ok(receiving) => {
                stream.stage = Stage::Receiving(Box::new(receiving));
                if ends {
                    stream.step(None, true, now)
                } else {
                    Action::Pause
                }
            }
        })
    }

    pub(super) fn request_body(&mut self, size: usize, ends: bool) -> Action {
        self.timed(|stream, now| stream.step(Some(size), ends, now))
    }

    /// Trailers end a body like its last byte does. They go no further: Bedrock has no use for them.
    pub(super) fn request_trailers(&mut self) -> Action {
        self.timed(|stream, now| match host::clear_request_trailers() {
            Err(error) if !stream.is_waiting() => stream.refuse(host_failed(error), None, now),
            _ => stream.step(None, true, now),
        })
    }

    pub(super) fn response_headers(&mut self, ends: bool) -> Action {
        let Some(account) = &mut self.account else {
            return Action::Continue;
        };
        let headers = host::response_headers().unwrap_or_default();
        account.answered(Headers(&pairs::parse(&headers).unwrap_or_default()));
        if ends {
            account.ended();
        } else if account.may_wait() {
            self.held = Some(Held {
                headers,
                read_bytes: 0,
            });
            return Action::Pause;
        }
        self.tell(&headers);
        Action::Continue
    }

    /// `size` bytes are here: what was held before and what has come, or what is passing.
    pub(super) fn response_body(&mut self, size: usize, ends: bool) -> Action {
        let start = self.held.as_ref().map_or(0, |held| held.read_bytes);
        let is_read = self.read(start, size);
        match &mut self.account {
            Some(account) if ends && is_read => account.ended(),
            _ => {}
        }
        match &mut self.held {
            None => return Action::Continue,
            Some(held) if !ends && size <= HELD_MAX_BYTES => {
                held.read_bytes = size;
                return Action::Pause;
            }
            Some(_) => {}
        }
        self.release()
    }

    pub(super) fn response_trailers(&mut self) -> Action {
        if let Some(account) = &mut self.account {
            account.ended();
        }
        self.release()
    }

    /// Looks at bytes `start..size` of the answer. False if they could not be read: the answer then counts as cut.
    fn read(&mut self, mut start: usize, size: usize) -> bool {
        let Some(account) = &mut self.account else {
            return false;
        };
        while account.is_reading() && start < size {
            match host::response_body(start, size.saturating_sub(start).min(READ_MAX_BYTES)) {
                Ok(chunk) if !chunk.is_empty() => {
                    account.read(&chunk, now);
                    start = start.saturating_add(chunk.len());
                }
                _ => return false,
            }
        }
        true
    }

    fn release(&mut self) -> Action {
        if let Some(held) = self.held.take() {
            self.tell(&held.headers);
        }
        Action::Continue
    }

    /// Puts what the client is told beside the answer's `headers`. Without it, if that fails, the answer is as good.
    fn tell(&self, headers: &[u8]) {
        let Some(account) = &self.account else {
            return;
        };
        let told = account.headers(now().unwrap_or_default());
        // All of them are written back, so they have to be an answer's: one without its status would not leave Envoy.
        let is_whole = |headers: &Vec<HeaderPair<'_>>| headers.iter().any(|(name, _)| *name == b":status");
        let Some(headers) = pairs::parse(headers).filter(is_whole) else {
            return;
        };
        let kept = headers
            .into_iter()
            .filter(|(name, _)| !name.starts_with(HEADER_PREFIX.as_bytes()));
        let told = told
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        if let Err(error) = host::set_response_headers(&pairs::serialise(kept.chain(told))) {
            log::error!("an answer's headers were not completed: {error:?}");
        }
    }

    /// Whether its request was refused and is still arriving.
    pub(super) const fn is_waiting(&self) -> bool {
        matches!(&self.stage, Stage::Refused(refusal) if refusal.is_waiting())
    }

    /// Time passes without anything arriving.
    pub(super) fn tick(&mut self, now: UnixTime) {
        if let Stage::Refused(refusal) = &mut self.stage {
            refusal.tick(now);
        }
    }

    /// Closes the request's account.
    pub(super) fn log(&mut self) {
        let is_waiting = self.is_waiting();
        let Some(account) = &mut self.account else { return };
        if self.held.is_some() || is_waiting {
            account.replaced(client_status());
        }
        self.service
            .books
            .enter(&account.close(now().unwrap_or_default()));
    }

    /// A step of the request's way in, the time of which is the gateway's own.
    fn timed(&mut self, step: impl FnOnce(&mut Self, UnixTime) -> Action) -> Action {
        let begun = now().unwrap_or_default();
        let action = step(self, begun);
        if let (Some(account), Some(now)) = (&mut self.account, now()) {
            account.spend(now.nanoseconds_since(begun));
        }
        action
    }

    fn begin(&mut self, now: UnixTime) -> Result<Receiving, Refused> {
        let unread = |reply| Refused {
            reply,
            uploader: Uploader::Unknown,
            declared: None,
        };
        let headers = host::request_headers().map_err(|error| unread(host_failed(error)))?;
        let parsed = pairs::parse(&headers).ok_or_else(|| unread(Reject::Host.reply()))?;
        let refused = |reply| Refused {
            reply,
            uploader: Uploader::of(&self.service.gateway, Headers(&parsed)),
            declared: Headers(&parsed).content_length(),
        };
        let id = self.service.random.borrow_mut().uuid();
        self.account = Some(Account::open(Headers(&parsed), id, now));
        if let Some(asked) = lookup::asked(&self.service.gateway, Headers(&parsed)) {
            let id = asked.map_err(|reject| refused(reject.reply()))?;
            return Err(refused(lookup::answer(self.service.books.find(&id).as_deref())));
        }
        let exchange =
            Exchange::begin(Rc::clone(&self.service.gateway), Headers(&parsed)).map_err(refused)?;
        Ok(Receiving {
            exchange,
            started: now,
            headers,
            read_bytes: 0,
        })
    }

    /// Answers the request here: now if it has ended, else after the upload.
    fn refuse(&mut self, reply: Reply, upload: Option<Upload>, now: UnixTime) -> Action {
        if let Some(account) = &mut self.account {
            account.refused(&reply);
        }
        self.stage = Stage::Refused(Refusal::begin(reply, upload, now));
        Action::Pause
    }

    const fn upload(&self, drain: Drain, buffered: usize) -> Upload {
        Upload {
            drain,
            buffered,
            root_id: self.root_id,
        }
    }

    fn depart(&mut self, receiving: Receiving) -> Result<Action, Reply> {
        let headers = pairs::parse(&receiving.headers).ok_or_else(|| Reject::Host.reply())?;
        let departure = receiving.exchange.depart(&mut self.service.random.borrow_mut())?;
        if let Some(edit) = &departure.edit {
            body::edit(edit, receiving.read_bytes).map_err(host_failed)?;
        }
        let plan = Rc::new(departure.plan);
        let entry = plans::Entry::new(Rc::clone(&plan));
        host::set_property(PROPERTY_PLAN, entry.key().as_bytes()).map_err(host_failed)?;
        let internal = [
            (HEADER_CLUSTER.as_bytes(), departure.cluster.as_bytes()),
            (HEADER_ROUTE.as_bytes(), departure.route.as_bytes()),
        ];
        let kept = headers.into_iter().filter(|(name, _)| is_routed_by(name));
        host::set_request_headers(&pairs::serialise(kept.chain(internal))).map_err(host_failed)?;
        self.stage = Stage::Departed { _plan: entry };
        if let Some(account) = &mut self.account {
            account.departed(plan);
        }
        Ok(Action::Continue)
    }

    /// The next step of a stream whose body has grown to `size` bytes, or whose body ended where it was (`None`).
    fn step(&mut self, size: Option<usize>, ends: bool, now: UnixTime) -> Action {
        let mut receiving = match std::mem::replace(&mut self.stage, Stage::OVER) {
            Stage::Receiving(receiving) => receiving,
            Stage::Departed { _plan } => {
                self.stage = Stage::Departed { _plan };
                return Action::Continue;
            }
            Stage::Refused(mut refusal) => {
                let action = match size {
                    Some(size) => refusal.body(size, ends, now),
                    None => refusal.end(),
                };
                self.stage = Stage::Refused(refusal);
                return action;
            }
            Stage::Fresh => return Action::Pause,
        };
        let (started, buffered) = (receiving.started, size.unwrap_or(receiving.read_bytes));
        let next = receiving.read_to(size).and_then(|()| {
            if ends {
                return self.depart(*receiving);
            }
            self.stage = Stage::Receiving(receiving);
            Ok(Action::Pause)
        });
        next.unwrap_or_else(|reply| {
            let limit = self.service.gateway.body_limit_bytes;
            let drain = Drain::begin(Uploader::Known, limit, None, started, now);
            self.refuse(reply, (!ends).then(|| self.upload(drain, buffered)), now)
        })
    }
}

impl Receiving {
    /// Takes what has come of the body since the last time; `size` is all of it.
    fn read_to(&mut self, size: Option<usize>) -> Result<(), Reply> {
        let size = size.unwrap_or(self.read_bytes);
        while self.read_bytes < size {
            let wanted = size.saturating_sub(self.read_bytes).min(READ_MAX_BYTES);
            let chunk = host::request_body(self.read_bytes, wanted).map_err(host_failed)?;
            if chunk.is_empty() {
                return Err(Reject::Host.reply());
            }
            self.exchange.receive(&chunk)?;
            self.read_bytes = self.read_bytes.saturating_add(chunk.len());
        }
        Ok(())
    }
}

/// Headers that Envoy's router cannot match a route without. The signer drops the last.
fn is_routed_by(name: &[u8]) -> bool {
    name.starts_with(b":") || name == b"x-forwarded-proto"
}

/// Status of the answer that the client got, if it got one.
fn client_status() -> Option<u16> {
    let bytes = host::property(PROPERTY_STATUS).ok()??;
    let status = u64::from_le_bytes(bytes.try_into().ok()?);
    u16::try_from(status).ok().filter(|status| *status != 0)
}

fn now() -> Option<UnixTime> {
    host::now_nanoseconds().ok().map(UnixTime::from_nanoseconds)
}

fn host_failed(error: HostError) -> Reply {
    log::error!("a host call failed on a request: {error:?}");
    Reject::Host.reply()
}
