//! What the operator can do about a failure.

use super::failure::{Failure, FailureCode};
use crate::credentials::{CredentialSource, WebIdentityToken};

/// What to do about `failure` of `source`, as a sentence.
pub(crate) fn remedy(source: &CredentialSource, failure: &Failure) -> String {
    match (failure.code, source) {
        (FailureCode::Throttling, _) => "AWS throttles these requests; the gateway retries by itself".to_owned(),
        (_, CredentialSource::Profile(name)) if is_about_sso(&failure.reason) => {
            format!("Log in again: aws sso login --profile {name}")
        }
        (FailureCode::AccessDenied, CredentialSource::Role { role, .. }) => {
            format!("Permit sts:AssumeRole for {} in its trust policy, and check the external id", role.arn)
        }
        (FailureCode::AccessDenied | FailureCode::ExpiredToken, CredentialSource::WebIdentity { role, .. }) => {
            format!(
                "Check that the trust policy of {} permits this identity provider and that the token is renewed",
                role.arn
            )
        }
        (FailureCode::InvalidConfiguration, CredentialSource::WebIdentity { token, .. }) => match token {
            WebIdentityToken::File(path) => {
                format!("Check that {} exists and can be read", path.display())
            }
            WebIdentityToken::Variable(name) => format!("Set {}", name.0),
        },
        (FailureCode::Timeout, CredentialSource::DefaultChain) => {
            "Check that the instance or container metadata service can be reached; from a container, IMDS needs a \
             hop limit of 2"
                .to_owned()
        }
        (_, CredentialSource::DefaultChain) => {
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or give the instance, task or service \
             account a role"
                .to_owned()
        }
        (_, CredentialSource::Profile(name)) => {
            format!("Check the profile: aws sts get-caller-identity --profile {name}")
        }
        (_, CredentialSource::Keys(keys)) => {
            format!("Check {} and {}", keys.access_key_id.0, keys.secret_access_key.0)
        }
        (_, CredentialSource::Role { base, .. }) => match **base {
            CredentialSource::Role { .. } | CredentialSource::WebIdentity { .. } => {
                "Check the settings of the role".to_owned()
            }
            ref base => remedy(base, failure),
        },
        (_, CredentialSource::WebIdentity { .. }) => "Check that STS can be reached".to_owned(),
    }
}

fn is_about_sso(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    reason.contains("sso")
}
