//! Where credentials for AWS come from that are obtained while the gateway runs: roles, profiles,
//! web identities, containers and instances.

mod chain;
mod likely;
mod shared_files;
mod source;

pub(crate) use chain::ChainSource;
pub(crate) use likely::is_likely;
pub use source::{AssumedRole, BrokeredCredential, CredentialSource, WebIdentityToken};

/// Where the broker listens by default.
pub const DEFAULT_SOCKET: &str = "/run/envoy-bedrock/credentials.sock";

/// The variable with the token that a broker on a port requires.
pub const TOKEN_VARIABLE: &str = "ENVOY_BEDROCK_CREDENTIALS_TOKEN";
