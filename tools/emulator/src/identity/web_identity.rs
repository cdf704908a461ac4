//! Tokens that the control API registered: of web identities, and of SSO.

use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::role::RoleArn;

/// A token to register.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebIdentityRequest {
    pub(crate) token: String,
    #[serde(default = "default_subject")]
    subject: String,
    /// The only roles that it may assume; any role if absent.
    roles: Option<Vec<RoleArn>>,
    /// Seconds until it expires; it never does if absent. 0 makes it expired.
    lifetime_seconds: Option<u64>,
}

fn default_subject() -> String {
    "system:serviceaccount:default:emulated".to_owned()
}

/// Whom a token stands for.
#[derive(Clone, Debug)]
pub(crate) struct WebIdentity {
    pub(crate) subject: String,
    roles: Option<Vec<RoleArn>>,
    expires: Option<SystemTime>,
}

impl WebIdentity {
    pub(crate) fn registered(request: WebIdentityRequest, now: SystemTime) -> Self {
        Self {
            subject: request.subject,
            roles: request.roles,
            expires: request
                .lifetime_seconds
                .map(|seconds| now + Duration::from_secs(seconds)),
        }
    }

    /// Whether the token is good for this role, whatever the role itself says.
    pub(crate) fn may_assume(&self, role: &RoleArn) -> bool {
        self.roles.as_ref().is_none_or(|roles| roles.contains(role))
    }

    pub(crate) fn is_expired(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}
