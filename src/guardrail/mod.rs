//! The guardrail of a model, which replaces any guardrail in a client's request.
//!
//! InvokeModel expects the guardrail in headers, Converse in the body. This is the only case in
//! which the gateway changes a body: [`Editor`] determines the [`BodyEdit`] while the body arrives,
//! and the shell applies it to Envoy's buffer.

mod config;
mod edit;
mod editor;

pub use config::{
    Forwarded, Guardrail, IDENTIFIER_EXPECTED, IDENTIFIER_MAX_BYTES, VERSION_EXPECTED, is_identifier,
    is_version,
};
pub use edit::{BodyEdit, EditableBody};
pub use editor::{BodyFault, Edited, Editor};

#[cfg(test)]
mod tests;
