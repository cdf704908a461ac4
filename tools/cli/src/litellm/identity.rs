//! Identities that are exchanged for temporary credentials: roles, web identities and profiles.
//!
//! A parameter that is missing comes from LiteLLM's variable for it, such as `AWS_SESSION_NAME`. A
//! deployment without any credentials also takes the identity itself from there (`AWS_ROLE_NAME`).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use http::Uri;
use sha2::{Digest, Sha256};

use super::access_keys::AccessKeys;
use super::entry::ModelListEntry;
use crate::credentials::{AssumedRole, CredentialSource, WebIdentityToken};
use crate::document::field::{YamlField, quoted};
use crate::document::location::Location;
use crate::document::reader::Read;
use crate::document::variables::{Origin, REFERENCE};
use crate::document::yaml::{YamlNode, YamlValue};
use crate::environment::SecretPolicy;

const ROLE: &str = "aws_role_name";
const PROFILE: &str = "aws_profile_name";
const TOKEN: &str = "aws_web_identity_token";
const SESSION_NAME: &str = "aws_session_name";
const SESSION_TAGS: &str = "aws_session_tags";
const EXTERNAL_ID: &str = "aws_external_id";
const STS_ENDPOINT: &str = "aws_sts_endpoint";

/// The settings that each name an identity.
pub(super) const IDENTITIES: [&str; 3] = [TOKEN, ROLE, PROFILE];
/// The settings that say how a role is assumed.
pub(super) const OF_ROLES: [&str; 4] = [SESSION_NAME, SESSION_TAGS, EXTERNAL_ID, STS_ENDPOINT];

/// Variables of the AWS SDKs for a profile, and for a role with its token and session name.
const CHAIN_PROFILE: &str = "AWS_PROFILE";
const CHAIN_WEB_IDENTITY: [&str; 3] = [
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_SESSION_NAME",
];
/// Beginnings of the variables that only the AWS SDKs read, for credentials.
pub(super) const OF_SDKS: [&str; 6] = [
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_",
    "AWS_EC2_METADATA_",
    "AWS_ENDPOINT_URL",
    "AWS_CA_BUNDLE",
];

impl ModelListEntry<'_, '_> {
    /// Whether the deployment or its credential names an identity.
    pub(super) fn names_identity(&self) -> bool {
        IDENTITIES
            .iter()
            .any(|name| self.parameters.peek(name).is_some_and(|field| !field.is_null()))
    }

    /// Whether LiteLLM's variables name an identity.
    pub(super) fn environment_names_identity(&self) -> bool {
        IDENTITIES
            .iter()
            .any(|name| self.reader.variables.is_set(&name.to_ascii_uppercase()))
    }

    /// The default credential chain, and the broker's name for it. LiteLLM exports variables
    /// that the file assigns, but AWS's crates read the process's environment only. So the chain's
    /// own variables are followed here, in its order.
    pub(super) fn chain(&self) -> (CredentialSource, String) {
        let assigned = |name| match self.reader.variables.origin(name) {
            Some(Origin::File { value, .. }) => Some((name, value.to_owned())),
            _ => None,
        };
        if let Some(profile) = assigned(CHAIN_PROFILE) {
            let id = credential_id(std::slice::from_ref(&profile));
            return (CredentialSource::Profile(profile.1), id);
        }
        let [role, token, session] = CHAIN_WEB_IDENTITY.map(assigned);
        let (Some(role), Some(token)) = (role, token) else {
            return (CredentialSource::DefaultChain, credential_id(&[]));
        };
        let written = [&role, &token].into_iter().chain(&session).cloned();
        let id = credential_id(&written.collect::<Vec<_>>());
        let source = CredentialSource::WebIdentity {
            role: AssumedRole {
                arn: role.1,
                session_name: session.map(|(_, name)| name),
                external_id: None,
                sts_endpoint: None,
                session_tags: BTreeMap::new(),
            },
            token: WebIdentityToken::File(PathBuf::from(token.1)),
        };
        (source, id)
    }

    /// The credential of a deployment that names an identity, and the broker's name for it. `keys`
    /// are the access keys of the file.
    pub(super) fn identity(&mut self, keys: AccessKeys) -> Read<(CredentialSource, String)> {
        let mut written = self.written();
        let base = if keys.has_pair_or_half() {
            let keys = self.access_keys(keys)?;
            written.extend(keys.names().map(|name| ("key", name.0.clone())));
            Some(CredentialSource::Keys(keys))
        } else {
            None
        };
        let role = self.role();
        let token = self.web_identity_token();
        let profile = self.profile();
        let (role, token, profile) = (role?, token?, profile?);
        let id = credential_id(&written);
        let source = match (token, role, profile) {
            (Some((token, _)), Some(role), _) => CredentialSource::WebIdentity { role, token },
            (Some((_, location)), None, _) => {
                let what = "aws_role_name, which this aws_web_identity_token needs";
                return Err(self.reader.missing_field(&location, what));
            }
            (None, Some(role), profile) => {
                let base = base.or(profile.map(CredentialSource::Profile));
                CredentialSource::Role {
                    role,
                    base: Box::new(base.unwrap_or_else(|| self.chain().0)),
                }
            }
            (None, None, Some(profile)) => CredentialSource::Profile(profile),
            (None, None, None) => base.unwrap_or_else(|| self.chain().0),
        };
        Ok((source, id))
    }

