//! Chooses between AWS and the emulator.

use std::path::Path;

use envoy_bedrock::contract::settings::{CredentialSettings, EnvName};

use super::error::RunError;
use super::options::Bedrock;
use crate::blueprint::Blueprint;
use crate::credentials;
use crate::environment::{Environment, SecretPolicy};
use crate::litellm::{self, Tolerance};
use crate::prices::PriceList;

/// What responds to requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backend {
    /// Amazon Bedrock.
    Aws,
    /// The emulator in this process.
    Emulator(Reason),
}

/// Why the emulator is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// No credentials were found.
    NoCredentials,
    /// The user asked for it.
    Asked,
}

/// Reads the configuration for the chosen backend, or for the one that the credentials permit.
pub(super) fn choose(
    config: &Path,
    bedrock: Bedrock,
    environment: &Environment,
    prices: &PriceList,
    tolerance: &Tolerance,
) -> Result<(Blueprint, Backend), RunError> {
    let read = |secrets| {
        litellm::read_or_explain(config, environment, secrets, prices, tolerance)
            .map_err(RunError::Configuration)
    };
    match bedrock {
        Bedrock::Aws => Ok((read(SecretPolicy::MustExist)?, Backend::Aws)),
        Bedrock::Emulator => {
            let demo = read(SecretPolicy::Demo)?;
            Ok((demo, Backend::Emulator(Reason::Asked)))
        }
        Bedrock::Auto => {
            let demo = read(SecretPolicy::Demo)?;
            if has_credentials(&demo) || has_source(&demo, environment) {
                return Ok((read(SecretPolicy::MustExist)?, Backend::Aws));
            }
            Ok((demo, Backend::Emulator(Reason::NoCredentials)))
        }
    }
}

/// Whether any deployment has a key. If only some have, the missing ones are a mistake to report.
pub(super) fn has_credentials(blueprint: &Blueprint) -> bool {
    blueprint
        .settings
        .deployments()
        .flat_map(|deployment| keys(&deployment.credentials))
        .any(|name| !blueprint.missing.contains(name))
}

/// Whether a credential that has to be fetched can probably be obtained.
fn has_source(blueprint: &Blueprint, environment: &Environment) -> bool {
    let is_set = |name: &str| {
        let name = EnvName(name.to_owned());
        blueprint.secrets.contains_key(&name) || environment.value(&name.0).is_some()
    };
    credentials::is_likely(&blueprint.brokered, environment, is_set)
}

fn keys(credentials: &CredentialSettings) -> Vec<&EnvName> {
    match credentials {
        CredentialSettings::Sigv4(keys)
        | CredentialSettings::Brokered {
            environment: Some(keys),
            ..
        } => vec![&keys.access_key_id, &keys.secret_access_key],
        CredentialSettings::Brokered {
            environment: None, ..
        } => Vec::new(),
        CredentialSettings::Bearer { api_key } => vec![api_key],
    }
}
