//! AWS's shared files, `~/.aws/config` and `~/.aws/credentials`, as far as it matters which
//! profiles have credentials. AWS's crates read them for everything else.

use std::path::PathBuf;

use crate::environment::Environment;

/// Settings of which every profile with credentials has at least one.
const OF_CREDENTIALS: [&str; 7] = [
    "aws_access_key_id",
    "role_arn",
    "credential_process",
    "sso_session",
    "sso_start_url",
    "sso_account_id",
    "login_session",
];

/// Whether the shared files say where the credentials of the profile `name` come from. A profile
/// that has only a region or an output format does not count.
pub(super) fn has_credentials(name: &str, environment: &Environment) -> bool {
    let home = environment.value("HOME").map(PathBuf::from);
    let shared = |variable: &str, file: &str| {
        let named = environment.value(variable).map(PathBuf::from);
        named.or_else(|| Some(home.as_ref()?.join(".aws").join(file)))
    };
    let files = [
        shared("AWS_CONFIG_FILE", "config"),
        shared("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
    ];
    files
        .into_iter()
        .flatten()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .any(|text| settings(&text, name).any(|setting| OF_CREDENTIALS.contains(&setting)))
}

/// The names of the settings of the profile `name` in a shared file.
fn settings<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let mut is_inside = false;
    text.lines().filter_map(move |line| {
        if let Some(section) = line.trim().strip_prefix('[') {
            let section = section.split(']').next().unwrap_or_default().trim();
            is_inside = section.trim_start_matches("profile ").trim() == name;
            return None;
        }
        let (setting, _) = line.split_once('=')?;
        is_inside.then(|| setting.trim_end())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_found_in_either_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(path("config"), "[profile team]\nsso_session = x\n").unwrap();
        std::fs::write(path("credentials"), "[ default ]\naws_access_key_id=x\n").unwrap();
        let with =
            |variables: &[(&str, &str)], name| has_credentials(name, &variables.iter().copied().collect());
        let (config, credentials) = (path("config"), path("credentials"));
        let both = [
            ("AWS_CONFIG_FILE", config.as_str()),
            ("AWS_SHARED_CREDENTIALS_FILE", &credentials),
        ];
        assert!(with(&both, "team") && with(&both, "default"));
        assert!(!with(&both[..1], "default") && !with(&both[1..], "team"));
        assert!(!with(&[], "team"));
    }

    #[test]
    fn a_profile_without_a_source_of_credentials_has_none() {
        let text = "[default]\nregion = us-west-2\ns3 =\n  role_arn = nested\n[sso-session default]\nsso_start_url = x\n\
                    [profile other]\nrole_arn = x\n# sso_session = x\n";
        assert_eq!(
            settings(text, "default").collect::<Vec<_>>(),
            ["region", "s3", "  role_arn"]
        );
        assert_eq!(
            settings(text, "other").collect::<Vec<_>>(),
            ["role_arn", "# sso_session"]
        );
    }
}
