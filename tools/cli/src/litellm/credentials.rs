//! How a deployment's requests are authenticated to AWS.
//!
//! A deployment's own `api_key` (a Bedrock API key) wins over its own access keys; whatever is its own wins over the
//! environment, where `AWS_BEARER_TOKEN_BEDROCK` wins over access keys as in the AWS SDKs. LiteLLM lets that variable
//! win over everything; here a deployment with keys of its own keeps them.

use envoy_bedrock::contract::settings::{CredentialSettings, EnvName};
use envoy_bedrock::sigv4::{AccessKeyId, InvalidAccessKeyId};

use super::aws_variables;
use super::error::Problem;
use super::parameters::Parameters;
use super::reader::Reader;
use crate::document::field::YamlField;
use crate::document::variables::Origin;
use crate::environment::SecretPolicy;

const ACCESS_KEY_ID: (&str, &str) = ("aws_access_key_id", "AWS_ACCESS_KEY_ID");
const SECRET_ACCESS_KEY: (&str, &str) = ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY");
const SESSION_TOKEN: (&str, &str) = ("aws_session_token", "AWS_SESSION_TOKEN");
/// How the ids of temporary keys begin, which work with their session token only.
const TEMPORARY: &str = "ASIA";
const BEARER_TOKEN: &str = "AWS_BEARER_TOKEN_BEDROCK";

/// Settings that say whose rights to use. To ignore one would be to use other rights than the file says.
pub(crate) const REFUSED: [&str; 5] = [
    "aws_role_name",
    "aws_profile_name",
    "aws_web_identity_token",
    "aws_sts_endpoint",
    "aws_external_id",
];

/// What to use in their place.
pub(crate) const INSTEAD: &str = "aws_access_key_id and aws_secret_access_key, or api_key";

/// The credentials of one deployment.
pub(crate) fn credentials(parameters: &Parameters, reader: &mut Reader<'_>) -> Option<CredentialSettings> {
    let refused: Vec<_> = REFUSED
        .iter()
        .filter_map(|name| Some((*name, parameters.field(name)?)))
        .collect();
    for (name, field) in &refused {
        let setting = (*name).to_owned();
        reader.wrong::<()>(
            &field.location,
            Problem::Unsupported {
                setting,
                instead: INSTEAD,
            },
        );
    }
    if !refused.is_empty() {
        return None;
    }
    let keys = Keys::of(parameters);
    if let Some(api_key) = api_key(parameters) {
        for (name, _) in [ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN] {
            if let Some(field) = parameters.field(name) {
                reader.note(&field.location, "not used: api_key goes before it");
            }
        }
        return Some(CredentialSettings::Bearer {
            api_key: reader.secret(&api_key)?,
        });
    }
    let has_own = keys.access_key_id.is_some() || keys.secret_access_key.is_some();
    if !has_own && reader.variables.value(BEARER_TOKEN).is_some() {
        let api_key = reader.secret_variable(&parameters.location, BEARER_TOKEN)?;
        return Some(CredentialSettings::Bearer { api_key });
    }
    let in_environment = |reader: &Reader<'_>, name| reader.variables.value(name).is_some();
    if !has_own && !in_environment(reader, ACCESS_KEY_ID.1) && !in_environment(reader, SECRET_ACCESS_KEY.1) {
        if reader.mode == SecretPolicy::MustExist {
            let unusable = aws_variables::unusable(reader);
            return reader.wrong(&parameters.location, Problem::NoCredentials { unusable });
        }
        if reader.mode == SecretPolicy::Demo {
            aws_variables::note_unusable(&parameters.location.whole_file(), reader);
        }
    }
    signing(keys, parameters, reader)
}

/// The deployment's own API key, else its credential's, unless the deployment has access keys of its own.
fn api_key(parameters: &Parameters) -> Option<YamlField> {
    let shared = parameters.shared("api_key");
    let has_keys = [ACCESS_KEY_ID, SECRET_ACCESS_KEY]
        .iter()
        .any(|(name, _)| parameters.own().field(name).is_some());
    parameters.own().field("api_key").or(shared.filter(|_| !has_keys))
}

/// The keys of the file, which belong together.
struct Keys {
    access_key_id: Option<YamlField>,
    secret_access_key: Option<YamlField>,
    session_token: Option<YamlField>,
}

impl Keys {
    /// The deployment's own pair, else its credential's. Halves are joined only where each of the two has one: half of a
    /// pair with half of another makes signatures that AWS refuses.
    fn of(parameters: &Parameters) -> Self {
        let own = |(name, _): (&str, &str)| parameters.own().field(name);
        let shared = |(name, _): (&str, &str)| parameters.shared(name);
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
        Keys {
            access_key_id,
            secret_access_key,
            session_token: own_token.or(shared_token.filter(|_| !(has_own && shares_any))),
        }
    }
}

