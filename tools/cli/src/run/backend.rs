//! AWS or the emulator.

use std::path::Path;

use envoy_bedrock::contract::settings::{CredentialSettings, EnvName};

use super::options::Bedrock;
use crate::blueprint::Blueprint;
use crate::environment::{Environment, SecretPolicy};
use crate::litellm::{self, Tolerance};
use crate::prices::Catalogue;

/// What answers the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backend {
    /// The real thing.
    Aws,
    /// The emulator in this process.
    Emulator(Reason),
}

/// Why it is the emulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// There are no credentials.
    NoCredentials,
    /// Somebody wants it.
    Asked,
}

/// Reads the configuration for what was chosen, or for what there are credentials for.
pub(super) fn choose(
    config: &Path,
    bedrock: Bedrock,
    environment: &Environment,
    prices: &Catalogue,
    tolerance: &Tolerance,
) -> Result<(Blueprint, Backend), Vec<String>> {
    let read = |secrets| litellm::read_or_explain(config, environment, secrets, prices, tolerance);
    match bedrock {
        Bedrock::Aws => Ok((read(SecretPolicy::MustExist)?, Backend::Aws)),
        Bedrock::Emulator => Ok((read(SecretPolicy::Demo)?, Backend::Emulator(Reason::Asked))),
        Bedrock::Auto => {
            let demo = read(SecretPolicy::Demo)?;
            if has_credentials(&demo) {
                return Ok((read(SecretPolicy::MustExist)?, Backend::Aws));
            }
            Ok((demo, Backend::Emulator(Reason::NoCredentials)))
        }
    }
}

/// Whether any deployment has a key: with some but not all of them set, the others are a mistake to be told.
fn has_credentials(blueprint: &Blueprint) -> bool {
    let deployments = blueprint
        .settings
        .models
        .iter()
        .flat_map(|model| &model.deployments);
    deployments
        .flat_map(|deployment| keys(&deployment.credentials))
        .any(|name| !blueprint.missing.contains(name))
}

fn keys(credentials: &CredentialSettings) -> Vec<&EnvName> {
    match credentials {
        CredentialSettings::Sigv4 {
            access_key_id,
            secret_access_key,
            ..
        } => vec![access_key_id, secret_access_key],
        CredentialSettings::Bearer { api_key } => vec![api_key],
    }
}
