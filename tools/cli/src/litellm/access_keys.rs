//! Access keys: pairs of an access key id and a secret, of the file or of the environment.

use envoy_bedrock::contract::settings::{AccessKeyNames, EnvName};
use envoy_bedrock::sigv4::{AccessKeyId, InvalidAccessKeyId};

use super::entry::ModelListEntry;
use super::parameters::Parameters;
use crate::document::field::YamlField;
use crate::document::reader::Read;
use crate::document::variables::{Origin, REFERENCE};
use crate::environment::SecretPolicy;

/// A credential: its setting and its environment variable.
type Names = (&'static str, &'static str);

pub(super) const ACCESS_KEY_ID: Names = ("aws_access_key_id", "AWS_ACCESS_KEY_ID");
pub(super) const SECRET_ACCESS_KEY: Names = ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY");
pub(super) const SESSION_TOKEN: Names = ("aws_session_token", "AWS_SESSION_TOKEN");
/// How the ids of temporary access keys start. Those work only with their session token.
const TEMPORARY_PREFIX: &str = "ASIA";

/// The access keys of the file that a deployment uses.
#[derive(Default)]
pub(super) struct AccessKeys {
    access_key_id: Option<YamlField>,
    secret_access_key: Option<YamlField>,
    session_token: Option<YamlField>,
}

impl AccessKeys {
    /// The deployment's own pair, else that of its credential. Half a pair of the one is completed
    /// with half a pair of the other only if neither is whole: AWS refuses a mixed pair.
    pub(super) fn of(parameters: &Parameters) -> Self {
        let own = |(name, _): Names| parameters.own().field(name);
        let shared = |(name, _): Names| parameters.shared(name);
        let (own_id, own_secret) = (own(ACCESS_KEY_ID), own(SECRET_ACCESS_KEY));
        let (shared_id, shared_secret) = (shared(ACCESS_KEY_ID), shared(SECRET_ACCESS_KEY));
        let (own_token, shared_token) = (own(SESSION_TOKEN), shared(SESSION_TOKEN));
        let has_own = own_id.is_some() || own_secret.is_some();
        let shares_pair = shared_id.is_some() && shared_secret.is_some();
        let shares_any = shared_id.is_some() || shared_secret.is_some();
        let (access_key_id, secret_access_key) = match (own_id, own_secret) {
            (None, None) => (shared_id, shared_secret),
            (Some(id), None) if !shares_pair => (Some(id), shared_secret),
            (None, Some(secret)) if !shares_pair => (shared_id, Some(secret)),
            own => own,
        };
        AccessKeys {
            access_key_id,
            secret_access_key,
            session_token: own_token.or(shared_token.filter(|_| !(has_own && shares_any))),
        }
    }

    /// Whether the file has an access key, or half of one.
    pub(super) fn has_pair_or_half(&self) -> bool {
        self.access_key_id.is_some() || self.secret_access_key.is_some()
    }
}

impl ModelListEntry<'_, '_> {
    /// The variables with the access key: that of the file, else that of the environment.
    pub(super) fn access_keys(&mut self, keys: AccessKeys) -> Read<AccessKeyNames> {
        let (id, secret) = (keys.access_key_id.as_ref(), keys.secret_access_key.as_ref());
        let access_key_id = self
            .half_of_pair(id, ACCESS_KEY_ID, secret, SECRET_ACCESS_KEY)
            .and_then(|name| self.well_formed(name, id));
        let secret_access_key = self.half_of_pair(secret, SECRET_ACCESS_KEY, id, ACCESS_KEY_ID);
        let (access_key_id, secret_access_key) = (access_key_id?, secret_access_key?);
        let session_token = match keys.session_token {
            Some(field) => self.session_token_of_file(&field, &access_key_id)?,
            None => self.session_token_of_environment(&access_key_id, &secret_access_key)?,
        };
        Ok(AccessKeyNames {
            access_key_id,
            secret_access_key,
            session_token,
        })
    }

