//! A deployment before its model group gives it an id, an order and a weight.

use envoy_bedrock::contract::settings::{CredentialSettings, DeploymentSettings};
use envoy_bedrock::pricing::Rates;
use sha2::{Digest, Sha256};

use super::credentials::DraftCredentials;
use super::guardrail::PlacedGuardrail;
use super::routing::{RouterWide, StatedRouting};
use super::shares::StatedShare;
use crate::document::location::Location;

/// A deployment as its entry in `model_list` describes it.
pub(crate) struct Draft {
    /// Where the entry is.
    pub location: Location,
    /// The name of its model group.
    pub model_name: String,
    /// Its `model_info.id`.
    pub own_id: Option<String>,
    /// Its `order`.
    pub order: Option<i64>,
    /// What it says about its share.
    pub share: StatedShare,
    /// What it says about its routing.
    pub routing: StatedRouting,
    /// Its guardrail, which must be that of its model group.
    pub guardrail: Option<PlacedGuardrail>,
    /// Bedrock's model id, profile id or ARN.
    pub model: String,
    /// The foundation model of an ARN that does not name it.
    pub base_model: Option<String>,
    /// The AWS region.
    pub region: String,
    /// The Envoy cluster of its endpoint.
    pub cluster: String,
    /// Host and port of its endpoint.
    pub authority: String,
    /// Path of its endpoint.
    pub base_path: String,
    /// Its credentials.
    pub credentials: DraftCredentials,
    /// Whether it uses short-term API keys: its `model_info.envoy_bedrock.bearer`.
    pub bearer: Option<bool>,
    /// Its price, if it is known.
    pub rates: Option<Rates>,
}

impl Draft {
    /// An id of 16 hexadecimal digits that depends only on what the deployment is, so that it stays
    /// the same when the file is reordered.
    pub(crate) fn derived_id(&self) -> String {
        let names = match &self.credentials.settings {
            CredentialSettings::Sigv4(keys)
            | CredentialSettings::Brokered {
                bearer: false,
                environment: Some(keys),
                ..
            } => {
                let token = keys.session_token.as_ref().map_or("", |token| token.0.as_str());
                [
                    keys.access_key_id.0.as_str(),
                    keys.secret_access_key.0.as_str(),
                    token,
                ]
            }
            CredentialSettings::Brokered { id, bearer, .. } => {
                [id.as_str(), if *bearer { "bearer" } else { "sigv4" }, ""]
            }
            CredentialSettings::Bearer { api_key } => [api_key.0.as_str(), "", ""],
        };
        let parts = [
            &self.model_name,
            &self.model,
            &self.region,
            &self.authority,
            &self.base_path,
        ];
        let mut hash = Sha256::new();
        for part in parts.into_iter().map(String::as_str).chain(names) {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        hex::encode(&hash.finalize()[..8])
    }

    /// The finished deployment.
    pub(crate) fn into_settings(
        self,
        id: String,
        order: i64,
        weight: u64,
        router: &RouterWide,
    ) -> DeploymentSettings {
        DeploymentSettings {
            routing: self.routing.with(router, &self.share),
            id,
            model: self.model,
            region: self.region,
            cluster: self.cluster,
            authority: self.authority,
            base_path: self.base_path,
            credentials: self.credentials.settings,
            weight,
            order,
            base_model: self.base_model,
            rates: self.rates,
        }
    }
}
