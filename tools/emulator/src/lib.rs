//! Fake Bedrock regions for demos, tests and benchmarks. They speak the wire protocol of
//! `bedrock-runtime` and check every request as strictly as AWS does, so a gateway that is almost
//! right fails its tests.
//!
//! - **Ports** (`http`). Each region has a plain and a TLS port. Both speak HTTP/1.1 and HTTP/2,
//!   the latter by prior knowledge or ALPN.
//! - **Judge** (`judge`). AWS's own `aws-sigv4` recomputes the signature of every request over the
//!   raw path, headers and body. Signatures are always checked. What a gateway must never send is a
//!   violation.
//! - **Responses** (`response`) are functions of the request: the text repeats the last user text,
//!   the usage varies with the body, and `x-emulator-body-sha256` is the digest of the body that
//!   arrived.
//! - **Identity** (`identity`). STS, IMDSv2, ECS, EKS and SSO on one port issue credentials with
//!   short lives, which the regions accept until they expire or are revoked.
//! - **Control** (`control`). Faults, paces and the log have a JSON API on a separate port. A
//!   request cannot influence them.
//!
//! The emulator does not run models, keep conversations, or emulate IAM policies beyond the trust
//! of roles, quotas or other services.

mod api_error;
pub mod config;
mod control;
mod error;
mod http;
mod identity;
mod judge;
mod log;
mod percent;
mod random;
mod response;
mod server;
mod shutdown;
mod state;

pub use config::{EmulatorConfig, KnownCredential, RegionAddresses, RegionConfig, Strictness, TlsConfig};
pub use control::controller::ControllerError;
pub use control::fault_rule::{FaultError, FaultRule};
pub use error::{EmulatorError, TlsError};
pub use log::entry::{Ended, LogEntry};
pub use log::request_log::RequestLog;
pub use log::summary::RegionSummary;
pub use server::Emulator;
