//! Credentials for AWS that are obtained while the gateway runs: roles, profiles, web identities,
//! and those of containers and instances.

mod source;

pub use source::{AssumedRole, BrokeredCredential, CredentialSource, WebIdentityToken};
