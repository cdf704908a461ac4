//! Environment variables of AWS's tools and of LiteLLM that are set and have no effect here. Each
//! is noted, so that nobody relies on one.

use super::aws_endpoint::ENDPOINT;
use super::problem::EXPORT_KEYS;
use super::report::Reader;
use crate::document::location::Location;

/// LiteLLM's variables for settings that are refused in `litellm_params`.
const REFUSED: [&str; 5] = [
    "AWS_ROLE_NAME",
    "AWS_PROFILE_NAME",
    "AWS_WEB_IDENTITY_TOKEN",
    "AWS_STS_ENDPOINT",
    "AWS_EXTERNAL_ID",
];

/// Variables for credentials of a kind that this gateway does not support, or for half of a pair.
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

/// Variables for an endpoint that the AWS SDKs read and LiteLLM does not.
const SDK_ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL"];

impl Reader<'_> {
    /// The variables that are set for credentials of an unsupported kind.
    pub(crate) fn unusable_credentials(&self) -> Vec<&'static str> {
        UNUSABLE
            .into_iter()
            .filter(|name| self.variables.is_set(name))
            .collect()
    }

    /// Notes why the demonstration starts although there seem to be AWS credentials.
    pub(crate) fn note_unusable_credentials(&mut self, location: &Location) {
        let names = self.unusable_credentials();
        if !names.is_empty() {
            let names = names.join(", ");
            let text = format!("AWS is not used: the environment has only {names}: {EXPORT_KEYS}");
            self.note(location, text);
        }
    }

    /// Notes variables that are set and have no effect.
    pub(crate) fn note_unused_aws_variables(&mut self, location: &Location) {
        for name in REFUSED {
            if self.variables.is_set(name) {
                let text = format!("the environment variable {name} is ignored: it is not supported yet");
                self.note(location, text);
            }
        }
        if self.variables.is_set(ENDPOINT) {
            return;
        }
        for name in SDK_ENDPOINTS {
            if self.variables.is_set(name) {
                let text = format!(
                    "the environment variable {name} is ignored, as in LiteLLM: set {ENDPOINT} to send requests there"
                );
                self.note(location, text);
            }
        }
    }
}
