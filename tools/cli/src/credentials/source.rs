//! Where the broker gets a credential from, as config.yaml describes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use envoy_bedrock::contract::settings::{AccessKeyNames, EnvName};

/// A credential that the broker holds. All deployments with the same settings share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokeredCredential {
    /// A digest of the settings as written, so that every reader of the file has the same: 16
    /// hexadecimal digits.
    pub id: String,
    /// Where it comes from.
    pub source: CredentialSource,
    /// The deployments that use it, as messages name them: model group and region. Never empty.
    pub deployments: Vec<String>,
    /// The region for STS if the environment names none: that of the first deployment.
    pub region: String,
    /// The regions for which short-term Bedrock API keys are made. Empty without `bearer`.
    pub bearer_regions: BTreeSet<String>,
}

impl BrokeredCredential {
    /// The deployments that use it, for messages.
    pub(crate) fn whom(&self) -> String {
        self.deployments.join(", ")
    }

    /// The variables with its secrets.
    pub fn secret_names(&self) -> impl Iterator<Item = &EnvName> {
        self.source.secret_names().into_iter()
    }
}

impl CredentialSource {
    /// Whether it is the default chain or a role that is assumed with that.
    pub(crate) fn uses_chain(&self) -> bool {
        match self {
            Self::DefaultChain => true,
            Self::Role { base, .. } => base.uses_chain(),
            Self::Keys(_) | Self::Profile(_) | Self::WebIdentity { .. } => false,
        }
    }

    fn secret_names(&self) -> Vec<&EnvName> {
        match self {
            Self::Keys(keys) => keys.names().collect(),
            Self::Role { base, .. } => base.secret_names(),
            Self::WebIdentity {
                token: WebIdentityToken::Variable(name),
                ..
            } => vec![name],
            Self::WebIdentity { .. } | Self::DefaultChain | Self::Profile(_) => Vec::new(),
        }
    }
}

/// Where a credential comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// The default credential chain of the AWS SDKs: environment, shared files, web identity,
    /// container, instance.
    DefaultChain,
    /// A profile of AWS's shared files (`aws_profile_name`).
    Profile(String),
    /// Access keys of the file or of its variables.
    Keys(AccessKeyNames),
    /// A role, assumed with another credential (`aws_role_name`).
    Role {
        /// The role.
        role: AssumedRole,
        /// The credential that may assume it.
        base: Box<CredentialSource>,
    },
    /// A role, assumed with the token of an identity provider (`aws_web_identity_token`).
    WebIdentity {
        /// The role.
        role: AssumedRole,
        /// The token.
        token: WebIdentityToken,
    },
}

/// A role and how to assume it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumedRole {
    /// The role's ARN.
    pub arn: String,
    /// `aws_session_name`: 2 to 64 letters, digits and `+=,.@_-`. The broker makes one up if it is
    /// missing.
    pub session_name: Option<String>,
    /// `aws_external_id`.
    pub external_id: Option<String>,
    /// `aws_sts_endpoint`: the URL of STS.
    pub sts_endpoint: Option<String>,
    /// `aws_session_tags`.
    pub session_tags: BTreeMap<String, String>,
}

/// Where the token of an identity provider is. It is read again each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebIdentityToken {
    /// In a file.
    File(PathBuf),
    /// In a variable of the environment or of config.yaml.
    Variable(EnvName),
}

/// The source in words, for messages. It contains no secret.
impl fmt::Display for CredentialSource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DefaultChain => out.write_str("the default credential chain"),
            Self::Profile(name) => write!(out, "profile {name}"),
            Self::Keys(keys) => write!(out, "access keys in {}", keys.access_key_id.0),
            Self::Role { role, base } => write!(out, "role {} with {base}", role.arn),
            Self::WebIdentity { role, token } => write!(out, "role {} with {token}", role.arn),
        }
    }
}

impl fmt::Display for WebIdentityToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(out, "the token in {}", path.display()),
            Self::Variable(name) => write!(out, "the token in {}", name.0),
        }
    }
}
