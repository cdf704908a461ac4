//! A stream in the gateway role: passes hooks to the core and applies the steps it returns.
//!
//! Envoy may destroy a stream while it is told to reply or to continue. So nothing is borrowed then.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use envoy_bedrock::admission::reject::Reply;
use envoy_bedrock::contract::names::{STATE_PLAN, STATE_ROW};
use envoy_bedrock::headers::pairs;
use envoy_bedrock::records::request_log;
use envoy_bedrock::routing::plan_table::PlanEntry;
use envoy_bedrock::stream::service::Service;
use envoy_bedrock::stream::{Edit, Step, Stream, Then};
use envoy_bedrock::time::{self, UnixTime};

use crate::abi::{CallError, HeaderMapKind, MetricsOwner, StreamHandle};
use crate::body::HeldBody;
use crate::config::{FilterConfig, FilterRole};
use crate::filter::{FilterFlow, edit_headers, replace_headers, send, serialized_headers};
use crate::host::{NativeHost, now};
use crate::ticker::{self, TickedStream};
use crate::worker::{self, PLANS};

pub(crate) struct GatewayFilter {
    /// The number of the stream on its worker.
    number: u64,
    config: Arc<FilterConfig>,
    /// `None` once Envoy has destroyed the stream.
    envoy: Cell<Option<StreamHandle>>,
    state: RefCell<GatewayState>,
}

/// A stream and what is needed to apply its steps.
struct GatewayState {
    core: Stream,
    /// `None` without a valid configuration. The core then refuses the stream.
    service: Option<Rc<Service>>,
    plan: Option<PlanEntry>,
}

/// How a hook ends, once nothing is borrowed.
enum HookEnding {
    Continue,
    Wait,
    Reply(Reply),
}

impl GatewayFilter {
    pub(crate) fn open(config: &Arc<FilterConfig>, stream: StreamHandle) -> Rc<Self> {
        let service = worker::service(config);
        let core = Stream::open(service.as_deref());
        Rc::new_cyclic(|this: &Weak<Self>| Self {
            number: ticker::opened(this.clone()),
            config: Arc::clone(config),
            envoy: Cell::new(Some(stream)),
            state: RefCell::new(GatewayState {
                core,
                service,
                plan: None,
            }),
        })
    }

    pub(crate) fn request_headers(&self, end_stream: bool, stream: StreamHandle) -> FilterFlow {
        let headers = serialized_headers(stream, HeaderMapKind::Request).ok();
        self.on_request(stream, |core, now| core.request_headers(headers, end_stream, now))
    }

    pub(crate) fn request_body(&self, end_stream: bool, stream: StreamHandle) -> FilterFlow {
        let body = HeldBody::of_request(stream);
        self.on_request(stream, |core, now| core.request_body(&body, end_stream, now))
    }

    pub(crate) fn request_trailers(&self, stream: StreamHandle) -> FilterFlow {
        self.on_request(stream, Stream::request_trailers)
    }

    pub(crate) fn response_headers(&self, end_stream: bool, stream: StreamHandle) -> FilterFlow {
        let headers = serialized_headers(stream, HeaderMapKind::Response).unwrap_or_default();
        self.on_response(stream, |core, now| {
            core.response_headers(headers, end_stream, now)
        })
    }

    pub(crate) fn response_body(&self, end_stream: bool, stream: StreamHandle) -> FilterFlow {
        let body = HeldBody::of_response(stream);
        self.on_response(stream, |core, now| core.response_body(&body, end_stream, now))
    }

    pub(crate) fn response_trailers(&self, stream: StreamHandle) -> FilterFlow {
        let trailers = serialized_headers(stream, HeaderMapKind::ResponseTrailers).unwrap_or_default();
        self.on_response(stream, |core, now| core.response_trailers(trailers, now))
    }

    /// Runs a request hook and adds its duration to the gateway's overhead.
    fn on_request(
        &self,
        stream: StreamHandle,
        hook: impl FnOnce(&mut Stream, UnixTime) -> Step,
    ) -> FilterFlow {
        let started = now();
        let ending = {
            let mut state = self.state.borrow_mut();
            let step = hook(&mut state.core, started);
            let ending = self.apply(&mut state, step, stream);
            state.core.add_gateway_time(now().nanoseconds_since(started));
            if state.core.needs_ticks() {
                ticker::watch(self.number);
            }
            ending
        };
        match ending {
            HookEnding::Continue => FilterFlow::Continue,
            HookEnding::Wait => FilterFlow::Stop,
            HookEnding::Reply(reply) => {
                self.refuse(&reply, stream);
                FilterFlow::Stop
            }
        }
    }

    fn on_response(
        &self,
        stream: StreamHandle,
        hook: impl FnOnce(&mut Stream, &dyn Fn() -> UnixTime) -> Step,
    ) -> FilterFlow {
        let ending = {
            let mut state = self.state.borrow_mut();
            let step = hook(&mut state.core, &time::read_once(now));
            self.apply(&mut state, step, stream)
        };
        match ending {
            HookEnding::Continue => FilterFlow::Continue,
            HookEnding::Wait => FilterFlow::Stop,
            HookEnding::Reply(reply) => {
                send(&reply, &[], stream);
                FilterFlow::Stop
            }
        }
    }

