//! A stream in the gateway role: the client's request up to its departure.

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use super::host::HostError;
use super::{host, plans, reply};
use crate::exchange::Exchange;
use crate::gateway::Gateway;
use crate::headers::Headers;
use crate::pairs;
use crate::random::Random;
use crate::reject::{Reject, Reply};
use crate::wiring::{HEADER_CLUSTER, HEADER_ROUTE, PROPERTY_PLAN};

/// Bytes of the body copied into the VM at once: its memory never shrinks, so one large read would stay for good.
const READ_MAX_BYTES: usize = 256 * 1024;

/// Where a stream is.
enum Stage {
    /// Its headers have not come.
    Fresh(Rc<Gateway>),
    /// Its body is arriving; so many bytes of it have been read.
    Receiving(Box<Exchange>, usize),
    /// It is upstream. Dropping the entry ends the plan.
    Departed { _plan: plans::Entry },
    /// It was answered here.
    Answered,
}

pub(super) struct GatewayStream {
    stage: Stage,
    random: Rc<RefCell<Random>>,
}

impl GatewayStream {
    pub(super) fn new(gateway: Rc<Gateway>, random: Rc<RefCell<Random>>) -> Self {
        Self {
            stage: Stage::Fresh(gateway),
            random,
        }
    }

    fn begin(gateway: Rc<Gateway>) -> Result<Exchange, Reply> {
        let bytes = host::request_headers().map_err(host_failed)?;
        let headers = pairs::parse(&bytes).ok_or_else(|| Reject::Host.reply())?;
        Exchange::begin(gateway, Headers(&headers))
    }

    fn depart(&mut self, exchange: Exchange) -> Result<Action, Reply> {
        let bytes = host::request_headers().map_err(host_failed)?;
        let headers = pairs::parse(&bytes).ok_or_else(|| Reject::Host.reply())?;
        let departure = exchange.depart(&mut self.random.borrow_mut());
        let plan = plans::Entry::new(departure.plan);
        host::set_property(PROPERTY_PLAN, plan.key().as_bytes()).map_err(host_failed)?;
        let internal = [
            (HEADER_CLUSTER.as_bytes(), departure.cluster.as_bytes()),
            (HEADER_ROUTE.as_bytes(), departure.route.as_bytes()),
        ];
        let kept = headers.into_iter().filter(|(name, _)| is_routed_by(name));
        host::set_request_headers(&pairs::serialise(kept.chain(internal))).map_err(host_failed)?;
        self.stage = Stage::Departed { _plan: plan };
        Ok(Action::Continue)
    }

    fn receive(
        &mut self,
        mut exchange: Box<Exchange>,
        read: usize,
        size: usize,
    ) -> Result<Box<Exchange>, Reply> {
        let mut start = read;
        while start < size {
            let chunk = host::request_body(start, size.saturating_sub(start).min(READ_MAX_BYTES));
            let chunk = chunk.map_err(host_failed)?;
            if chunk.is_empty() {
                return Err(Reject::Host.reply());
            }
            exchange.receive(&chunk)?;
            start = start.saturating_add(chunk.len());
        }
        Ok(exchange)
    }

    /// The next step of a stream whose body has grown to `size` bytes, or whose body ended where it was (`None`).
    fn step(&mut self, size: Option<usize>, ends: bool) -> Action {
        let (exchange, read) = match std::mem::replace(&mut self.stage, Stage::Answered) {
            Stage::Receiving(exchange, read) => (exchange, read),
            Stage::Departed { _plan } => {
                self.stage = Stage::Departed { _plan };
                return Action::Continue;
            }
            Stage::Fresh(_) | Stage::Answered => return Action::Pause,
        };
        let size = size.unwrap_or(read);
        let next = self.receive(exchange, read, size).and_then(|exchange| {
            if ends {
                return self.depart(*exchange);
            }
            self.stage = Stage::Receiving(exchange, size);
            Ok(Action::Pause)
        });
        next.unwrap_or_else(|reply| reply::send(&reply))
    }
}

/// Headers that Envoy's router cannot match a route without. The signer drops the last.
fn is_routed_by(name: &[u8]) -> bool {
    name.starts_with(b":") || name == b"x-forwarded-proto"
}

fn host_failed(error: HostError) -> Reply {
    log::error!("a host call failed on a request: {error:?}");
    Reject::Host.reply()
}

impl Context for GatewayStream {}

impl HttpContext for GatewayStream {
    fn on_http_request_headers(&mut self, _: usize, ends: bool) -> Action {
        let Stage::Fresh(gateway) = std::mem::replace(&mut self.stage, Stage::Answered) else {
            return Action::Pause;
        };
        match Self::begin(gateway) {
            Err(reply) => reply::send(&reply),
            Ok(exchange) => {
                self.stage = Stage::Receiving(Box::new(exchange), 0);
                if ends {
                    self.step(None, true)
                } else {
                    Action::Pause
                }
            }
        }
    }

    fn on_http_request_body(&mut self, size: usize, ends: bool) -> Action {
        self.step(Some(size), ends)
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        self.step(None, true)
    }
}
