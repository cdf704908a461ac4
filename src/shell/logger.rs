//! Writes the messages of the `log` crate to Envoy's log. The logger of the `proxy-wasm` crate
//! panics if that fails.

use std::fmt::Arguments;

use log::{Level, LevelFilter, Log, Metadata, Record};
use proxy_wasm::types::LogLevel;

use super::host;
use crate::contract::names::LOG_REQUEST_ID;

struct EnvoyLog;

impl Log for EnvoyLog {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let level = match record.level() {
            Level::Trace => LogLevel::Trace,
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        };
        host::log(level, &record.args().to_string());
    }

    fn flush(&self) {}
}

/// Logs an error about the request with this call id.
pub(super) fn error(call_id: Option<&str>, message: Arguments<'_>) {
    about(Level::Error, call_id, message);
}

/// Logs a warning about the request with this call id.
pub(super) fn warn(call_id: Option<&str>, message: Arguments<'_>) {
    about(Level::Warn, call_id, message);
}

fn about(level: Level, call_id: Option<&str>, message: Arguments<'_>) {
    match call_id {
        Some(id) => log::log!(level, "{message}{LOG_REQUEST_ID}{id}"),
        None => log::log!(level, "{message}"),
    }
}

/// Installs the logger, and a hook that logs the message of a panic before the VM traps.
pub(super) fn install() {
    let _already = log::set_logger(&EnvoyLog);
    log::set_max_level(LevelFilter::Info);
    std::panic::set_hook(Box::new(|panic| {
        host::log(LogLevel::Critical, &panic.to_string());
    }));
}
