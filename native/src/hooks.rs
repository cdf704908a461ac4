//! The functions of the module that Envoy calls. A panic ends in them: it costs the request, never
//! the process.

#![expect(
    unsafe_code,
    reason = "functions that Envoy calls with pointers; abi has the invariants"
)]

use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use envoy_bedrock::admission::reject::Reject;
use envoy_bedrock::headers::Headers;

use crate::abi::{self, ConfigHandle, EnvoyBytes, EnvoyHeader, NOTHING, StreamHandle};
use crate::config::{FilterConfig, FilterRole};
use crate::filter::{FilterFlow, send};
use crate::gateway::GatewayFilter;
use crate::signer::SignerFilter;
use crate::{logger, main_thread, ticker};

/// The filter of a stream. Envoy has a pointer to it, which counts as an `Rc`.
struct HookedFilter {
    kind: HookedKind,
    /// A hook has panicked. The filter does nothing any more.
    is_broken: Cell<bool>,
}

enum HookedKind {
    Gateway(Rc<GatewayFilter>),
    Signer(SignerFilter),
}

/// A request or its response.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HookedSide {
    Request,
    Response,
}

/// # Safety
/// `pointer` comes from `envoy_dynamic_module_on_http_filter_new` and is not destroyed yet.
unsafe fn filter_at(pointer: *const c_void) -> Rc<HookedFilter> {
    let pointer = pointer.cast::<HookedFilter>();
    // SAFETY: Envoy's pointer counts as an `Rc`, and this is the stream's thread. The clone keeps
    // the filter until the end of the hook, even if Envoy destroys the stream in it.
    unsafe {
        Rc::increment_strong_count(pointer);
        Rc::from_raw(pointer)
    }
}

/// # Safety
/// `pointer` comes from `envoy_dynamic_module_on_http_filter_config_new` and is not destroyed yet.
unsafe fn config_at(pointer: *const c_void) -> Arc<FilterConfig> {
    let pointer = pointer.cast::<FilterConfig>();
    // SAFETY: Envoy's pointer counts as an `Arc`.
    unsafe {
        Arc::increment_strong_count(pointer);
        Arc::from_raw(pointer)
    }
}

/// Runs a hook of a stream.
///
/// # Safety
/// Both pointers are those that Envoy passes to the hooks of a stream.
unsafe fn on_stream(
    stream: *mut c_void,
    filter: *const c_void,
    direction: HookedSide,
    hook: impl FnOnce(&HookedKind, StreamHandle) -> FilterFlow,
) -> u32 {
    // SAFETY: the caller's promise.
    let (Some(stream), filter) = (unsafe { (StreamHandle::new(stream), filter_at(filter)) }) else {
        return FilterFlow::Stop as u32;
    };
    if filter.is_broken.get() {
        return FilterFlow::Stop as u32;
    }
    let flow = catch_unwind(AssertUnwindSafe(|| hook(&filter.kind, stream)));
    let flow = flow.unwrap_or_else(|_| {
        filter.is_broken.set(true);
        match direction {
            HookedSide::Request => send(&Reject::Host.reply(), &[], stream),
            HookedSide::Response => stream.reset("envoy_bedrock_panic"),
        }
        FilterFlow::Stop
    });
    flow as u32
}

