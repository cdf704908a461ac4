//! What the operator can do about a failure.

use super::aws_error::LOGIN;
use super::failure::{Failure, FailureCode};
use crate::credentials::{ChainSource, CredentialSource, WebIdentityToken};

/// How messages of AWS about the sign-in of IAM Identity Center contain it.
const OF_SSO: [&str; 3] = ["SSO token", "Session token not found", "UnauthorizedException"];
/// STS's codes for credentials that it does not accept.
const OF_KEYS: [&str; 4] = [
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClient",
    "ExpiredToken",
];
/// How AWS's crates name a profile that does not exist, and a `credential_process`.
const MISSING_PROFILE: &str = "was not defined";
const PROCESS: &str = "external process";

/// What to do about `failure` of `source`, as a sentence. `chain` is what the default chain is in
/// this environment.
pub(super) fn remedy(source: &CredentialSource, chain: &ChainSource, failure: &Failure) -> String {
    if failure.code == FailureCode::Throttling {
        return "AWS throttles these requests; the gateway retries by itself".to_owned();
    }
    match source {
        CredentialSource::DefaultChain => of_chain(chain, failure),
        CredentialSource::Profile(name) => of_profile(name, failure),
        CredentialSource::Keys(keys) => {
            format!("Check {} and {}", keys.access_key_id.0, keys.secret_access_key.0)
        }
        CredentialSource::WebIdentity { role, token } => of_web_identity(&role.arn, token, failure),
        CredentialSource::Role { role, base } => {
            let is_about_base = failure.code == FailureCode::Timeout
                || OF_KEYS.iter().any(|code| failure.reason.contains(code));
            match failure.code {
                FailureCode::AccessDenied => format!(
                    "Check that the trust policy of {} permits this caller, with its external id if it has one, and \
                     that the caller may call sts:AssumeRole",
                    role.arn
                ),
                _ if is_about_base => remedy(base, chain, failure),
                _ => "Check aws_role_name and the other settings of the role".to_owned(),
            }
        }
    }
}

fn of_chain(chain: &ChainSource, failure: &Failure) -> String {
    match chain {
        ChainSource::Keys => "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN".to_owned(),
        ChainSource::Profile(name) => of_profile(name, failure),
        ChainSource::WebIdentity { role, token } => of_web_identity(role, token, failure),
        ChainSource::Container => {
            "Check that the task or service account has a role, and that AWS_CONTAINER_CREDENTIALS_FULL_URI and \
             AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE are as ECS or EKS set them"
                .to_owned()
        }
        ChainSource::Instance { .. } => {
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or give the instance, task or service \
             account a role; from a container, IMDS needs a hop limit of 2"
                .to_owned()
        }
    }
}

fn of_profile(name: &str, failure: &Failure) -> String {
    if OF_SSO.iter().any(|text| failure.reason.contains(text)) {
        return format!("Log in again: aws sso login --profile {name}");
    }
    if failure.reason.contains(MISSING_PROFILE) {
        return "Add the profile to ~/.aws/config, or correct its name; `aws configure list-profiles` lists them"
            .to_owned();
    }
    if failure.reason.contains(LOGIN) {
        return format!(
            "Name a profile with `credential_process = aws configure export-credentials \
             --profile {name} --format process`"
        );
    }
    if failure.reason.contains(PROCESS) {
        return format!(
            "Check what the credential_process of the profile prints: aws sts get-caller-identity --profile {name}"
        );
    }
    format!("Check the profile: aws sts get-caller-identity --profile {name}")
}

fn of_web_identity(role: &str, token: &WebIdentityToken, failure: &Failure) -> String {
    match failure.code {
        FailureCode::InvalidConfiguration => match token {
            WebIdentityToken::File(path) => {
                format!(
                    "Check that {} exists, can be read and has a token",
                    path.display()
                )
            }
            WebIdentityToken::Variable(name) => format!("Set {}", name.0),
        },
        FailureCode::ExpiredToken => format!("Check that {token} is renewed"),
        FailureCode::AccessDenied => format!(
            "Check that the trust policy of {role} permits the token's identity provider, audience and subject"
        ),
        _ => format!("Check that {role} is the right role, and {token}"),
    }
}
