//! The contexts of one VM: its plugins and their streams, by the numbers that Envoy gives them.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::gateway::GatewayStream;
use super::root::Root;
use super::signer::SignerStream;
use super::unconfigured::Unconfigured;
use super::{Action, host, ticker};
use crate::time::UnixTime;

thread_local! {
    static ROOTS: RefCell<BTreeMap<u32, Root>> = RefCell::default();
    static STREAMS: RefCell<BTreeMap<u32, Stream>> = RefCell::default();
}

/// A stream in one of the roles.
pub(super) enum Stream {
    /// In the listener.
    Gateway(Box<GatewayStream>),
    /// In a failover cluster: one attempt.
    Signer(SignerStream),
    /// Of a plugin that has no configuration: refused.
    Unconfigured(Unconfigured),
}

impl Stream {
    pub(super) fn request_headers(&mut self, ends: bool) -> Action {
        match self {
            Self::Gateway(stream) => stream.request_headers(ends),
            Self::Signer(stream) => stream.request_headers(),
            Self::Unconfigured(stream) => stream.request_headers(ends),
        }
    }

    pub(super) fn request_body(&mut self, size: usize, ends: bool) -> Action {
        match self {
            Self::Gateway(stream) => stream.request_body(size, ends),
            Self::Signer(stream) => stream.pass(),
            Self::Unconfigured(stream) => stream.request_body(size, ends),
        }
    }

    pub(super) fn request_trailers(&mut self) -> Action {
        match self {
            Self::Gateway(stream) => stream.request_trailers(),
            Self::Signer(stream) => stream.pass(),
            Self::Unconfigured(stream) => stream.request_trailers(),
        }
    }

    pub(super) fn response_headers(&mut self, ends: bool) -> Action {
        match self {
            Self::Gateway(stream) => return stream.response_headers(ends),
            Self::Signer(stream) => stream.response_headers(),
            Self::Unconfigured(_) => {}
        }
        Action::Continue
    }

    pub(super) fn response_body(&mut self, size: usize, ends: bool) -> Action {
        match self {
            Self::Gateway(stream) => stream.response_body(size, ends),
            Self::Signer(_) | Self::Unconfigured(_) => Action::Continue,
        }
    }

    pub(super) fn response_trailers(&mut self) -> Action {
        match self {
            Self::Gateway(stream) => stream.response_trailers(),
            Self::Signer(_) | Self::Unconfigured(_) => Action::Continue,
        }
    }

    /// Whether its request was refused and is still arriving.
    fn is_waiting(&self) -> bool {
        match self {
            Self::Gateway(stream) => stream.is_waiting(),
            Self::Signer(_) => false,
            Self::Unconfigured(stream) => stream.is_waiting(),
        }
    }

    fn tick(&mut self, now: UnixTime) {
        match self {
            Self::Gateway(stream) => stream.tick(now),
            Self::Signer(_) => {}
            Self::Unconfigured(stream) => stream.tick(now),
        }
    }

    fn log(&mut self) {
        if let Self::Gateway(stream) = self {
            stream.log();
        }
    }
}

/// Begins a plugin, or a stream of the plugin `root_id`.
pub(super) fn create(context_id: u32, root_id: u32) {
    if root_id == 0 {
        ROOTS.with_borrow_mut(|roots| roots.insert(context_id, Root::default()));
        return;
    }
    let stream = ROOTS.with_borrow(|roots| {
        roots.get(&root_id).map_or_else(
            || Stream::Unconfigured(Unconfigured::new(root_id)),
            |root| root.stream(root_id),
        )
    });
    STREAMS.with_borrow_mut(|streams| streams.insert(context_id, stream));
}

/// Gives a plugin its configuration. False when it does not take it; it then keeps the one it has.
pub(super) fn configure(context_id: u32, size: usize) -> bool {
    ROOTS.with_borrow_mut(|roots| roots.entry(context_id).or_default().configure(size))
}

/// Makes a request callback of a stream. One that nobody knows is held: it was never judged.
pub(super) fn request(context_id: u32, callback: impl FnOnce(&mut Stream) -> Action) -> Action {
    with_stream(context_id, callback).unwrap_or(Action::Pause)
}

/// Makes a response callback of a stream.
pub(super) fn response(context_id: u32, callback: impl FnOnce(&mut Stream) -> Action) -> Action {
    with_stream(context_id, callback).unwrap_or(Action::Continue)
}

/// Makes the log callback of a stream.
pub(super) fn log(context_id: u32) {
    with_stream(context_id, |stream| {
        stream.log();
        Action::Continue
    });
}

/// The timer of the plugin `root_id` has fired: refused uploads that have stalled get their answers.
pub(super) fn tick(root_id: u32) {
    let waiting: Vec<u32> = STREAMS.with_borrow(|streams| {
        let waiting = streams.iter().filter(|(_, stream)| stream.is_waiting());
        waiting.map(|(context_id, _)| *context_id).collect()
    });
    if waiting.is_empty() {
        ticker::stop(root_id);
        return;
    }
    let Ok(now) = host::now_nanoseconds().map(UnixTime::from_nanoseconds) else {
        return;
    };
    for context_id in waiting {
        if let Err(error) = host::set_effective_context(context_id) {
            log::error!("a stalled upload was not looked at: {error:?}");
            continue;
        }
        with_stream(context_id, |stream| {
            stream.tick(now);
            Action::Pause
        });
    }
}

/// Ends a context.
pub(super) fn delete(context_id: u32) {
    let stream = STREAMS.with_borrow_mut(|streams| streams.remove(&context_id));
    if stream.is_none() {
        ROOTS.with_borrow_mut(|roots| roots.remove(&context_id));
        ticker::forget(context_id);
    }
}

/// The stream is out of the table during its callback, so that a callback within a callback, should a host ever make
/// one, finds nothing instead of a table that is in use.
fn with_stream(context_id: u32, callback: impl FnOnce(&mut Stream) -> Action) -> Option<Action> {
    let mut stream = STREAMS.with_borrow_mut(|streams| streams.remove(&context_id))?;
    let action = callback(&mut stream);
    STREAMS.with_borrow_mut(|streams| streams.insert(context_id, stream));
    Some(action)
}
