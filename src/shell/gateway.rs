//! A stream in the gateway role: passes callbacks to the core and applies the steps it returns.

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType, MapType};

use super::body::EnvoyBody;
use super::envoy::Envoy;
use super::host::{self, HostError};
use super::{PLANS, ticker};
use crate::admission::reject::Reply;
use crate::contract::names::{HEADER_REJECTED, PROPERTY_PLAN, PROPERTY_ROW};
use crate::headers::pairs;
use crate::records::request_log;
use crate::routing::plan_table::PlanEntry;
use crate::stream::service::Service;
use crate::stream::watch::Draining;
use crate::stream::{Edit, Step, Stream, Then};
use crate::time::{self, UnixTime};

/// Property of the response status: i64, little endian; 0 or absent if there was no response.
const PROPERTY_STATUS: &str = "response\0code";

/// Property of the details of the response: text.
const PROPERTY_DETAILS: &str = "response\0code_details";

/// Owned by the `proxy-wasm` dispatcher, out of the timer's reach, so the stream is shared with it.
pub(super) struct GatewayContext {
    context_id: u32,
    stream: Rc<RefCell<GatewayStream>>,
}

/// A stream and what is needed to apply its steps.
pub(super) struct GatewayStream {
    core: Stream,
    /// `None` without a valid configuration. The core then refuses the stream.
    service: Option<Rc<Service>>,
    /// The context id of the plugin.
    plugin_id: u32,
    plan: Option<PlanEntry>,
}

impl GatewayContext {
    pub(super) fn new(context_id: u32, plugin_id: u32, service: Option<Rc<Service>>) -> Self {
        let stream = GatewayStream {
            core: Stream::open(service.as_deref()),
            service,
            plugin_id,
            plan: None,
        };
        Self {
            context_id,
            stream: Rc::new(RefCell::new(stream)),
        }
    }

    /// Runs a request callback and adds its duration to the gateway's overhead.
    fn on_request(&self, callback: impl FnOnce(&mut Stream, UnixTime) -> Step) -> Action {
        let started = host::now();
        let mut stream = self.stream.borrow_mut();
        let step = callback(&mut stream.core, started);
        let action = stream.apply(step);
        stream
            .core
            .add_gateway_time(host::now().nanoseconds_since(started));
        if stream.is_draining() {
            ticker::watch(self.context_id, &self.stream);
        }
        action
    }

    fn on_response(&self, callback: impl FnOnce(&mut Stream, &dyn Fn() -> UnixTime) -> Step) -> Action {
        let mut stream = self.stream.borrow_mut();
        let step = callback(&mut stream.core, &time::read_once(host::now));
        stream.apply(step)
    }
}

impl Context for GatewayContext {}

impl HttpContext for GatewayContext {
    fn on_http_request_headers(&mut self, _: usize, end_stream: bool) -> Action {
        let headers = || host::headers(MapType::HttpRequestHeaders).ok();
        self.on_request(|stream, now| stream.request_headers(headers(), end_stream, now))
    }

    fn on_http_request_body(&mut self, size: usize, end_stream: bool) -> Action {
        let body = EnvoyBody::new(BufferType::HttpRequestBody, size);
        self.on_request(|stream, now| stream.request_body(&body, end_stream, now))
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        self.on_request(Stream::request_trailers)
    }

    fn on_http_response_headers(&mut self, _: usize, end_stream: bool) -> Action {
        let headers = host::headers(MapType::HttpResponseHeaders).unwrap_or_default();
        self.on_response(|stream, now| stream.response_headers(headers, end_stream, now))
    }

    fn on_http_response_body(&mut self, size: usize, end_stream: bool) -> Action {
        let body = EnvoyBody::new(BufferType::HttpResponseBody, size);
        self.on_response(|stream, now| stream.response_body(&body, end_stream, now))
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        let trailers = host::headers(MapType::HttpResponseTrailers).unwrap_or_default();
        self.on_response(|stream, now| stream.response_trailers(trailers, now))
    }

