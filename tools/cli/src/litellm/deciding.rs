//! Deciding settings: those that say whose rights are used, in which region, at which endpoint, for
//! which model.
//!
//! LiteLLM ignores such a setting where it is misspelled or misplaced, and then uses other rights
//! or another region than the file says. Here that is an error.

use super::known;
use super::similar::most_similar;

/// Similarity (0 to 1) from which a name counts as a misspelling.
const SIMILARITY_MIN: f64 = 0.94;

/// The AWS settings among them. These names have a meaning in no other section.
const OF_AWS: [&str; 12] = [
    "aws_region_name",
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "aws_role_name",
    "aws_profile_name",
    "aws_web_identity_token",
    "aws_sts_endpoint",
    "aws_external_id",
    "aws_session_name",
    "aws_session_tags",
    "aws_bedrock_runtime_endpoint",
];

/// The other deciding settings.
const OTHERS: [&str; 6] = [
    "api_key",
    "api_base",
    "litellm_credential_name",
    "model",
    "model_id",
    "custom_llm_provider",
];

/// Names that people use by mistake, often those of other programs.
const MISTAKES: [(&str, &[&str]); 15] = [
    (
        "aws_region_name",
        &[
            "aws_region",
            "aws_default_region",
            "aws_location",
            "region",
            "bedrock_region",
            "aws_bedrock_region",
        ],
    ),
    (
        "aws_access_key_id",
        &[
            "aws_access_key",
            "aws_access_id",
            "aws_secret_access_id",
            "aws_key_id",
            "aws_key",
            "access_key",
            "access_key_id",
        ],
    ),
    (
        "aws_secret_access_key",
        &[
            "aws_secret_key",
            "aws_secret",
            "aws_access_secret",
            "aws_secret_access_key_id",
            "secret_key",
            "secret_access_key",
        ],
    ),
    (
        "aws_session_token",
        &["aws_token", "aws_security_token", "session_token"],
    ),
    (
        "aws_role_name",
        &[
            "aws_role_arn",
            "aws_role",
            "aws_iam_role",
            "aws_assume_role",
            "aws_assume_role_arn",
            "aws_iam_role_arn",
            "role_arn",
        ],
    ),
    (
        "aws_session_name",
        &["aws_role_session_name", "role_session_name"],
    ),
    ("aws_external_id", &["external_id", "aws_role_external_id"]),
    (
        "aws_web_identity_token",
        &[
            "aws_web_identity_token_file",
            "web_identity_token",
            "web_identity_token_file",
        ],
    ),
    (
        "aws_sts_endpoint",
        &["aws_sts_endpoint_url", "aws_endpoint_url_sts", "sts_endpoint"],
    ),
    ("aws_profile_name", &["aws_profile", "profile_name"]),
    (
        "aws_bedrock_runtime_endpoint",
        &[
            "aws_endpoint",
            "aws_endpoint_url",
            "aws_bedrock_endpoint",
            "aws_bedrock_endpoint_url",
            "bedrock_endpoint",
            "bedrock_runtime_endpoint",
            "endpoint_url",
            "endpoint",
        ],
    ),
    (
        "api_key",
        &[
            "aws_bedrock_api_key",
            "bedrock_api_key",
            "aws_api_key",
            "aws_bearer_token",
            "aws_bearer_token_bedrock",
            "bearer_token",
            "apikey",
        ],
    ),
    (
        "litellm_credential_name",
        &[
            "credential_name",
            "litellm_credential",
            "litellm_credentials",
            "credentials",
        ],
    ),
    ("api_base", &["base_url", "apibase"]),
    ("model_id", &["modelid"]),
];

/// What a misspelled name of `litellm_params` or `credential_values` was meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meant {
    /// This setting.
    Setting(&'static str),
    /// An AWS setting that LiteLLM does not have.
    UnknownAws,
}

fn deciding() -> impl Iterator<Item = &'static str> {
    OF_AWS.into_iter().chain(OTHERS)
}

/// What `name` was meant to be. `None` if it is a known setting or unrelated.
pub(crate) fn meant(name: &str) -> Option<Meant> {
    let is_known = known::LITELLM_PARAMS.fate(name).is_some();
    if is_known || deciding().any(|setting| setting == name) {
        return None;
    }
    let plain = name.to_ascii_lowercase().replace(['-', ' ', '.'], "_");
    let exact = deciding().find(|setting| *setting == plain);
    let listed = MISTAKES
        .into_iter()
        .find(|(_, mistakes)| mistakes.contains(&plain.as_str()))
        .map(|(setting, _)| setting);
    let similar = || {
        let candidates = deciding().filter(|setting| !setting.starts_with("model"));
        most_similar(candidates, SIMILARITY_MIN, |setting| {
            strsim::jaro_winkler(setting, &plain)
        })
    };
    match exact.or(listed).or_else(similar) {
        Some(setting) => Some(Meant::Setting(setting)),
        None => plain.starts_with("aws_").then_some(Meant::UnknownAws),
    }
}

/// Whether `name` is a deciding setting or was meant to be one.
pub(crate) fn decides(name: &str) -> bool {
    deciding().any(|setting| setting == name) || meant(name).is_some()
}

/// Whether `name` is a deciding AWS setting.
pub(crate) fn is_of_aws(name: &str) -> bool {
    OF_AWS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_setting_is_recognised() {
        for (name, setting) in [
            ("aws_region", "aws_region_name"),
            ("AWS_REGION_NAME", "aws_region_name"),
            ("aws-region-name", "aws_region_name"),
            ("aws_reigon_name", "aws_region_name"),
            ("aws_regions_name", "aws_region_name"),
            ("region", "aws_region_name"),
            ("aws_role_arn", "aws_role_name"),
            ("aws_secret_key", "aws_secret_access_key"),
            ("aws_secret_acess_key", "aws_secret_access_key"),
            ("aws_access_key", "aws_access_key_id"),
            ("aws_acces_key_id", "aws_access_key_id"),
            ("aws_bedrock_api_key", "api_key"),
            ("AWS_BEARER_TOKEN_BEDROCK", "api_key"),
            ("api-key", "api_key"),
            ("api_keys", "api_key"),
            ("base_url", "api_base"),
            ("aws_endpoint_url", "aws_bedrock_runtime_endpoint"),
            ("litellm_credentials_name", "litellm_credential_name"),
            ("credential_name", "litellm_credential_name"),
            ("model-id", "model_id"),
        ] {
            assert_eq!(meant(name), Some(Meant::Setting(setting)), "{name}");
        }
        assert_eq!(meant("aws_quantum_key"), Some(Meant::UnknownAws));
    }

    #[test]
    fn known_names_and_unrelated_names_are_left_alone() {
        let known = known::LITELLM_PARAMS.names();
        let others = [
            "mode",
            "model_info",
            "models",
            "region_names_of_people",
            "api_type",
            "id",
            "tags",
            "my_key",
        ];
        for name in known.chain(deciding()).chain(others) {
            assert_eq!(meant(name), None, "{name}");
        }
    }

    #[test]
    fn each_mistake_is_listed_once_and_for_a_deciding_setting() {
        let mut seen = std::collections::BTreeSet::new();
        for (setting, mistakes) in MISTAKES {
            assert!(deciding().any(|known| known == setting), "{setting}");
            for mistake in mistakes {
                assert!(seen.insert(mistake), "{mistake}");
                assert_eq!(meant(mistake), Some(Meant::Setting(setting)), "{mistake}");
            }
        }
    }
}
