//! The log: messages of this program, of Envoy and of the filter, as one stream on standard error.

mod envoy_line;
mod format;
mod lines;
mod relay;

pub(super) use envoy_line::ENVOY_ARGUMENTS;
pub(super) use format::LogFormat;
pub(super) use lines::install;
pub(super) use relay::Relay;
