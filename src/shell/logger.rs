//! Envoy's log as the sink of the `log` crate. The SDK's own logger panics when a line cannot be written.

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::host;

struct EnvoyLog;

impl Log for EnvoyLog {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let level = match record.level() {
            Level::Trace => 0,
            Level::Debug => 1,
            Level::Info => 2,
            Level::Warn => 3,
            Level::Error => 4,
        };
        host::log(level, &record.args().to_string());
    }

    fn flush(&self) {}
}

/// Sends the log to Envoy, and the message of a panic, if there ever is one, before the VM traps.
pub(super) fn install() {
    let _already = log::set_logger(&EnvoyLog);
    log::set_max_level(LevelFilter::Info);
    std::panic::set_hook(Box::new(|panic| host::log(5, &panic.to_string())));
}