/// Runs what belongs to no stream. A panic is only logged.
fn guarded(hook: impl FnOnce()) {
    let _logged = catch_unwind(AssertUnwindSafe(hook));
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_program_init() -> *const c_char {
    guarded(logger::install);
    abi::VERSION.as_ptr()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_new(
    config: *mut c_void,
    name: EnvoyBytes,
    settings: EnvoyBytes,
) -> *const c_void {
    let open = || {
        // SAFETY: Envoy passes both to this hook.
        let (name, settings) = unsafe { (name.get(), settings.get()) };
        // SAFETY: this is the main thread.
        let handle = unsafe { ConfigHandle::new(config) }?;
        let opened = main_thread::open(handle, name, settings);
        opened
            .inspect_err(|error| log::error!("configuration: {error}"))
            .ok()
    };
    let opened = catch_unwind(AssertUnwindSafe(open)).unwrap_or_default();
    opened.map_or(NOTHING, |config| Arc::into_raw(config).cast())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_destroy(config: *const c_void) {
    // SAFETY: the pointer counts as an `Arc`, and Envoy does not use it again.
    guarded(|| unsafe { Arc::from_raw(config.cast::<FilterConfig>()) }.silence());
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_scheduled(
    handle: *mut c_void,
    config: *const c_void,
    _event: u64,
) {
    guarded(|| {
        // SAFETY: Envoy passes both to this hook, on its main thread.
        if let (Some(handle), config) = unsafe { (ConfigHandle::new(handle), config_at(config)) } {
            main_thread::tick(handle, &config);
        }
    });
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_http_callout_done(
    handle: *mut c_void,
    config: *const c_void,
    id: u64,
    _result: u32,
    headers: *const EnvoyHeader,
    header_count: usize,
    chunks: *const EnvoyBytes,
    chunk_count: usize,
) {
    guarded(|| {
        // SAFETY: Envoy passes all of them to this hook, on its main thread.
        let (handle, config) = unsafe { (ConfigHandle::new(handle), config_at(config)) };
        // SAFETY: as before.
        let (headers, body) = unsafe {
            (
                abi::headers_at(headers, header_count),
                abi::bytes_at(chunks, chunk_count),
            )
        };
        if let Some(handle) = handle {
            let status = Headers(&headers).status().unwrap_or(0);
            main_thread::take_answer(handle, &config, id, status, &body);
        }
    });
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_new(
    config: *const c_void,
    stream: *mut c_void,
) -> *const c_void {
    let open = || {
        // SAFETY: Envoy passes both to this hook.
        let (config, stream) = unsafe { (config_at(config), StreamHandle::new(stream)?) };
        let kind = match &config.role {
            FilterRole::Gateway { .. } => HookedKind::Gateway(GatewayFilter::open(&config, stream)),
            FilterRole::Signer => HookedKind::Signer(SignerFilter::default()),
        };
        Some(Rc::new(HookedFilter {
            kind,
            is_broken: Cell::new(false),
        }))
    };
    let opened = catch_unwind(AssertUnwindSafe(open)).unwrap_or_default();
    opened.map_or(NOTHING, |filter| Rc::into_raw(filter).cast())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_destroy(filter: *const c_void) {
    guarded(|| {
        // SAFETY: the pointer counts as an `Rc`, and Envoy does not use it again.
        let filter = unsafe { Rc::from_raw(filter.cast::<HookedFilter>()) };
        if let HookedKind::Gateway(gateway) = &filter.kind {
            gateway.destroyed();
        }
    });
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_request_headers(
    stream: *mut c_void,
    filter: *const c_void,
    end_stream: bool,
) -> u32 {
    let hook = |kind: &HookedKind, stream| match kind {
        HookedKind::Gateway(gateway) => gateway.request_headers(end_stream, stream),
        HookedKind::Signer(signer) => signer.request_headers(stream),
    };
    // SAFETY: Envoy passes both to this hook.
    unsafe { on_stream(stream, filter, HookedSide::Request, hook) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_request_body(
    stream: *mut c_void,
    filter: *const c_void,
    end_stream: bool,
) -> u32 {
    let hook = |kind: &HookedKind, stream| match kind {
        HookedKind::Gateway(gateway) => gateway.request_body(end_stream, stream),
        HookedKind::Signer(signer) => signer.request_rest(),
    };
    // SAFETY: Envoy passes both to this hook.
    unsafe { on_stream(stream, filter, HookedSide::Request, hook) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_request_trailers(
    stream: *mut c_void,
    filter: *const c_void,
) -> u32 {
    let hook = |kind: &HookedKind, stream| match kind {
        HookedKind::Gateway(gateway) => gateway.request_trailers(stream),
        HookedKind::Signer(signer) => signer.request_rest(),
    };
    // SAFETY: Envoy passes both to this hook.
    unsafe { on_stream(stream, filter, HookedSide::Request, hook) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_response_headers(
    stream: *mut c_void,
    filter: *const c_void,
    end_stream: bool,
) -> u32 {
    let hook = |kind: &HookedKind, stream| match kind {
        HookedKind::Gateway(gateway) => gateway.response_headers(end_stream, stream),
        HookedKind::Signer(signer) => {
            signer.response_headers(stream);
            FilterFlow::Continue
        }
    };
    // SAFETY: Envoy passes both to this hook.
    unsafe { on_stream(stream, filter, HookedSide::Response, hook) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_response_body(
    stream: *mut c_void,
    filter: *const c_void,
    end_stream: bool,
) -> u32 {
    let hook = |kind: &HookedKind, stream| match kind {
        HookedKind::Gateway(gateway) => gateway.response_body(end_stream, stream),
        HookedKind::Signer(_) => FilterFlow::Continue,
    };
    // SAFETY: Envoy passes both to this hook.
    unsafe { on_stream(stream, filter, HookedSide::Response, hook) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_response_trailers(
    stream: *mut c_void,
    filter: *const c_void,
) -> u32 {
    let hook = |kind: &HookedKind, stream| match kind {
        HookedKind::Gateway(gateway) => gateway.response_trailers(stream),
        HookedKind::Signer(_) => FilterFlow::Continue,
    };
    // SAFETY: Envoy passes both to this hook.
    unsafe { on_stream(stream, filter, HookedSide::Response, hook) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_stream_complete(
    stream: *mut c_void,
    filter: *const c_void,
) {
    guarded(|| {
        // SAFETY: Envoy passes both to this hook.
        let (stream, filter) = unsafe { (StreamHandle::new(stream), filter_at(filter)) };
        if let (Some(stream), HookedKind::Gateway(gateway)) = (stream, &filter.kind) {
            gateway.complete(stream);
        }
    });
}

/// The bell of a worker has rung on one of its streams.
#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_scheduled(
    _stream: *mut c_void,
    filter: *const c_void,
    _event: u64,
) {
    guarded(|| {
        // SAFETY: Envoy passes it to this hook.
        let filter = unsafe { filter_at(filter) };
        if let HookedKind::Gateway(gateway) = &filter.kind {
            ticker::tick(&**gateway);
        }
    });
}

/// Envoy wants these hooks, but this module begins nothing that calls them, and the watermarks are
/// the business of terminal filters.
macro_rules! unused {
    ($($name:ident($($argument:ty),*);)*) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $name(_: *mut c_void, _: *const c_void $(, _: $argument)*) {}
        )*
    };
}

unused! {
    envoy_dynamic_module_on_http_filter_http_callout_done(
        u64, u32, *const EnvoyHeader, usize, *const EnvoyBytes, usize
    );
    envoy_dynamic_module_on_http_filter_http_stream_headers(u64, *const EnvoyHeader, usize, bool);
    envoy_dynamic_module_on_http_filter_http_stream_data(u64, *const EnvoyBytes, usize, bool);
    envoy_dynamic_module_on_http_filter_http_stream_trailers(u64, *const EnvoyHeader, usize);
    envoy_dynamic_module_on_http_filter_http_stream_complete(u64);
    envoy_dynamic_module_on_http_filter_http_stream_reset(u64, u32);
    envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark();
    envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_envoy;

    /// Runs hooks on a stream of the signer role. Returns their results, and what they asked for.
    fn run(hooks: Vec<(HookedSide, fn() -> FilterFlow)>) -> (Vec<u32>, Vec<String>) {
        let filter = Rc::new(HookedFilter {
            kind: HookedKind::Signer(SignerFilter::default()),
            is_broken: Cell::new(false),
        });
        let pointer: *const c_void = Rc::as_ptr(&filter).cast();
        let mut envoy = 0u8;
        let envoy: *mut c_void = (&raw mut envoy).cast();
        fake_envoy::asked();
        let results = hooks.into_iter().map(|(side, hook)| {
            // SAFETY: the filter lives, and nothing reads what the other pointer leads to.
            unsafe { on_stream(envoy, pointer, side, |_, _| hook()) }
        });
        (results.collect(), fake_envoy::asked())
    }

    fn panics() -> FilterFlow {
        panic!("a bug")
    }

    #[test]
    fn a_panic_refuses_the_request_and_the_filter_does_nothing_more() {
        let passes: fn() -> FilterFlow = || FilterFlow::Continue;
        let hooks = vec![
            (HookedSide::Request, passes),
            (HookedSide::Request, panics as fn() -> FilterFlow),
            (HookedSide::Request, passes),
        ];
        let (results, asked) = run(hooks);
        assert_eq!(results, [0, 1, 1]);
        assert_eq!(asked, ["x-eb-rejected: 1", "503 envoy_bedrock"]);
    }

    #[test]
    fn a_panic_in_a_response_aborts_it() {
        let (results, asked) = run(vec![(HookedSide::Response, panics)]);
        assert_eq!(results, [1]);
        assert_eq!(asked, ["reset envoy_bedrock_panic"]);
    }

    #[test]
    fn a_panic_that_belongs_to_no_stream_ends_there() {
        guarded(|| panic!("a bug"));
    }
}
