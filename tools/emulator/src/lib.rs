//! Fake Bedrock regions, for demos, tests and benchmarks: they speak the wire protocol of `bedrock-runtime` and judge
//! every request as AWS would, so that a gateway in front of them cannot be nearly right.
//!
//! - **Ports.** Each region has a plain and a TLS port; both speak HTTP/1.1 and HTTP/2 (prior knowledge or ALPN).
//! - **Judgement.** Signature Version 4 is recomputed by AWS's own `aws-sigv4` over the raw path, headers and body
//!   ([`judge::verify`]), and what a gateway must never send is a violation ([`judge::strict`]). There is no switch to turn it off.
//! - **Answers** are functions of the request ([`response`]): the text repeats the last user text, the usage varies with
//!   the body, and `x-emulator-body-sha256` is the digest of the body that arrived.
//! - **Faults, pace, log** are ruled from a second port that speaks JSON, never through the payload ([`control`]).
//!
//! What it does not do: run models, keep conversations, or emulate IAM policies, quotas and other services.

pub mod api_error;
pub mod config;
pub mod control;
mod http;
pub mod judge;
pub mod log;
mod percent;
mod random;
pub mod response;
pub mod server;
mod shutdown;
mod state;

pub use config::{
    EmulatorConfig, EmulatorError, KnownCredential, RegionAddresses, RegionConfig, Strictness, TlsConfig,
};
pub use server::Emulator;
