//! Writes the messages of the `log` crate to Envoy's log.

use std::fmt::Arguments;

use envoy_bedrock::contract::names::{LOG_NATIVE, LOG_REQUEST_ID};
use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::abi::{self, EnvoyLogLevel};

struct EnvoyLogger;

impl Log for EnvoyLogger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let level = match record.level() {
            Level::Trace => EnvoyLogLevel::Trace,
            Level::Debug => EnvoyLogLevel::Debug,
            Level::Info => EnvoyLogLevel::Info,
            Level::Warn => EnvoyLogLevel::Warn,
            Level::Error => EnvoyLogLevel::Error,
        };
        abi::log(level, &format!("{LOG_NATIVE}{}", record.args()));
    }

    fn flush(&self) {}
}

/// Logs an error about the request with this call id.
pub(crate) fn error(call_id: Option<&str>, message: Arguments<'_>) {
    about(Level::Error, call_id, message);
}

/// Logs a warning about the request with this call id.
pub(crate) fn warn(call_id: Option<&str>, message: Arguments<'_>) {
    about(Level::Warn, call_id, message);
}

fn about(level: Level, call_id: Option<&str>, message: Arguments<'_>) {
    match call_id {
        Some(id) => log::log!(level, "{message}{LOG_REQUEST_ID}{id}"),
        None => log::log!(level, "{message}"),
    }
}

/// Installs the logger, and a hook that logs the message of a panic. The module is loaded once for
/// each role, so it may be installed already.
pub(crate) fn install() {
    if log::set_logger(&EnvoyLogger).is_ok() {
        log::set_max_level(LevelFilter::Info);
        std::panic::set_hook(Box::new(|panic| {
            abi::log(EnvoyLogLevel::Critical, &format!("{LOG_NATIVE}{panic}"))
        }));
    }
}
