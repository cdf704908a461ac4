//! The contexts that the `proxy-wasm` crate dispatches Envoy's callbacks to: a [`Plugin`] per
//! plugin of the VM and one context per stream, by role. A stream of a plugin without a valid
//! configuration is refused.

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

use super::gateway::GatewayStream;
use super::logger;
use super::role::Role;
use super::signer::SignerStream;
use super::ticker::{self, Draining};
use super::unconfigured::Unconfigured;
use crate::time::UnixTime;

proxy_wasm::main! {{
    logger::install();
    proxy_wasm::set_root_context(|context_id| Box::new(Plugin::new(context_id)));
}}

struct Plugin {
    context_id: u32,
    role: Role,
}

impl Plugin {
    fn new(context_id: u32) -> Self {
        Self {
            context_id,
            role: Role::default(),
        }
    }
}

impl Context for Plugin {}

impl RootContext for Plugin {
    /// Takes a configuration. Keeps the previous one, and returns false, if the new one is not
    /// valid.
    fn on_configure(&mut self, size: usize) -> bool {
        match Role::read(size) {
            Ok(role) => self.role = role,
            Err(error) => {
                log::error!("configuration: {error}");
                return false;
            }
        }
        true
    }

    fn on_tick(&mut self) {
        ticker::tick(self.context_id);
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(match &self.role {
            Role::Unconfigured => Watched::new(context_id, Unconfigured::new(self.context_id)),
            Role::Gateway(service) => {
                let stream = GatewayStream::new(Rc::clone(service), self.context_id);
                Watched::new(context_id, stream)
            }
            Role::Signer => Box::new(SignerStream::default()),
        })
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        ticker::forget(self.context_id);
    }
}

/// A stream that a timer can reach while its refused upload is being discarded.
struct Watched<S> {
    context_id: u32,
    stream: Rc<RefCell<S>>,
}

impl<S: Draining + 'static> Watched<S> {
    fn new(context_id: u32, stream: S) -> Box<Self> {
        Box::new(Self {
            context_id,
            stream: Rc::new(RefCell::new(stream)),
        })
    }

    /// Makes a request callback. Any of them may leave the stream waiting for the end of its
    /// upload.
    fn request(&self, callback: impl FnOnce(&mut S) -> Action) -> Action {
        let mut stream = self.stream.borrow_mut();
        let action = callback(&mut stream);
        if stream.is_waiting() {
            ticker::watch(self.context_id, &self.stream);
        }
        action
    }
}

impl<S> Context for Watched<S> {}

impl Draining for GatewayStream {
    fn is_waiting(&self) -> bool {
        Self::is_waiting(self)
    }

    fn tick(&mut self, now: UnixTime) {
        Self::tick(self, now);
    }
}

impl Draining for Unconfigured {
    fn is_waiting(&self) -> bool {
        Self::is_waiting(self)
    }

    fn tick(&mut self, now: UnixTime) {
        Self::tick(self, now);
    }
}

impl HttpContext for Watched<GatewayStream> {
    fn on_http_request_headers(&mut self, _: usize, ends: bool) -> Action {
        self.request(|stream| stream.request_headers(ends))
    }

    fn on_http_request_body(&mut self, size: usize, ends: bool) -> Action {
        self.request(|stream| stream.request_body(size, ends))
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        self.request(GatewayStream::request_trailers)
    }

    fn on_http_response_headers(&mut self, _: usize, ends: bool) -> Action {
        self.stream.borrow_mut().response_headers(ends)
    }

    fn on_http_response_body(&mut self, size: usize, ends: bool) -> Action {
        self.stream.borrow_mut().response_body(size, ends)
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        self.stream.borrow_mut().response_trailers()
    }

    fn on_log(&mut self) {
        self.stream.borrow_mut().log();
    }
}

impl HttpContext for Watched<Unconfigured> {
    fn on_http_request_headers(&mut self, _: usize, ends: bool) -> Action {
        self.request(|stream| stream.request_headers(ends))
    }

    fn on_http_request_body(&mut self, size: usize, ends: bool) -> Action {
        self.request(|stream| stream.request_body(size, ends))
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        self.request(Unconfigured::request_trailers)
    }
}

impl Context for SignerStream {}

impl HttpContext for SignerStream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        self.request_headers()
    }

    fn on_http_request_body(&mut self, _: usize, _: bool) -> Action {
        self.pass()
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        self.pass()
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        self.response_headers();
        Action::Continue
    }
}
