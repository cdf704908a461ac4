//! How a deployment's requests are authenticated to AWS.
//!
//! A deployment's own `api_key` (a Bedrock API key) wins over its own access keys; whatever is its own wins over the
//! environment, where `AWS_BEARER_TOKEN_BEDROCK` wins over access keys as in the AWS SDKs. LiteLLM lets that variable
//! win over everything; here a deployment with keys of its own keeps them.

use envoy_bedrock::config::{CredentialSettings, EnvName};
use envoy_bedrock::sigv4::{AccessKeyId, InvalidAccessKeyId};

use super::environment::Secrets;
use super::error::Problem;
use super::parameters::Parameters;
use super::reader::Reader;
use super::variables::Origin;

const ACCESS_KEY_ID: (&str, &str) = ("aws_access_key_id", "AWS_ACCESS_KEY_ID");
const SECRET_ACCESS_KEY: (&str, &str) = ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY");
const SESSION_TOKEN: (&str, &str) = ("aws_session_token", "AWS_SESSION_TOKEN");
const BEARER_TOKEN: &str = "AWS_BEARER_TOKEN_BEDROCK";

/// Settings that say whose rights to use. To ignore one would be to use other rights than the file says.
const REFUSED: [&str; 5] = [
    "aws_role_name",
    "aws_profile_name",
    "aws_web_identity_token",
    "aws_sts_endpoint",
    "aws_external_id",
];

/// The credentials of one deployment.
pub(crate) fn credentials(parameters: &Parameters, reader: &mut Reader<'_>) -> Option<CredentialSettings> {
    let refused: Vec<_> = REFUSED
        .iter()
        .filter_map(|name| Some((*name, parameters.field(name)?)))
        .collect();
    for (name, field) in &refused {
        let instead = "aws_access_key_id and aws_secret_access_key, or api_key";
        let setting = (*name).to_owned();
        reader.wrong::<()>(&field.place, Problem::Unsupported { setting, instead });
    }
    if !refused.is_empty() {
        return None;
    }
    if let Some(api_key) = parameters.field("api_key") {
        for (name, _) in [ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN] {
            if let Some(field) = parameters.field(name) {
                reader.note(&field.place, "not used: api_key goes before it");
            }
        }
        return Some(CredentialSettings::Bearer {
            api_key: reader.secret(&api_key)?,
        });
    }
    let has_own = [ACCESS_KEY_ID, SECRET_ACCESS_KEY]
        .iter()
        .any(|(field, _)| parameters.field(field).is_some());
    if !has_own && reader.variables.value(BEARER_TOKEN).is_some() {
        let api_key = reader.secret_variable(&parameters.place, BEARER_TOKEN)?;
        return Some(CredentialSettings::Bearer { api_key });
    }
    let in_environment = |reader: &Reader<'_>, name| reader.variables.value(name).is_some();
    if !has_own
        && reader.mode == Secrets::MustExist
        && !in_environment(reader, ACCESS_KEY_ID.1)
        && !in_environment(reader, SECRET_ACCESS_KEY.1)
    {
        return reader.wrong(&parameters.place, Problem::NoCredentials);
    }
    signing(parameters, reader)
}

fn signing(parameters: &Parameters, reader: &mut Reader<'_>) -> Option<CredentialSettings> {
    let access_key_id = half(ACCESS_KEY_ID, parameters, reader);
    let access_key_id = access_key_id.and_then(|name| well_formed(name, parameters, reader));
    let secret_access_key = half(SECRET_ACCESS_KEY, parameters, reader);
    let (access_key_id, secret_access_key) = (access_key_id?, secret_access_key?);
    let session_token = match parameters.field(SESSION_TOKEN.0) {
        Some(field) => Some(reader.secret(&field)?),
        None => session_token_of_environment(&access_key_id, &secret_access_key, parameters, reader)?,
    };
    Some(CredentialSettings::Sigv4 {
        access_key_id,
        secret_access_key,
        session_token,
    })
}

/// An access key id that the filter will take; its value is not quoted, since it may be another secret by mistake.
fn well_formed(name: EnvName, parameters: &Parameters, reader: &mut Reader<'_>) -> Option<EnvName> {
    let found = match reader.secret_value(&name).map(AccessKeyId::new) {
        None | Some(Ok(_)) => return Some(name),
        Some(Err(InvalidAccessKeyId::TooLong { .. })) => "a longer one",
        Some(Err(_)) => "another character in it",
    };
    let place = parameters
        .field(ACCESS_KEY_ID.0)
        .map_or_else(|| parameters.place.clone(), |field| field.place);
    reader.unexpected(
        &place,
        "an access key id of up to 128 letters, digits, underscores and hyphens",
        found,
    )
}

/// One of the two keys: the deployment's own, else the environment's.
fn half(
    (field, variable): (&str, &str),
    parameters: &Parameters,
    reader: &mut Reader<'_>,
) -> Option<EnvName> {
    match parameters.field(field) {
        Some(field) => reader.secret(&field),
        None => reader.secret_variable(&parameters.place, variable),
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
        None if keys_in_file || reader.mode != Secrets::MayComeLater => Some(None),
        None => Some(Some(EnvName(SESSION_TOKEN.1.to_owned()))),
        Some(_) => reader
            .secret_variable(&parameters.place, SESSION_TOKEN.1)
            .map(Some),
    }
}
