//! The log: messages of this program, of Envoy and of the filter, as one stream on standard error.

mod envoy_line;
mod format;
mod lines;
mod relay;

pub(crate) use envoy_line::ENVOY_ARGUMENTS;
pub(crate) use format::{LogFormat, LogOptions};
pub(crate) use lines::install;
pub(crate) use relay::Relay;