    /// One of the two access keys: that of the file, else that of the environment. LiteLLM combines
    /// keys of both. Here a key of the environment completes one of the file only if the latter
    /// refers to the environment's other key.
    fn half_of_pair(
        &mut self,
        field: Option<&YamlField>,
        (name, variable): Names,
        other: Option<&YamlField>,
        (_, other_variable): Names,
    ) -> Read<EnvName> {
        if let Some(field) = field {
            return self.reader.secret(field);
        }
        let refers_to_environment = |field: &YamlField| {
            field.text().and_then(|text| text.strip_prefix(REFERENCE)) == Some(other_variable)
        };
        match other {
            Some(other) if !refers_to_environment(other) => {
                let what = match name {
                    "aws_access_key_id" => "aws_access_key_id, which this aws_secret_access_key needs",
                    _ => "aws_secret_access_key, which this aws_access_key_id needs",
                };
                Err(self.reader.missing_field(&other.location, what))
            }
            _ => self.secret_variable(variable),
        }
    }

    /// An access key id that the filter accepts. Its value is not quoted: another secret could be
    /// in its place by mistake.
    fn well_formed(&mut self, name: EnvName, field: Option<&YamlField>) -> Read<EnvName> {
        let found = match self.reader.secret_value(&name).map(AccessKeyId::new) {
            None | Some(Ok(_)) => return Ok(name),
            Some(Err(InvalidAccessKeyId::TooLong { .. })) => "a longer string",
            Some(Err(_)) => "another character",
        };
        let location = field.map_or(&self.parameters.location, |field| &field.location);
        let expected = "an access key id of up to 128 letters, digits, underscores and hyphens";
        Err(self.reader.unexpected(location, expected, found))
    }

    /// The session token that the file names. LiteLLM signs without one if its variable is not set,
    /// which is right for keys that are not temporary.
    fn session_token_of_file(&mut self, field: &YamlField, access_key_id: &EnvName) -> Read<Option<EnvName>> {
        let unset = field
            .text()
            .and_then(|text| text.strip_prefix(REFERENCE))
            .filter(|name| !name.is_empty() && !self.reader.variables.is_set(name));
        let is_temporary = self
            .reader
            .secret_value(access_key_id)
            .is_some_and(|id| id.starts_with(TEMPORARY_PREFIX));
        match unset {
            Some(name) if self.reader.policy == SecretPolicy::MustExist && !is_temporary => {
                let text = format!("{name} is not set: requests are signed without a session token");
                self.reader.note(&field.location, text);
                Ok(None)
            }
            _ => self.reader.secret(field).map(Some),
        }
    }

    /// The session token for keys in AWS's own variables, whether or not the file refers to those.
    /// With other keys it would invalidate every signature. `render` does not know the environment
    /// of the gateway, so it always names the variable: the filter accepts that it is not set.
    fn session_token_of_environment(
        &mut self,
        access_key_id: &EnvName,
        secret_access_key: &EnvName,
    ) -> Read<Option<EnvName>> {
        if access_key_id.0 != ACCESS_KEY_ID.1 || secret_access_key.0 != SECRET_ACCESS_KEY.1 {
            return Ok(None);
        }
        let variables = &self.reader.variables;
        let keys_in_file = matches!(variables.origin(ACCESS_KEY_ID.1), Some(Origin::File { .. }));
        match variables.origin(SESSION_TOKEN.1) {
            Some(Origin::Process { .. }) if keys_in_file => Ok(None),
            None if keys_in_file || self.reader.policy != SecretPolicy::MayComeLater => Ok(None),
            None => Ok(Some(EnvName(SESSION_TOKEN.1.to_owned()))),
            Some(_) => self.secret_variable(SESSION_TOKEN.1).map(Some),
        }
    }

    /// The secret in the variable `name`.
    pub(super) fn secret_variable(&mut self, name: &str) -> Read<EnvName> {
        self.reader.secret_variable(&self.parameters.location, name)
    }
}
