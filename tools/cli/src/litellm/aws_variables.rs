//! Variables of AWS's tools and of LiteLLM that are set and that this gateway does not use: each is named, so that
//! nobody believes in a setting that has no effect.

use super::error;
use super::reader::Reader;
use crate::document::location::Location;

/// Variables by which LiteLLM takes settings from the environment that `litellm_params` must not have here.
const REFUSED: [&str; 5] = [
    "AWS_ROLE_NAME",
    "AWS_PROFILE_NAME",
    "AWS_WEB_IDENTITY_TOKEN",
    "AWS_STS_ENDPOINT",
    "AWS_EXTERNAL_ID",
];

/// Variables that lead to credentials by ways that this gateway does not go, or that are half of a way.
const UNUSABLE: [&str; 16] = [
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_PROFILE_NAME",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONFIG_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_WEB_IDENTITY_TOKEN",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_BEDROCK_API_KEY",
];

/// Variables by which the AWS SDKs, but not LiteLLM, take an endpoint.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL"];
/// The one that LiteLLM takes.
pub(crate) const ENDPOINT: &str = "AWS_BEDROCK_RUNTIME_ENDPOINT";

/// What is set that could lead to credentials elsewhere and does not here.
pub(crate) fn unusable(reader: &Reader<'_>) -> Vec<&'static str> {
    UNUSABLE
        .into_iter()
        .filter(|name| reader.variables.value(name).is_some())
        .collect()
}

/// Notes why there is a demonstration where somebody may have expected AWS.
pub(crate) fn note_unusable(location: &Location, reader: &mut Reader<'_>) {
    let names = unusable(reader);
    if !names.is_empty() {
        let names = names.join(", ");
        reader.note(
            location,
            format!(
                "AWS is not asked: the environment has only {names}, {}",
                error::UNUSABLE
            ),
        );
    }
}

/// Notes what is set and has no effect.
pub(crate) fn note_unused(location: &Location, reader: &mut Reader<'_>) {
    for name in REFUSED {
        if reader.variables.value(name).is_some() {
            reader.note(
                location,
                format!("the environment variable {name} is set, but not supported yet: it is ignored"),
            );
        }
    }
    if reader.variables.value(ENDPOINT).is_some() {
        return;
    }
    for name in ENDPOINTS {
        if reader.variables.value(name).is_some() {
            let text = format!(
                "the environment variable {name} is set, but LiteLLM does not use it, and neither does this gateway: \
                 set {ENDPOINT} to send requests there"
            );
            reader.note(location, text);
        }
    }
}