    /// What the file says about the identity, without what the environment says, so that `render`
    /// and the broker agree.
    fn written(&self) -> Vec<(&'static str, String)> {
        let names = IDENTITIES.into_iter().chain(OF_ROLES);
        let field = |name| Some((name, written(&self.parameters.peek(name)?.node)));
        names.filter_map(field).collect()
    }

    fn role(&mut self) -> Read<Option<AssumedRole>> {
        let Some((arn, field)) = self.identity_text(ROLE)? else {
            return Ok(None);
        };
        let is_arn = arn.starts_with("arn:") && arn.contains(":role/");
        if !is_arn && !arn.starts_with(REFERENCE) {
            let expected = "the ARN of a role, such as arn:aws:iam::123456789012:role/bedrock";
            return Err(self.reader.unexpected(&field, expected, quoted(&arn)));
        }
        let session_name = self.session_name();
        let sts_endpoint = self.sts_endpoint();
        let session_tags = self.session_tags();
        let external_id = self.external_id();
        Ok(Some(AssumedRole {
            arn,
            session_name: session_name?,
            external_id: external_id?,
            sts_endpoint: sts_endpoint?,
            session_tags: session_tags?,
        }))
    }

    fn session_name(&mut self) -> Read<Option<String>> {
        self.role_text(SESSION_NAME, 2..=64, "+=,.@_-")
    }

    fn external_id(&mut self) -> Read<Option<String>> {
        self.role_text(EXTERNAL_ID, 2..=1224, "_+=,.@:/-")
    }

    /// A text that STS accepts only with this many characters: letters, digits and `punctuation`.
    fn role_text(
        &mut self,
        name: &str,
        length: RangeInclusive<usize>,
        punctuation: &str,
    ) -> Read<Option<String>> {
        let Some((text, location)) = self.identity_text(name)? else {
            return Ok(None);
        };
        let is_permitted = |c: char| c.is_ascii_alphanumeric() || punctuation.contains(c);
        let is_valid = length.contains(&text.len()) && text.chars().all(is_permitted);
        if is_valid || text.starts_with(REFERENCE) {
            return Ok(Some(text));
        }
        let (least, most) = length.into_inner();
        let expected = format!("{least} to {most} letters, digits and characters of {punctuation}");
        Err(self.reader.unexpected(&location, expected, quoted(&text)))
    }

    fn sts_endpoint(&mut self) -> Read<Option<String>> {
        let Some((url, location)) = self.identity_text(STS_ENDPOINT)? else {
            return Ok(None);
        };
        let parsed = url.parse::<Uri>().ok();
        let scheme = parsed.as_ref().and_then(Uri::scheme_str);
        if url.starts_with(REFERENCE) || matches!(scheme, Some("http" | "https")) {
            return Ok(Some(url));
        }
        let expected = "the URL of STS, such as https://sts.us-west-2.amazonaws.com";
        Err(self.reader.unexpected(&location, expected, quoted(&url)))
    }

    /// `aws_session_tags`: a list of mappings with `Key` and `Value`, as in LiteLLM.
    fn session_tags(&mut self) -> Read<BTreeMap<String, String>> {
        let mut tags = BTreeMap::new();
        let Some(field) = self.parameters.field(SESSION_TAGS) else {
            return Ok(tags);
        };
        let expected = "a list of mappings with Key and Value";
        let Some(elements) = field.elements() else {
            let found = field.kind();
            return Err(self.reader.unexpected(&field.location, expected, found));
        };
        for element in elements {
            let section = self.reader.section(&element)?;
            let (Some(key), Some(value)) = (section.field("Key"), section.field("Value")) else {
                let found = "a mapping without one of them";
                return Err(self.reader.unexpected(&element.location, expected, found));
            };
            tags.insert(self.broker_text(&key)?, self.broker_text(&value)?);
        }
        Ok(tags)
    }

    fn profile(&mut self) -> Read<Option<String>> {
        let Some((name, location)) = self.identity_text(PROFILE)? else {
            return Ok(None);
        };
        if name.is_empty() || name.chars().any(|c| c.is_control() || "[]".contains(c)) {
            let expected = "the name of a profile in AWS's shared files";
            return Err(self.reader.unexpected(&location, expected, quoted(&name)));
        }
        Ok(Some(name))
    }

