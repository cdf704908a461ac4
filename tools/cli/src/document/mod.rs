//! Configuration files as data: YAML with PyYAML's types, the location of every value, and the
//! environment variables that values refer to.
//!
//! This house knows no setting. [`crate::litellm`] says what the settings mean.

pub(crate) mod field;
pub(crate) mod include;
pub(crate) mod location;
pub(crate) mod problem;
pub(crate) mod reader;
pub(crate) mod scalar;
mod template;
pub(crate) mod variables;
pub(crate) mod yaml;
