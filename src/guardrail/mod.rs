//! The guardrail of a model: added to each of its requests, in place of what the client says about one.
//!
//! InvokeModel takes it in headers. Converse takes it in the body, which is the only case in which the gateway changes
//! a body: [`Editor`] works out how while the body arrives, and the shell applies the [`BodyEdit`] to Envoy's buffer.

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
