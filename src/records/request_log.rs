//! Messages about a request in Envoy's log. The shells write them.

use std::fmt::Arguments;

use log::Level;

use crate::contract::names::LOG_REQUEST_ID;

/// Logs an error about the request with this call id.
pub fn error(call_id: Option<&str>, message: Arguments<'_>) {
    about(Level::Error, call_id, message);
}

/// Logs a warning about the request with this call id.
pub fn warn(call_id: Option<&str>, message: Arguments<'_>) {
    about(Level::Warn, call_id, message);
}

fn about(level: Level, call_id: Option<&str>, message: Arguments<'_>) {
    match call_id {
        Some(id) => log::log!(level, "{message}{LOG_REQUEST_ID}{id}"),
        None => log::log!(level, "{message}"),
    }
}
