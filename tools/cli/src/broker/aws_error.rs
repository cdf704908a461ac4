//! The errors of AWS's crates as failures that say what to do.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};

use super::failure::{Failure, FailureCode};
use crate::credentials::ChainSource;

/// How AWS's crates say that a profile uses `aws login`, for which they need a feature.
const LOGIN_FEATURE: &str = "credentials-login";
/// How we say it.
pub(super) const LOGIN: &str = "the profile has a session of `aws login`, which is not supported";

/// The failure of a profile.
pub(super) fn of_profile(error: &CredentialsError, name: &str) -> Failure {
    match (error, error.source()) {
        (CredentialsError::CredentialsNotLoaded(_), None) => Failure::new(
            FailureCode::InvalidConfiguration,
            format!(
                "the profile {name} does not exist, or has no access keys, role_arn, credential_process or SSO settings"
            ),
        ),
        _ => of_source(error),
    }
}

/// The failure of the default chain, which is `chain` in this environment.
pub(super) fn of_chain(error: &CredentialsError, chain: &ChainSource) -> Failure {
    let CredentialsError::CredentialsNotLoaded(_) = error else {
        return of_source(error).explained(|reason| format!("{chain}: {reason}"));
    };
    let attempts = error.source().map(ToString::to_string).unwrap_or_default();
    let instance = if attempts.contains("could not communicate with IMDS") {
        "does not respond"
    } else if attempts.contains("IMDS disabled") {
        "is disabled"
    } else {
        "has no role"
    };
    let mut reason = format!(
        "there are no access keys, profile, web identity or container credentials in the environment, and the instance \
         metadata service {instance}"
    );
    if let ChainSource::Instance { missing: Some(name) } = chain {
        reason += &format!("; the profile {name} of AWS_PROFILE does not exist or has no credentials");
    }
    Failure::new(FailureCode::InvalidConfiguration, reason)
}

fn of_source(error: &CredentialsError) -> Failure {
    Failure::of(error).explained(|reason| match reason.contains(LOGIN_FEATURE) {
        true => LOGIN.to_owned(),
        false => reason.to_owned(),
    })
}

/// The failure of a call to STS.
pub(super) fn of_sts<E>(error: &SdkError<E>) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(answer) if answer.err().code().is_some() => {
            Failure::of(answer.err().meta()).explained(|reason| format!("STS: {reason}"))
        }
        SdkError::ServiceError(_) => Failure::new(
            FailureCode::ProviderError,
            "STS: the response cannot be understood",
        )
        .or_remedy(check_endpoint),
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => Failure::of(error)
            .explained(|reason| format!("STS cannot be reached: {reason}"))
            .or_remedy(check_endpoint),
        _ => Failure::of(error).explained(|reason| format!("STS: {reason}")),
    }
}

fn check_endpoint(_: &Failure) -> String {
    "Check the network, and the endpoint in aws_sts_endpoint or AWS_ENDPOINT_URL_STS if there is one"
        .to_owned()
}
