//! The credentials with which a deployment's requests are authenticated to AWS.
//!
//! What a deployment says itself, or its entry of `credential_list`, takes precedence over the
//! environment. Among its settings the order is `api_key`, then LiteLLM's: web identity, role,
//! profile, access keys. In the environment it is `AWS_BEARER_TOKEN_BEDROCK`, as in the AWS SDKs,
//! LiteLLM's own variables (`AWS_ROLE_NAME` …), access keys, and last what the AWS SDKs find by
//! themselves. In LiteLLM, variables take precedence over some settings of the file.

use envoy_bedrock::contract::settings::{AccessKeyNames, CredentialSettings, EnvName};

use super::access_keys::{ACCESS_KEY_ID, AccessKeys, SECRET_ACCESS_KEY, SESSION_TOKEN};
use super::entry::ModelListEntry;
use super::identity::{IDENTITIES, OF_ROLES};
use crate::credentials::CredentialSource;
use crate::document::field::YamlField;
use crate::document::reader::Read;
use crate::document::variables::Origin;
use crate::environment::SecretPolicy;

const BEARER_TOKEN: &str = "AWS_BEARER_TOKEN_BEDROCK";

/// How a deployment is authenticated.
pub(crate) struct DraftCredentials {
    /// The filter's settings.
    pub settings: CredentialSettings,
    /// Where the broker gets the credentials from. With the emulator, the settings are made up, and
    /// this is what AWS would require.
    pub source: Option<CredentialSource>,
}

impl DraftCredentials {
    fn in_environment(settings: CredentialSettings) -> Self {
        Self {
            settings,
            source: None,
        }
    }
}

impl ModelListEntry<'_, '_> {
    /// The credentials of the deployment.
    pub(crate) fn credentials(&mut self) -> Read<DraftCredentials> {
        let keys = AccessKeys::of(&self.parameters);
        if let Some(api_key) = self.api_key() {
            let others = [ACCESS_KEY_ID.0, SECRET_ACCESS_KEY.0, SESSION_TOKEN.0];
            for name in others.into_iter().chain(IDENTITIES).chain(OF_ROLES) {
                if let Some(field) = self.parameters.field(name) {
                    self.reader
                        .note(&field.location, "not used: api_key takes precedence");
                }
            }
            let api_key = self.reader.secret(&api_key)?;
            return Ok(DraftCredentials::in_environment(CredentialSettings::Bearer {
                api_key,
            }));
        }
        self.note_unused_role_settings();
        if self.names_identity() {
            let (source, id) = self.identity(keys)?;
            return self.brokered(source, id);
        }
        if keys.has_pair_or_half() {
            let keys = self.access_keys(keys)?;
            return Ok(DraftCredentials::in_environment(CredentialSettings::Sigv4(keys)));
        }
        if self.reader.variables.is_set(BEARER_TOKEN) {
            let api_key = self.secret_variable(BEARER_TOKEN)?;
            return Ok(DraftCredentials::in_environment(CredentialSettings::Bearer {
                api_key,
            }));
        }
        if self.environment_names_identity() {
            let (source, id) = self.identity(keys)?;
            return self.brokered(source, id);
        }
        self.default_chain(keys)
    }

    /// The deployment's own API key, else that of its credential, unless the deployment has other
    /// credentials of its own.
    fn api_key(&self) -> Option<YamlField> {
        let shared = self.parameters.shared("api_key");
        let own = self.parameters.own();
        let has_others = [ACCESS_KEY_ID.0, SECRET_ACCESS_KEY.0]
            .into_iter()
            .chain(IDENTITIES)
            .any(|name| own.field(name).is_some());
        own.field("api_key").or(shared.filter(|_| !has_others))
    }

    /// The credentials of a deployment that names none: access keys of the environment, else what
    /// the AWS SDKs find by themselves. `render` does not know the environment of the gateway, so
    /// it permits both.
    fn default_chain(&mut self, keys: AccessKeys) -> Read<DraftCredentials> {
        let (source, id) = self.chain();
        let variables = [ACCESS_KEY_ID.1, SECRET_ACCESS_KEY.1];
        let has_keys = variables.iter().any(|name| self.reader.variables.is_set(name));
        let is_in_file = |name: &&str| {
            let origin = self.reader.variables.origin(name);
            matches!(origin, Some(Origin::File { .. }))
        };
        match self.reader.policy {
            SecretPolicy::MayComeLater if !variables.iter().any(is_in_file) => Ok(DraftCredentials {
                settings: CredentialSettings::Brokered {
                    id,
                    bearer: false,
                    environment: Some(environment_keys()),
                },
                source: Some(source),
            }),
            SecretPolicy::MustExist if !has_keys => self.brokered(source, id),
            SecretPolicy::Demo if !has_keys => {
                let file = self.parameters.location.whole_file();
                self.reader.note_unusable_credentials(&file);
                self.brokered(source, id)
            }
            _ => {
                let keys = self.access_keys(keys)?;
                Ok(DraftCredentials::in_environment(CredentialSettings::Sigv4(keys)))
            }
        }
    }

    /// The credentials of `source`, or made-up access keys for the emulator.
    fn brokered(&mut self, source: CredentialSource, id: String) -> Read<DraftCredentials> {
        let settings = match self.reader.policy {
            SecretPolicy::Demo => {
                let none = AccessKeys::default();
                CredentialSettings::Sigv4(self.access_keys(none)?)
            }
            SecretPolicy::MustExist | SecretPolicy::MayComeLater => CredentialSettings::Brokered {
                id,
                bearer: false,
                environment: None,
            },
        };
        Ok(DraftCredentials {
            settings,
            source: Some(source),
        })
    }
}

/// AWS's own variables for an access key.
fn environment_keys() -> AccessKeyNames {
    let [id, secret, token] = [ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN];
    let name = |(_, variable): (&str, &str)| EnvName(variable.to_owned());
    AccessKeyNames {
        access_key_id: name(id),
        secret_access_key: name(secret),
        session_token: Some(name(token)),
    }
}
