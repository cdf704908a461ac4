//! The `envoy-bedrock` command, apart from parsing its command line.

mod address;
pub mod blueprint;
mod certificates;
pub mod check;
mod document;
pub mod environment;
mod json;
pub mod litellm;
pub mod otlp;
pub mod prices;
mod region;
pub mod render;
pub mod run;
pub mod spend;
mod state;
