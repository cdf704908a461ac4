//! Environment variables of AWS's tools and of LiteLLM that are set and have no effect here. Each
//! is noted, so that nobody relies on one.

use super::aws_endpoint::ENDPOINT;
use super::report::Reader;
use crate::document::location::Location;

/// Variables that look like credentials and are not, or that are half of a pair.
const UNUSABLE: [&str; 5] = [
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_BEDROCK_API_KEY",
];

/// Variables for an endpoint that the AWS SDKs read and LiteLLM does not.
const SDK_ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL"];

impl Reader<'_> {
    /// Notes why the demonstration starts although there seem to be AWS credentials.
    pub(crate) fn note_unusable_credentials(&mut self, location: &Location) {
        let is_set = |name: &&str| self.variables.is_set(name);
        let names: Vec<&str> = UNUSABLE.into_iter().filter(is_set).collect();
        if !names.is_empty() {
            let text = format!(
                "AWS is not used: the environment has only {}, which is not enough",
                names.join(", ")
            );
            self.note(location, text);
        }
    }

    /// Notes variables that are set and have no effect.
    pub(crate) fn note_unused_aws_variables(&mut self, location: &Location) {
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
