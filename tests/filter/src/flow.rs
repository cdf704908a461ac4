//! One HTTP context and what passes through it, in both directions, as Envoy's filter manager moves it.

use std::fmt;

use crate::headers::HeaderMap;
use crate::host::{Context, FilterState, HttpContext, LocalResponse, Properties, Side};
use crate::vm::{Trap, Vm};

/// A request or response, as far as it came out of the filter.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HttpMessage {
    /// Its headers, or `None` while they are held.
    pub headers: Option<HeaderMap>,
    /// The pieces of the body that were let through, in order.
    pub chunks: Vec<Vec<u8>>,
    /// Its trailers, if it has any.
    pub trailers: Option<HeaderMap>,
    /// Whether it is complete.
    pub ended: bool,
}

impl fmt::Debug for HttpMessage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chunks: Vec<_> = self
            .chunks
            .iter()
            .map(|chunk| chunk.escape_ascii().to_string())
            .collect();
        let mut fields = out.debug_struct("HttpMessage");
        fields
            .field("headers", &self.headers)
            .field("chunks", &chunks)
            .field("trailers", &self.trailers);
        fields.field("ended", &self.ended).finish()
    }
}

impl HttpMessage {
    /// The body so far.
    pub fn body(&self) -> Vec<u8> {
        self.chunks.concat()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Request,
    Response,
}

use Direction::{Request, Response};

pub(crate) struct Flow {
    vm: Vm,
    context: u32,
    request: Lane,
    response: Lane,
}

#[derive(Default)]
struct Lane {
    out: HttpMessage,
    trailers: bool,
    ended: bool,
}

impl Flow {
    pub(crate) fn open(
        vm: &Vm,
        root_id: &str,
        mut properties: Properties,
        filter_state: FilterState,
    ) -> Result<Flow, Trap> {
        properties.insert(b"plugin_root_id".to_vec(), root_id.as_bytes().to_vec());
        let root = vm.root(root_id);
        let stream = HttpContext {
            root,
            properties,
            filter_state,
            ..HttpContext::default()
        };
        let context = vm.allocate(Context::Stream(Box::new(stream)));
        vm.call(context, "proxy_on_context_create", &[context, root])?;
        Ok(Flow {
            vm: vm.clone(),
            context,
            request: Lane::default(),
            response: Lane::default(),
        })
    }

    pub(crate) fn headers(
        &mut self,
        direction: Direction,
        headers: HeaderMap,
        end: bool,
    ) -> Result<(), Trap> {
        let count = headers.pairs().len() as u32;
        self.lane(direction).ended = end;
        self.side(direction, |side| {
            side.headers = headers;
            side.headers_open = true;
        });
        let callback = name(direction, "proxy_on_request_headers", "proxy_on_response_headers");
        self.step(direction, callback, &[count, u32::from(end)])
    }

    pub(crate) fn body(&mut self, direction: Direction, chunk: &[u8], end: bool) -> Result<(), Trap> {
        self.lane(direction).ended = end;
        let size = self.side(direction, |side| {
            if !side.buffering {
                side.body.clear();
            }
            side.body.extend_from_slice(chunk);
            side.body_open = true;
            side.body.len() as u32
        });
        let callback = name(direction, "proxy_on_request_body", "proxy_on_response_body");
        self.step(direction, callback, &[size, u32::from(end)])?;
        // Held until it is let through, and readable in whatever callback comes next: so Envoy has it.
        self.side(direction, |side| side.buffering = side.body_open);
        Ok(())
    }

    pub(crate) fn trailers(&mut self, direction: Direction, trailers: HeaderMap) -> Result<(), Trap> {
        let count = trailers.pairs().len() as u32;
        let lane = self.lane(direction);
        (lane.trailers, lane.ended) = (true, true);
        self.side(direction, |side| {
            side.trailers = trailers;
            side.trailers_open = true;
        });
        let callback = name(
            direction,
            "proxy_on_request_trailers",
            "proxy_on_response_trailers",
        );
        self.step(direction, callback, &[count])
    }

