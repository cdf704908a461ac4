//! The identity service: the sources that AWS's SDKs get temporary credentials from, on one port.
//!
//! - **STS** (`POST /`): `AssumeRole`, `AssumeRoleWithWebIdentity`, `GetCallerIdentity`.
//! - **IMDSv2** (`/latest/…`): the credentials of an EC2 instance. There is no IMDSv1.
//! - **ECS** (`/v2/credentials/{task id}`): the credentials of a task.
//! - **EKS Pod Identity** (`/v1/credentials`): the credentials of a pod, for a token.
//! - **SSO** (`/federation/credentials`): the portal of IAM Identity Center, for a token. Logging
//!   in and renewing that token are not emulated.
//!
//! Everything issued here is in the keyring of the regions, which enforce it. Each request for
//! credentials issues new ones. Policies, tags, MFA and SAML are not emulated.

pub(crate) mod calls;
mod container;
pub(crate) mod endpoint;
mod error;
pub(crate) mod fault;
mod form;
mod imds;
pub(crate) mod issue;
mod reply;
pub(crate) mod role;
pub(crate) mod secret;
pub(crate) mod service;
pub(crate) mod settings;
mod sso;
pub(crate) mod state;
mod sts;
pub(crate) mod web_identity;
mod xml;
