//! Writes the messages of the `log` crate to Envoy's log. The logger of the `proxy-wasm` crate
//! panics if that fails.

use log::{Level, LevelFilter, Log, Metadata, Record};
use proxy_wasm::types::LogLevel;

use super::host;

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

/// Installs the logger, and a hook that logs the message of a panic before the VM traps.
pub(super) fn install() {
    let _already = log::set_logger(&EnvoyLog);
    log::set_max_level(LevelFilter::Info);
    std::panic::set_hook(Box::new(|panic| {
        host::log(LogLevel::Critical, &panic.to_string());
    }));
}
