//! `envoy-bedrock keys`: makes, lists and changes the virtual keys in a file.

mod command;
mod error;
mod stored;
mod token;

pub use command::{KeysArguments, run};
