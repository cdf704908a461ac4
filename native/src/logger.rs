//! Writes the messages of the `log` crate to Envoy's log.

use envoy_bedrock::contract::names::LOG_NATIVE;
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