fn signing(keys: Keys, parameters: &Parameters, reader: &mut Reader<'_>) -> Option<CredentialSettings> {
    let Keys {
        access_key_id: id,
        secret_access_key: secret,
        session_token,
    } = keys;
    let access_key_id = half(
        id.as_ref(),
        ACCESS_KEY_ID,
        secret.as_ref(),
        SECRET_ACCESS_KEY,
        parameters,
        reader,
    );
    let access_key_id = access_key_id.and_then(|name| well_formed(name, id.as_ref(), parameters, reader));
    let secret_access_key = half(
        secret.as_ref(),
        SECRET_ACCESS_KEY,
        id.as_ref(),
        ACCESS_KEY_ID,
        parameters,
        reader,
    );
    let (access_key_id, secret_access_key) = (access_key_id?, secret_access_key?);
    let session_token = match session_token {
        Some(field) => session_token_of_file(&field, &access_key_id, reader)?,
        None => session_token_of_environment(&access_key_id, &secret_access_key, parameters, reader)?,
    };
    Some(CredentialSettings::Sigv4 {
        access_key_id,
        secret_access_key,
        session_token,
    })
}

/// The session token that the file names. LiteLLM does without one whose variable is not set; that is right for keys
/// that are not temporary.
#[expect(
    clippy::option_option,
    reason = "outside: an error was reported; inside: there is no token"
)]
fn session_token_of_file(
    field: &YamlField,
    access_key_id: &EnvName,
    reader: &mut Reader<'_>,
) -> Option<Option<EnvName>> {
    let variable = field.text().and_then(|text| text.strip_prefix("os.environ/"));
    let unset = variable.filter(|name| !name.is_empty() && reader.variables.value(name).is_none());
    let is_temporary = reader
        .secret_value(access_key_id)
        .is_some_and(|id| id.starts_with(TEMPORARY));
    match unset {
        Some(name) if reader.mode == SecretPolicy::MustExist && !is_temporary => {
            let text = format!("{name} is not set: requests are signed without a session token");
            reader.note(&field.location, text);
            Some(None)
        }
        _ => reader.secret(field).map(Some),
    }
}

/// An access key id that the filter will take; its value is not quoted, since it may be another secret by mistake.
fn well_formed(
    name: EnvName,
    field: Option<&YamlField>,
    parameters: &Parameters,
    reader: &mut Reader<'_>,
) -> Option<EnvName> {
    let found = match reader.secret_value(&name).map(AccessKeyId::new) {
        None | Some(Ok(_)) => return Some(name),
        Some(Err(InvalidAccessKeyId::TooLong { .. })) => "a longer one",
        Some(Err(_)) => "another character in it",
    };
    reader.unexpected(
        field.map_or(&parameters.location, |field| &field.location),
        "an access key id of up to 128 letters, digits, underscores and hyphens",
        found,
    )
}

/// One of the two keys: the file's, else the environment's. LiteLLM takes each from where it finds it. Here a key of the
/// file goes with one of the environment only where the file's refers to the environment's other half.
fn half(
    field: Option<&YamlField>,
    (name, variable): (&'static str, &str),
    other: Option<&YamlField>,
    (_, others_variable): (&str, &str),
    parameters: &Parameters,
    reader: &mut Reader<'_>,
) -> Option<EnvName> {
    if let Some(field) = field {
        return reader.secret(field);
    }
    match other {
        Some(other) if other.text() != Some(&format!("os.environ/{others_variable}")) => reader.wrong(
            &other.location,
            Problem::Missing {
                expected: match name {
                    "aws_access_key_id" => "an aws_access_key_id beside this aws_secret_access_key",
                    _ => "an aws_secret_access_key beside this aws_access_key_id",
                },
            },
        ),
        _ => reader.secret_variable(&parameters.location, variable),
    }
}

/// The session token that belongs to keys in AWS's own variables, whether the file names them or not; with other keys
/// it would make every signature invalid. The shell that renders for another process says nothing about that one's, so
/// there the variable is named in any case: the filter takes one that is not set for keys without a token.
#[expect(
    clippy::option_option,
    reason = "outside: an error was reported; inside: there is no token"
)]
fn session_token_of_environment(
    access_key_id: &EnvName,
    secret_access_key: &EnvName,
    parameters: &Parameters,
    reader: &mut Reader<'_>,
) -> Option<Option<EnvName>> {
    if access_key_id.0 != ACCESS_KEY_ID.1 || secret_access_key.0 != SECRET_ACCESS_KEY.1 {
        return Some(None);
    }
    let keys_in_file = matches!(
        reader.variables.origin(ACCESS_KEY_ID.1),
        Some(Origin::File { .. })
    );
    match reader.variables.origin(SESSION_TOKEN.1) {
        Some(Origin::Process { .. }) if keys_in_file => Some(None),
        None if keys_in_file || reader.mode != SecretPolicy::MayComeLater => Some(None),
        None => Some(Some(EnvName(SESSION_TOKEN.1.to_owned()))),
        Some(_) => reader
            .secret_variable(&parameters.location, SESSION_TOKEN.1)
            .map(Some),
    }
}
