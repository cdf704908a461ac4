//! The `envoy-bedrock` command: what its parts do, apart from the reading of its arguments.

pub mod blueprint;
pub mod certificates;
pub mod check;
pub mod litellm;
pub mod otlp;
pub mod prices;
pub mod render;
pub mod run;
pub mod spend;
mod state;
