//! Envoy's ABI for dynamic modules: the functions of Envoy that the module calls, as safe methods.
//! [`hooks`](crate::hooks) has those that Envoy calls. All unsafe
//! code of the crate is in these files and in that one.
//!
//! The ABI is `source/extensions/dynamic_modules/abi/abi.h` in Envoy's repository. Envoy supports
//! modules for its own version and for the one before.
//!
//! Invariants:
//!
//! - A [`StreamHandle`] is Envoy's filter object. Envoy passes it to each hook of a stream, on the
//!   stream's worker thread, until it has called the hook `http_filter_destroy`. Handles are neither
//!   `Send` nor `Sync`, and what keeps one loses it in that hook.
//! - A [`ConfigHandle`] is Envoy's configuration object. It is only passed down from a hook on the
//!   main thread, so it lives, and is not kept.
//! - Memory that Envoy returns belongs to Envoy and is valid until the hook ends or the same object
//!   is changed. It is copied before this module calls anything else.
//! - Memory that is passed to Envoy is only read during the call.
//! - [`Alarm`]s may be used on any thread. They are valid until they are dropped.

mod alarm;
mod calls;
mod config;
mod log;
pub(crate) mod memory;
mod metrics;
mod stream;
mod types;

pub(crate) use alarm::Alarm;
pub(crate) use config::ConfigHandle;
pub(crate) use log::log;
pub(crate) use metrics::MetricsOwner;
pub(crate) use stream::StreamHandle;
pub(crate) use types::{
    BodyPart, CallError, EnvoyBytes, EnvoyHeader, EnvoyLogLevel, HeaderMapKind, NOTHING, SeriesKind,
    bytes_at, headers_at,
};

/// The version of the ABI that this module was made for: that of Envoy 1.40.
pub(crate) const VERSION: &std::ffi::CStr = c"v0.2.0";
