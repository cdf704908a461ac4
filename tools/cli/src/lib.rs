//! The `envoy-bedrock` command: what its parts do, apart from the reading of its arguments.

mod address;
pub mod blueprint;
pub mod certificates;
pub mod check;
mod document;
pub mod environment;
pub mod litellm;
pub mod otlp;
pub mod prices;
mod region;
pub mod render;
pub mod run;
pub mod spend;
mod state;
