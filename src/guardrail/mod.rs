//! The guardrail of a model, which replaces any guardrail in a client's request.
//!
//! InvokeModel expects the guardrail in headers, Converse in the body. This is the only case in
//! which the gateway changes a body: [`Editor`] determines the [`BodyEdit`] while the body arrives,
//! and the shell applies it to Envoy's buffer.

mod config;
mod edit;
mod editor;

pub(crate) use config::{Forwarded, Guardrail};
pub use config::{IDENTIFIER_EXPECTED, VERSION_EXPECTED, is_identifier, is_version};
pub use edit::{BodyEdit, EditableBody};
pub(crate) use editor::{BodyFault, Editor};

#[cfg(test)]
mod tests;
