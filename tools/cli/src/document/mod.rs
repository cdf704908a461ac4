//! Configuration files as data: YAML with the types of PyYAML, where each value stands, and the variables that it can
//! refer to. What a setting means is the business of [`crate::litellm`].

pub(crate) mod field;
pub(crate) mod location;
pub(crate) mod scalar;
pub(crate) mod variables;
pub(crate) mod yaml;
