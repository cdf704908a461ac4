//! A stream in the gateway role: the client's request up to its departure, and the answer as it passes.

use std::cell::RefCell;
use std::rc::Rc;

use super::books::Books;
use super::host::HostError;
use super::{Action, host, plans, reply};
use crate::exchange::Exchange;
use crate::gateway::Gateway;
use crate::headers::{Header, Headers};
use crate::ledger::{Account, HEADER_PREFIX};
use crate::pairs;
use crate::random::Random;
use crate::reject::{Reject, Reply};
use crate::spend_logs;
use crate::time::UnixTime;
use crate::wiring::{HEADER_CLUSTER, HEADER_ROUTE, PROPERTY_PLAN};

/// Bytes of a body copied into the VM at once: its memory never shrinks, so one large read would stay for good.
const READ_MAX_BYTES: usize = 256 * 1024;

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
    /// It was answered here.
    Answered,
}

struct Receiving {
    exchange: Exchange,
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
    gateway: Rc<Gateway>,
    random: RefCell<Random>,
    books: Books,
}

impl Service {
    pub(super) fn new(gateway: Gateway, random: Random) -> Self {
        Self {
            books: Books::open(&gateway),
            gateway: Rc::new(gateway),
            random: RefCell::new(random),
        }
    }
}

pub(super) struct GatewayStream {
    service: Rc<Service>,
    stage: Stage,
    /// From the moment its headers have come.
    account: Option<Account>,
    /// An answer that is held back, because its headers wait for its cost.
    held: Option<Held>,
}

impl GatewayStream {
    pub(super) fn new(service: Rc<Service>) -> Self {
        Self {
            service,
            stage: Stage::Fresh,
            account: None,
            held: None,
        }
    }

    pub(super) fn request_headers(&mut self, ends: bool) -> Action {
        let Stage::Fresh = std::mem::replace(&mut self.stage, Stage::Answered) else {
            return Action::Pause;
        };
        self.timed(|stream, now| match stream.begin(now) {
            Err(reply) => stream.refuse(&reply),
            Ok(receiving) => {
                stream.stage = Stage::Receiving(Box::new(receiving));
                if ends {
                    stream.step(None, true)
                } else {
                    Action::Pause
                }
            }
        })
    }

    pub(super) fn request_body(&mut self, size: usize, ends: bool) -> Action {
        self.timed(|stream, _| stream.step(Some(size), ends))
    }

    /// Trailers end a body like its last byte does. They go no further: Bedrock has no use for them.
    pub(super) fn request_trailers(&mut self) -> Action {
        self.timed(|stream, _| match host::clear_request_trailers() {
            Ok(()) => stream.step(None, true),
            Err(error) => stream.refuse(&host_failed(error)),
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
        let is_whole = |headers: &Vec<Header<'_>>| headers.iter().any(|(name, _)| *name == b":status");
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

    /// Closes the request's account.
    pub(super) fn log(&mut self) {
        let Some(account) = &mut self.account else { return };
        if self.held.is_some() {
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

    fn begin(&mut self, now: UnixTime) -> Result<Receiving, Reply> {
        let headers = host::request_headers().map_err(host_failed)?;
        let parsed = pairs::parse(&headers).ok_or_else(|| Reject::Host.reply())?;
        let id = self.service.random.borrow_mut().uuid();
        let open = || Account::open(Headers(&parsed), id, now);
        self.account = cfg!(not(feature = "unaccounted")).then(open);
        if let Some(asked) = spend_logs::asked(&self.service.gateway, Headers(&parsed)) {
            let id = asked.map_err(|reject| reject.reply())?;
            return Err(spend_logs::answer(self.service.books.find(&id).as_deref()));
        }
        let exchange = Exchange::begin(Rc::clone(&self.service.gateway), Headers(&parsed))?;
        #[cfg(feature = "trap")]
        if parsed.iter().any(|(name, _)| *name == b"x-eb-trap") {
            core::arch::wasm32::unreachable();
        }
        Ok(Receiving {
            exchange,
            headers,
            read_bytes: 0,
        })
    }

    fn refuse(&mut self, reply: &Reply) -> Action {
        if let Some(account) = &mut self.account {
            account.refused(reply);
        }
        reply::send(reply)
    }

    fn depart(&mut self, receiving: Receiving) -> Result<Action, Reply> {
        let headers = pairs::parse(&receiving.headers).ok_or_else(|| Reject::Host.reply())?;
        let departure = receiving.exchange.depart(&mut self.service.random.borrow_mut());
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
    fn step(&mut self, size: Option<usize>, ends: bool) -> Action {
        let mut receiving = match std::mem::replace(&mut self.stage, Stage::Answered) {
            Stage::Receiving(receiving) => receiving,
            Stage::Departed { _plan } => {
                self.stage = Stage::Departed { _plan };
                return Action::Continue;
            }
            Stage::Fresh | Stage::Answered => return Action::Pause,
        };
        let next = receiving.read_to(size).and_then(|()| {
            if ends {
                return self.depart(*receiving);
            }
            self.stage = Stage::Receiving(receiving);
            Ok(Action::Pause)
        });
        next.unwrap_or_else(|reply| self.refuse(&reply))
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