    /// Sends a local reply instead of a response. Envoy does not show a filter its own reply, so the
    /// headers that the core adds to responses are added before.
    fn refuse(&self, reply: &Reply, stream: StreamHandle) {
        let status = reply.status.to_string();
        let status = std::iter::once((&b":status"[..], status.as_bytes()));
        let headers = pairs::serialize(status.chain(reply.header_pairs()));
        let step = {
            let mut state = self.state.borrow_mut();
            state.core.response_headers(headers, reply.body.is_empty(), now)
        };
        let edits = step.edits.iter().filter_map(|edit| match edit {
            Edit::ResponseHeaders(edit) => Some(edit.added()),
            _ => None,
        });
        let added: Vec<_> = edits.flatten().collect();
        send(reply, &added, stream);
    }

    /// Writes the row into the filter state. Envoy's access loggers run right after this.
    pub(crate) fn complete(&self, stream: StreamHandle) {
        let state = self.state.borrow();
        let Some(service) = &state.service else { return };
        if state.core.is_cut() {
            let details = stream.response_code_details();
            state.core.report_cut(&details.unwrap_or_default(), now());
        }
        let client_status = || {
            let status = stream.response_code()?;
            u16::try_from(status).ok().filter(|status| *status != 0)
        };
        let row = state.core.close(now(), client_status);
        self.with_host(&mut |host| {
            let row = row.as_ref().map(|row| service.record(row, host));
            if let Some(Err(error)) = row.map(|row| stream.set_filter_state(STATE_ROW, &row)) {
                let message = format_args!("a row of the spend log was lost: {error:?}");
                request_log::error(state.core.call_id(), message);
            }
        });
        for message in state.core.cooldown_messages() {
            request_log::warn(state.core.call_id(), format_args!("{message}"));
        }
    }

    /// Envoy has destroyed the stream. What it holds is returned, and credentials that AWS has
    /// refused in it are reported.
    pub(crate) fn destroyed(&self) {
        self.envoy.set(None);
        let _reported = worker::service(&self.config);
        if let Ok(mut state) = self.state.try_borrow_mut() {
            state.core = Stream::open(None);
            state.plan = None;
        }
        ticker::closed(self.number);
    }

    fn apply(&self, state: &mut GatewayState, step: Step, stream: StreamHandle) -> HookEnding {
        let mut edits = step.edits.into_iter();
        if let Err(error) = edits.try_for_each(|edit| self.edit(state, edit, stream)) {
            let message = format_args!("a host call failed on a stream: {error:?}");
            request_log::error(state.core.call_id(), message);
            let step = state.core.edit_failed(step.then, now());
            return self.apply(state, step, stream);
        }
        match step.then {
            Then::Continue => HookEnding::Continue,
            Then::Wait => HookEnding::Wait,
            Then::Reply(reply) => HookEnding::Reply(reply),
            Then::Lookup(id) => {
                let find = |service: &Rc<Service>| service.find(&id, &NativeHost::without_metrics());
                let row = state.service.as_ref().and_then(find);
                let step = state.core.lookup_finished(row.as_deref(), now());
                self.apply(state, step, stream)
            }
        }
    }

    fn edit(&self, state: &mut GatewayState, edit: Edit, stream: StreamHandle) -> Result<(), CallError> {
        match edit {
            Edit::Plan(plan) => {
                state.plan = Some(PLANS.with(|plans| plans.insert(Rc::clone(&plan))));
                stream.set_filter_state(STATE_PLAN, plan.itinerary().as_bytes())
            }
            Edit::RequestHeaders(edit) => {
                edit_headers(stream, HeaderMapKind::Request, &edit)?;
                stream.clear_route_cache();
                Ok(())
            }
            Edit::ResponseHeaders(edit) => edit_headers(stream, HeaderMapKind::Response, &edit),
            Edit::ResponseTrailers(edit) => edit_headers(stream, HeaderMapKind::ResponseTrailers, &edit),
            Edit::ClearRequestTrailers => replace_headers(stream, HeaderMapKind::RequestTrailers, &[]),
            Edit::RequestBody { edit, size } => edit.apply_to(size, &mut HeldBody::of_request(stream)),
            Edit::DiscardRequestBody(size) => HeldBody::of_request(stream).discard(size),
            Edit::Warn(message) => {
                request_log::warn(state.core.call_id(), format_args!("{message}"));
                Ok(())
            }
            Edit::StartTimer => {
                ticker::start(self.number, stream);
                Ok(())
            }
        }
    }
}

impl TickedStream for GatewayFilter {
    fn handle(&self) -> Option<StreamHandle> {
        self.envoy.get()
    }

    fn needs_ticks(&self) -> bool {
        self.envoy.get().is_some() && self.state.borrow().core.needs_ticks()
    }

    fn with_host(&self, use_host: &mut dyn FnMut(&NativeHost<'_>)) {
        if let (Some(stream), FilterRole::Gateway { metrics, .. }) = (self.envoy.get(), &self.config.role) {
            use_host(&NativeHost::new(metrics, MetricsOwner::Stream(stream)));
        }
    }

    fn tick(&self) {
        let Some(stream) = self.envoy.get() else { return };
        let ending = {
            let mut state = self.state.borrow_mut();
            let step = state.core.tick(now());
            self.apply(&mut state, step, stream)
        };
        match ending {
            HookEnding::Continue => stream.continue_request(),
            HookEnding::Wait => {}
            HookEnding::Reply(reply) => self.refuse(&reply, stream),
        }
    }
}