    /// Lets through what the module has resumed since the last callback.
    pub(crate) fn settle(&mut self) {
        for direction in [Request, Response] {
            if self.side(direction, |side| std::mem::take(&mut side.resumed)) {
                self.release(direction);
            }
        }
    }

    pub(crate) fn out(&self, direction: Direction) -> &HttpMessage {
        match direction {
            Request => &self.request.out,
            Response => &self.response.out,
        }
    }

    /// The header map as the module left it, let through or not.
    pub(crate) fn map(&self, direction: Direction) -> HeaderMap {
        self.side(direction, |side| side.headers.clone())
    }

    /// Bytes of the body that are held because the module paused.
    pub(crate) fn held(&self, direction: Direction) -> usize {
        self.side(direction, |side| if side.buffering { side.body.len() } else { 0 })
    }

    pub(crate) fn local(&self) -> Option<LocalResponse> {
        self.vm.host_mut().stream_of(self.context).local.clone()
    }

    pub(crate) fn is_reset(&self) -> bool {
        self.vm.host_mut().stream_of(self.context).reset
    }

    /// `proxy_on_log`, with every map readable.
    pub(crate) fn log(&self) -> Result<(), Trap> {
        self.vm.host_mut().stream_of(self.context).logging = true;
        self.vm.call(self.context, "proxy_on_log", &[self.context])?;
        self.vm.host_mut().stream_of(self.context).logging = false;
        Ok(())
    }

    /// `proxy_on_done` and `proxy_on_delete`, with no map and no body left.
    pub(crate) fn close(self) -> Result<(), Trap> {
        for direction in [Request, Response] {
            self.side(direction, |side| *side = Side::default());
        }
        self.vm.call(self.context, "proxy_on_done", &[self.context])?;
        self.vm.delete(self.context)
    }

    fn step(&mut self, direction: Direction, callback: &'static str, arguments: &[u32]) -> Result<(), Trap> {
        let arguments = [&[self.context][..], arguments].concat();
        let answered = self.local().is_some();
        let action = self
            .vm
            .call(self.context, callback, &arguments)?
            .flatten()
            .unwrap_or(CONTINUE);
        if action > PAUSE {
            let message = format!("expected Continue or Pause, but found {action}");
            return Err(Trap {
                callback,
                message,
                log: self.vm.host().log.clone(),
            });
        }
        self.settle();
        // After a local response the answer of the callback does not count.
        if action == CONTINUE && self.local().is_some() == answered && !self.is_reset() {
            self.release(direction);
        }
        Ok(())
    }

    /// Lets everything through that is held. Envoy leaves the maps open where the module had paused before, but
    /// what is written then is lost on the way: here they are closed.
    fn release(&mut self, direction: Direction) {
        let (headers, body, trailers) = self.side(direction, |side| {
            let body = std::mem::take(&mut side.body);
            (
                side.headers_open,
                side.body_open,
                side.trailers_open,
                side.buffering,
            ) = Default::default();
            (side.headers.clone(), body, side.trailers.clone())
        });
        let lane = self.lane(direction);
        lane.out.headers.get_or_insert(headers);
        if !body.is_empty() {
            lane.out.chunks.push(body);
        }
        if lane.trailers {
            lane.out.trailers = Some(trailers);
        }
        lane.out.ended = lane.ended;
    }

    fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Request => &mut self.request,
            Response => &mut self.response,
        }
    }

    fn side<T>(&self, direction: Direction, act: impl FnOnce(&mut Side) -> T) -> T {
        let mut host = self.vm.host_mut();
        let stream = host.stream_of(self.context);
        match direction {
            Request => act(&mut stream.request),
            Response => act(&mut stream.response),
        }
    }
}

const CONTINUE: u32 = 0;
const PAUSE: u32 = 1;

fn name(direction: Direction, request: &'static str, response: &'static str) -> &'static str {
    if direction == Request { request } else { response }
}
