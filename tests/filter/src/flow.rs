//! One HTTP context and the messages that pass through it, as in Envoy's filter manager.

use crate::header_map::HeaderMap;
use crate::host::{Context, FilterState, HttpContext, LocalResponse, Properties, Side};
use crate::message::HttpMessage;
use crate::vm::{Trap, Vm};

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
        // As in Envoy, a held body stays readable in later callbacks until it is let through.
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

    pub(crate) fn out(&self, direction: Direction) -> &HttpMessage {
        match direction {
            Request => &self.request.out,
            Response => &self.response.out,
        }
    }

    /// The header map as the module left it, whether it was let through or not.
    pub(crate) fn map(&self, direction: Direction) -> HeaderMap {
        self.side(direction, |side| side.headers.clone())
    }

    /// The number of body bytes that are held because the module paused.
    pub(crate) fn held(&self, direction: Direction) -> usize {
        self.side(direction, |side| if side.buffering { side.body.len() } else { 0 })
    }

    pub(crate) fn local(&self) -> Option<LocalResponse> {
        self.vm.host_mut().stream_of(self.context).local.clone()
    }

    /// Lets a request go on that the module continued outside the callbacks of its stream.
    pub(crate) fn resume(&mut self) {
        let resumed = std::mem::take(&mut self.vm.host_mut().stream_of(self.context).resumed);
        if resumed {
            self.release(Request);
        }
    }

    /// `proxy_on_log`, during which every map is readable.
    pub(crate) fn log(&self) -> Result<(), Trap> {
        self.vm.host_mut().stream_of(self.context).logging = true;
        self.vm.call(self.context, "proxy_on_log", &[self.context])?;
        self.vm.host_mut().stream_of(self.context).logging = false;
        Ok(())
    }

    /// `proxy_on_done` and `proxy_on_delete`, after all maps and bodies are gone.
    pub(crate) fn close(self) -> Result<(), Trap> {
        for direction in [Request, Response] {
            self.side(direction, |side| *side = Side::default());
        }
        self.vm.end(self.context)
    }

    fn step(&mut self, direction: Direction, callback: &'static str, arguments: &[u32]) -> Result<(), Trap> {
        let arguments = [&[self.context][..], arguments].concat();
        let replied = self.local().is_some();
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
        // A callback that sent a local response does not continue, whatever it returns.
        if action == CONTINUE && self.local().is_some() == replied {
            self.release(direction);
        }
        Ok(())
    }

    /// Lets through everything that is held, and closes the maps. Envoy may leave them open, but
    /// drops what is written from then on.
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
