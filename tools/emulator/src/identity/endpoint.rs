//! The endpoints of the identity service.

use serde::Serialize;

/// An endpoint, as it is counted and as faults name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum IdentityEndpoint {
    AssumeRole,
    AssumeRoleWithWebIdentity,
    GetCallerIdentity,
    ImdsToken,
    /// The name of the instance's role.
    ImdsRole,
    ImdsCredentials,
    /// Region, zone and identity document.
    ImdsDocument,
    Ecs,
    Eks,
    Sso,
    /// A request that names no endpoint.
    Unknown,
}

impl IdentityEndpoint {
    pub(crate) const ALL: [Self; 11] = [
        Self::AssumeRole,
        Self::AssumeRoleWithWebIdentity,
        Self::GetCallerIdentity,
        Self::ImdsToken,
        Self::ImdsRole,
        Self::ImdsCredentials,
        Self::ImdsDocument,
        Self::Ecs,
        Self::Eks,
        Self::Sso,
        Self::Unknown,
    ];

    /// The name in the control API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AssumeRole => "assume-role",
            Self::AssumeRoleWithWebIdentity => "assume-role-with-web-identity",
            Self::GetCallerIdentity => "get-caller-identity",
            Self::ImdsToken => "imds-token",
            Self::ImdsRole => "imds-role",
            Self::ImdsCredentials => "imds-credentials",
            Self::ImdsDocument => "imds-document",
            Self::Ecs => "ecs",
            Self::Eks => "eks",
            Self::Sso => "sso",
            Self::Unknown => "unknown",
        }
    }

    /// The service that the endpoint belongs to.
    pub(crate) fn service(self) -> &'static str {
        match self {
            Self::AssumeRole | Self::AssumeRoleWithWebIdentity | Self::GetCallerIdentity => "sts",
            Self::ImdsToken | Self::ImdsRole | Self::ImdsCredentials | Self::ImdsDocument => "imds",
            Self::Ecs => "ecs",
            Self::Eks => "eks",
            Self::Sso => "sso",
            Self::Unknown => "unknown",
        }
    }

    /// Whether `name` is that of the endpoint or of its service.
    pub(crate) fn is_named(self, name: &str) -> bool {
        name == self.name() || name == self.service()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_in_json_is_the_name_in_faults() {
        for endpoint in IdentityEndpoint::ALL {
            assert_eq!(serde_json::to_value(endpoint).unwrap(), endpoint.name());
        }
    }
}
