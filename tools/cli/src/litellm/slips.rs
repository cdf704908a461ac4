//! Settings that decide whose rights are used, in which region, at which endpoint, for which model: where one is
//! misspelled or stands in the wrong place, LiteLLM ignores it and asks with other rights or in another region than
//! the file says. Here that is an error.

use super::alike::most_alike;
use super::credentials;
use super::error::Problem;
use super::known;
use super::parameters::Parameters;
use super::reader::Reader;
use crate::document::field::{Section, YamlField, quoted};
use crate::document::yaml::YamlValue;
use crate::region;

/// How alike a name has to be (0 to 1) to be taken for a misspelling.
const SIMILAR: f64 = 0.94;

/// The settings of AWS among them: no other section has a meaning for these names.
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

/// The others that decide.
const OTHERS: [&str; 6] = [
    "api_key",
    "api_base",
    "litellm_credential_name",
    "model",
    "model_id",
    "custom_llm_provider",
];

/// The variables of the environment that stand for some of them.
const VARIABLES: [(&str, &str); 5] = [
    ("aws_region_name", "AWS_REGION_NAME"),
    ("aws_access_key_id", "AWS_ACCESS_KEY_ID"),
    ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"),
    ("aws_session_token", "AWS_SESSION_TOKEN"),
    ("aws_bedrock_runtime_endpoint", "AWS_BEDROCK_RUNTIME_ENDPOINT"),
];

/// Names that people write for one of them, as other programs call it.
const SLIPS: [(&str, &[&str]); 12] = [
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
    ("aws_profile_name", &["aws_profile"]),
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

/// Where a setting belongs that stands in a section about all deployments.
const EACH_DEPLOYMENT: &str = "the litellm_params of each deployment";

/// What a name of `litellm_params` or `credential_values` was meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meant {
    /// This.
    Setting(&'static str),
    /// Something of AWS's that LiteLLM does not know.
    OfAws,
}

fn deciding() -> impl Iterator<Item = &'static str> {
    OF_AWS.into_iter().chain(OTHERS)
}

fn meant(name: &str) -> Option<Meant> {
    let is_known = known::LITELLM_PARAMS.fate(name).is_some();
    if is_known || deciding().any(|setting| setting == name) {
        return None;
    }
    let plain = name.to_ascii_lowercase().replace(['-', ' ', '.'], "_");
    let exact = deciding().find(|setting| *setting == plain);
    let listed = SLIPS
        .into_iter()
        .find(|(_, slips)| slips.contains(&plain.as_str()))
        .map(|(setting, _)| setting);
    let alike = || {
        let candidates = deciding().filter(|setting| !setting.starts_with("model"));
        most_alike(candidates, SIMILAR, |setting| {
            strsim::jaro_winkler(setting, &plain)
        })
    };
    match exact.or(listed).or_else(alike) {
        Some(setting) => Some(Meant::Setting(setting)),
        None => plain.starts_with("aws_").then_some(Meant::OfAws),
    }
}

/// Whether `name` decides, or was meant to be a setting that does.
pub(crate) fn decides(name: &str) -> bool {
    deciding().any(|setting| setting == name) || meant(name).is_some()
}

/// Looks for slips among the settings of a deployment and of its credential.
pub(crate) fn check(parameters: &Parameters, reader: &mut Reader<'_>) -> Option<()> {
    let mut sound = Some(());
    for section in parameters.sections() {
        for (name, field) in section.present() {
            let found = match meant(name) {
                None => continue,
                Some(Meant::OfAws) => Problem::UnknownSetting {
                    setting: quoted(name),
                },
                Some(Meant::Setting(setting)) => {
                    if parameters
                        .peek(setting)
                        .is_some_and(|other| is_same(other, field))
                    {
                        continue;
                    }
                    slip(name, setting)
                }
            };
            sound = reader.wrong(&field.location, found);
        }
    }
    sound
}

fn slip(name: &str, setting: &'static str) -> Problem {
    let found = quoted(name);
    if credentials::REFUSED.contains(&setting) {
        return Problem::Unsupported {
            setting: format!("{found} (in LiteLLM {setting})"),
            instead: credentials::INSTEAD,
        };
    }
    Problem::Slip {
        found,
        meant: setting,
    }
}

