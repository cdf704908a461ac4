//! `envoy-bedrock keys`: makes, lists and changes the virtual keys in a file.

mod aws_pair;
mod command;
mod error;
mod import;
mod lifetime;
mod limit_options;
mod output;
mod stored;
mod token;

pub use command::{KeysArguments, run};
