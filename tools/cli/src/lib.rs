//! The `envoy-bedrock` command, apart from parsing its command line.

mod address;
mod admin;
pub mod blueprint;
pub mod broker;
mod certificates;
pub mod check;
pub mod credentials;
mod document;
pub mod environment;
mod exchange;
mod json;
pub mod keys;
pub mod litellm;
mod log;
pub mod otlp;
pub mod prices;
mod private_socket;
mod random;
mod region;
mod reload;
pub mod render;
pub mod run;
mod sealing;
pub mod spend;
mod state;
pub mod status;
pub mod watch;