/// LiteLLM's `region_name` (its chat routes take it for the region, its passthrough route does not; it may also be a
/// part of the world): it must not name another region than the one that is used.
pub(crate) fn check_region_name(
    parameters: &Parameters,
    region: &str,
    reader: &mut Reader<'_>,
) -> Option<()> {
    let Some(field) = parameters.peek("region_name") else {
        return Some(());
    };
    match field.text() {
        Some(text) if region::is_region(text) && text != region => reader.wrong(
            &field.location,
            Problem::Slip {
                found: quoted("region_name"),
                meant: "aws_region_name",
            },
        ),
        _ => Some(()),
    }
}

/// Looks for settings of a deployment that stand beside or beyond its `litellm_params`.
pub(crate) fn check_places(
    entry: &Section,
    info: &Section,
    parameters: &Parameters,
    reader: &mut Reader<'_>,
) -> Option<()> {
    let beside = entry.present().filter(|(name, _)| decides(name));
    // Other names in model_info can be remarks of people.
    let beyond = info.present().filter(|(name, _)| {
        OF_AWS.contains(name) || matches!(*name, "api_key" | "api_base" | "litellm_credential_name")
    });
    let mut sound = Some(());
    for (name, field) in beside.chain(beyond) {
        if parameters.peek(name).is_none_or(|other| !is_same(other, field)) {
            sound = misplaced(name, field, "litellm_params", reader);
        }
    }
    sound
}

/// Looks for settings of deployments in a section that is about all of them.
pub(crate) fn check_settings(section: &Section, reader: &mut Reader<'_>) {
    for (name, field) in section.present() {
        check_section(name, field, reader);
    }
}

/// Looks for a setting of deployments among the sections themselves.
pub(crate) fn check_section(name: &str, field: &YamlField, reader: &mut Reader<'_>) {
    if OF_AWS.contains(&name) {
        misplaced(name, field, EACH_DEPLOYMENT, reader);
    }
}

/// Looks for a setting among `environment_variables`, whose names are variables, so in capitals.
pub(crate) fn check_variable(name: &str, field: &YamlField, reader: &mut Reader<'_>) {
    let variable = VARIABLES.into_iter().find(|(setting, _)| *setting == name);
    if let Some((_, variable)) = variable.filter(|_| !field.is_null()) {
        reader.wrong::<()>(
            &field.location,
            Problem::Slip {
                found: quoted(name),
                meant: variable,
            },
        );
    }
}

/// `router_settings.default_litellm_params`, which LiteLLM lets every deployment have and this gateway does not.
pub(crate) fn check_defaults(router: &Section, reader: &mut Reader<'_>) {
    let defaults = router
        .present()
        .find(|(name, _)| *name == "default_litellm_params");
    let Some(section) = defaults.and_then(|(_, field)| field.section()) else {
        return;
    };
    for (name, field) in section.present().filter(|(name, _)| decides(name)) {
        misplaced(name, field, EACH_DEPLOYMENT, reader);
    }
}

/// Says where the setting belongs. Always `None`.
fn misplaced(name: &str, field: &YamlField, belongs: &'static str, reader: &mut Reader<'_>) -> Option<()> {
    let setting = quoted(name);
    reader.wrong(&field.location, Problem::Misplaced { setting, belongs })
}

fn is_same(one: &YamlField, other: &YamlField) -> bool {
    matches!((&one.node.value, &other.node.value), (YamlValue::Scalar(one), YamlValue::Scalar(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_for_a_setting_is_taken_for_it() {
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
        assert_eq!(meant("aws_quantum_key"), Some(Meant::OfAws));
    }

    #[test]
    fn what_litellm_knows_and_what_nobody_could_mean_is_left_alone() {
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
    fn each_slip_is_listed_once_and_for_a_setting_that_decides() {
        let mut seen = std::collections::BTreeSet::new();
        for (setting, slips) in SLIPS {
            assert!(deciding().any(|known| known == setting), "{setting}");
            for slip in slips {
                assert!(seen.insert(slip), "{slip}");
                assert_eq!(meant(slip), Some(Meant::Setting(setting)), "{slip}");
            }
        }
    }
}
