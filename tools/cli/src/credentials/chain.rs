//! The default credential chain of the AWS SDKs, as far as the environment decides about it.

use std::fmt;
use std::path::PathBuf;

use super::shared_files;
use super::source::WebIdentityToken;
use crate::environment::Environment;

/// The variable with the name of the profile.
const PROFILE: &str = "AWS_PROFILE";

/// The first source of the chain that is configured. The SDKs use it, and do not try the next one
/// if it fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ChainSource {
    /// Access keys in the environment.
    Keys,
    /// A profile of the shared files.
    Profile(String),
    /// A role for a web identity, as EKS sets it for service accounts (IRSA).
    WebIdentity { role: String, token: WebIdentityToken },
    /// The endpoint of ECS or of EKS Pod Identity.
    Container,
    /// The metadata service of EC2, which needs no configuration. `missing` is the profile
    /// in `AWS_PROFILE` that does not exist.
    Instance { missing: Option<String> },
}

impl ChainSource {
    /// The source that the chain takes in `environment`.
    pub(crate) fn of(environment: &Environment) -> Self {
        let value = |name| environment.value(name);
        let is_set = |name| value(name).is_some();
        let profile = value(PROFILE).unwrap_or("default");
        if is_set("AWS_ACCESS_KEY_ID") && is_set("AWS_SECRET_ACCESS_KEY") {
            return Self::Keys;
        }
        if shared_files::has_credentials(profile, environment) {
            return Self::Profile(profile.to_owned());
        }
        if let (Some(role), Some(path)) = (value("AWS_ROLE_ARN"), value("AWS_WEB_IDENTITY_TOKEN_FILE")) {
            return Self::WebIdentity {
                role: role.to_owned(),
                token: WebIdentityToken::File(PathBuf::from(path)),
            };
        }
        if is_set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || is_set("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            return Self::Container;
        }
        Self::Instance {
            missing: value(PROFILE).map(str::to_owned),
        }
    }
}

impl fmt::Display for ChainSource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys => out.write_str("access keys in AWS_ACCESS_KEY_ID"),
            Self::Profile(name) => write!(out, "profile {name}"),
            Self::WebIdentity { role, token } => write!(out, "role {role} with {token}"),
            Self::Container => out.write_str("the container's credentials endpoint"),
            Self::Instance { .. } => out.write_str("the instance metadata service"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_source_that_is_configured_counts() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::write(&file, "[profile team]\nrole_arn = x\n").unwrap();
        let variables = [
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("AWS_PROFILE", "team"),
            ("AWS_CONFIG_FILE", file.to_str().unwrap()),
            ("AWS_ROLE_ARN", "arn:x"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://x"),
        ];
        // Half of a source counts as none.
        let expected = [
            "access keys in AWS_ACCESS_KEY_ID",
            "profile team",
            "profile team",
            "role arn:x with the token in /t",
            "role arn:x with the token in /t",
            "the container's credentials endpoint",
            "the container's credentials endpoint",
            "the instance metadata service",
        ];
        for (start, expected) in expected.into_iter().enumerate() {
            let environment = variables.iter().skip(start).copied().collect();
            assert_eq!(ChainSource::of(&environment).to_string(), expected, "{start}");
        }
    }

    #[test]
    fn a_profile_that_does_not_exist_is_passed_over_and_remembered() {
        let environment = [("AWS_PROFILE", "nobody"), ("AWS_CONFIG_FILE", "/dev/null")];
        let missing = Some("nobody".to_owned());
        assert_eq!(
            ChainSource::of(&environment.into_iter().collect()),
            ChainSource::Instance { missing }
        );
    }
}