    /// Writes the row into a property. Envoy's access loggers run right after this.
    fn on_log(&mut self) {
        let stream = self.stream.borrow();
        let Some(service) = &stream.service else { return };
        if stream.core.is_cut() {
            let details = host::property(PROPERTY_DETAILS).ok().flatten();
            stream.core.report_cut(&details.unwrap_or_default(), host::now());
        }
        let row = stream.core.close(host::now(), client_status);
        let row = row.map(|row| service.record(&row, &Envoy));
        if let Some(Err(error)) = row.map(|row| host::set_property(PROPERTY_ROW, &row)) {
            let message = format_args!("a row of the spend log was lost: {error:?}");
            request_log::error(stream.core.call_id(), message);
        }
        for message in stream.core.cooldown_messages() {
            request_log::warn(stream.core.call_id(), format_args!("{message}"));
        }
    }
}

impl Draining for GatewayStream {
    fn is_draining(&self) -> bool {
        self.core.needs_ticks()
    }

    fn tick(&mut self, now: UnixTime) {
        let step = self.core.tick(now);
        if self.apply(step) == Action::Continue
            && let Err(error) = host::continue_request()
        {
            let message =
                format_args!("a request could not continue after its credentials had arrived: {error:?}");
            request_log::error(self.core.call_id(), message);
        }
    }
}

impl GatewayStream {
    fn apply(&mut self, step: Step) -> Action {
        let edited = step.edits.into_iter().try_for_each(|edit| self.edit(edit));
        if let Err(error) = edited {
            let message = format_args!("a host call failed on a stream: {error:?}");
            request_log::error(self.core.call_id(), message);
            let step = self.core.edit_failed(step.then, host::now());
            return self.apply(step);
        }
        match step.then {
            Then::Continue => Action::Continue,
            Then::Wait => Action::Pause,
            Then::Reply(reply) => send(&reply, self.core.call_id()),
            Then::Lookup(id) => {
                let find = |service: &Rc<Service>| service.find(&id, &Envoy);
                let row = self.service.as_ref().and_then(find);
                let step = self.core.lookup_finished(row.as_deref(), host::now());
                self.apply(step)
            }
        }
    }

    fn edit(&mut self, edit: Edit) -> Result<(), HostError> {
        match edit {
            Edit::Plan(plan) => {
                self.plan = Some(PLANS.with(|plans| plans.insert(Rc::clone(&plan))));
                host::set_property(PROPERTY_PLAN, plan.itinerary().as_bytes())
            }
            Edit::RequestHeaders(edit) => host::set_headers(MapType::HttpRequestHeaders, &edit.serialized()),
            Edit::ResponseHeaders(edit) => {
                host::set_headers(MapType::HttpResponseHeaders, &edit.serialized())
            }
            Edit::ResponseTrailers(edit) => {
                host::set_headers(MapType::HttpResponseTrailers, &edit.serialized())
            }
            Edit::ClearRequestTrailers => {
                host::set_headers(MapType::HttpRequestTrailers, &pairs::serialize([].into_iter()))
            }
            Edit::RequestBody { edit, size } => {
                edit.apply_to(size, &mut EnvoyBody::new(BufferType::HttpRequestBody, size))
            }
            Edit::DiscardRequestBody(size) => host::set_request_body(0, size, &[]),
            Edit::Warn(message) => {
                request_log::warn(self.core.call_id(), format_args!("{message}"));
                Ok(())
            }
            Edit::StartTimer => ticker::start(self.plugin_id),
        }
    }
}

/// Sends a local reply, marked so that Envoy's `local_reply_config` does not replace its body. If
/// this fails, the stream stays paused. `call_id` is for the log.
pub(super) fn send(reply: &Reply, call_id: Option<&str>) -> Action {
    let _unmarked = host::set_header(MapType::HttpRequestHeaders, HEADER_REJECTED, "1");
    let headers = pairs::serialize(reply.header_pairs());
    if let Err(error) = host::reply(reply.status, &headers, &reply.body) {
        let message = format_args!("a local reply of status {} was lost: {error:?}", reply.status);
        request_log::error(call_id, message);
    }
    Action::Pause
}

/// The status that the client received, if any.
fn client_status() -> Option<u16> {
    let bytes = host::property(PROPERTY_STATUS).ok()??;
    let status = u64::from_le_bytes(bytes.try_into().ok()?);
    u16::try_from(status).ok().filter(|status| *status != 0)
}