    /// Where the token is, and where the file says so. A reference's value can be a path, another
    /// reference or, as from a secret manager, the token itself.
    fn web_identity_token(&mut self) -> Read<Option<(WebIdentityToken, Location)>> {
        let variable = TOKEN.to_ascii_uppercase();
        let (text, location, name) = match self.parameters.field(TOKEN) {
            Some(field) => {
                let text = self.broker_text(&field)?;
                let written = field.text().unwrap_or_default();
                let name = written.strip_prefix(REFERENCE).map(str::to_owned);
                (text, field.location.clone(), name)
            }
            None => match self.reader.variables.value(&variable) {
                Some(value) => (value.to_owned(), self.parameters.location.clone(), Some(variable)),
                None => return Ok(None),
            },
        };
        let token = if let Some(path) = text.strip_prefix("oidc/file/") {
            WebIdentityToken::File(PathBuf::from(path))
        } else if let Some(name) = text.strip_prefix("oidc/env/").filter(|name| !name.is_empty()) {
            WebIdentityToken::Variable(self.reader.secret_variable(&location, name)?)
        } else if let Some(name) = text.strip_prefix("oidc/env_path/") {
            let path = self.reader.variables.value(name);
            let path = path.map_or_else(|| format!("{REFERENCE}{name}"), str::to_owned);
            WebIdentityToken::File(PathBuf::from(path))
        } else if text.starts_with("oidc/") {
            let expected = "the path of a file with a token, oidc/file/PATH, oidc/env/NAME, oidc/env_path/NAME or \
                            os.environ/NAME";
            let provider = text.split('/').nth(1).unwrap_or_default();
            let found = match provider {
                "env" => "no name".to_owned(),
                _ => format!("the provider {}, which is not supported", quoted(provider)),
            };
            return Err(self.reader.unexpected(&location, expected, found));
        } else if text.starts_with(['/', '~', '.']) {
            WebIdentityToken::File(PathBuf::from(text))
        } else if let Some(name) = name {
            WebIdentityToken::Variable(self.reader.secret_variable(&location, &name)?)
        } else {
            // A token in the file itself, or the name of a variable, which LiteLLM also accepts.
            let field = self.parameters.field(TOKEN);
            match field.filter(|field| !self.reader.variables.is_set(field.text().unwrap_or_default())) {
                Some(field) => WebIdentityToken::Variable(self.reader.secret(&field)?),
                None => WebIdentityToken::Variable(self.reader.secret_variable(&location, &text)?),
            }
        };
        Ok(Some((token, location)))
    }

    /// A parameter and where it is: the deployment's, that of its credential, or that of LiteLLM's
    /// variable for it.
    fn identity_text(&mut self, name: &str) -> Read<Option<(String, Location)>> {
        if let Some(field) = self.parameters.field(name) {
            let text = self.broker_text(&field)?;
            return Ok(Some((text, field.location)));
        }
        let value = self.reader.variables.value(&name.to_ascii_uppercase());
        Ok(value.map(|value| (value.to_owned(), self.parameters.location.clone())))
    }

    /// A text that only the broker needs. A reference to a variable that is not set stays as it is
    /// written, unless the broker runs with the variables of this process.
    fn broker_text(&mut self, field: &YamlField) -> Read<String> {
        let reference = field.text().and_then(|text| text.strip_prefix(REFERENCE));
        let is_unset = reference.is_some_and(|name| !self.reader.variables.is_set(name));
        if is_unset && self.reader.policy != SecretPolicy::MustExist {
            return Ok(field.text().unwrap_or_default().to_owned());
        }
        self.reader.text(field)
    }

    /// Notes settings that have no effect without a role.
    pub(super) fn note_unused_role_settings(&mut self) {
        let has = |name: &str| {
            self.parameters.peek(name).is_some_and(|field| !field.is_null())
                || self.reader.variables.is_set(&name.to_ascii_uppercase())
        };
        let (names, text): (&[&str], _) = match (has(ROLE), has(TOKEN)) {
            (false, _) => (&OF_ROLES, "not used: there is no aws_role_name"),
            (true, true) => (
                &[EXTERNAL_ID, SESSION_TAGS],
                "not used: AWS does not accept it together with aws_web_identity_token",
            ),
            (true, false) => (&[], ""),
        };
        for name in names {
            if let Some(field) = self.parameters.field(name) {
                self.reader.note(&field.location, text);
            }
        }
    }
}

/// A value as the file has it, without its place in the file.
fn written(node: &YamlNode) -> String {
    match &node.value {
        YamlValue::Scalar(scalar) => format!("{scalar:?}"),
        YamlValue::Sequence(nodes) => nodes.iter().map(|node| written(node) + "\n").collect(),
        YamlValue::Mapping(entries) => entries
            .iter()
            .map(|(key, node)| format!("{key}: {}\n", written(node)))
            .collect(),
    }
}

/// The broker's name for a credential: 16 hexadecimal digits, a digest of what the file says.
pub(super) fn credential_id(written: &[(&str, String)]) -> String {
    let mut hash = Sha256::new();
    for (name, value) in written {
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update(value.as_bytes());
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..8])
}
