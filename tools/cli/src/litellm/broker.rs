//! Which credentials the broker must have, and for whom.

use std::collections::BTreeSet;

use envoy_bedrock::contract::names::CLUSTER_BROKER;
use envoy_bedrock::contract::settings::{BrokerSettings, CredentialSettings};

use super::draft::Draft;
use super::entry::ModelListEntry;
use super::identity::credential_id;
use super::report::Reader;
use crate::credentials::{BrokeredCredential, CredentialSource};
use crate::document::field::{Section, quoted};
use crate::document::reader::Read;
use crate::environment::SecretPolicy;

/// The setting that replaces signatures with short-term Bedrock API keys.
const BEARER: &str = "bearer";

/// The broker's credentials, in the order of the deployments that use them.
pub(super) fn brokered(drafts: &[Draft]) -> Vec<BrokeredCredential> {
    let mut credentials: Vec<BrokeredCredential> = Vec::new();
    for draft in drafts {
        let Some(source) = &draft.credentials.source else {
            continue;
        };
        let (id, bearer) = match &draft.credentials.settings {
            CredentialSettings::Brokered { id, bearer, .. } => (id.clone(), *bearer),
            // The emulator's made-up keys take its place.
            _ => (String::new(), false),
        };
        let deployment = format!("{} in {}", draft.model_name, draft.region);
        let region = bearer.then(|| draft.region.clone());
        let known = credentials
            .iter_mut()
            .find(|known| known.id == id && known.source == *source);
        match known {
            Some(known) => {
                if !known.deployments.contains(&deployment) {
                    known.deployments.push(deployment);
                }
                known.bearer_regions.extend(region);
            }
            None => credentials.push(BrokeredCredential {
                id,
                source: source.clone(),
                deployments: vec![deployment],
                region: draft.region.clone(),
                bearer_regions: BTreeSet::from_iter(region),
            }),
        }
    }
    credentials
}

/// Where the filter finds the broker, if it needs it.
pub(super) fn settings(brokered: &[BrokeredCredential]) -> Option<BrokerSettings> {
    let is_needed = brokered.iter().any(|credential| !credential.id.is_empty());
    is_needed.then(|| BrokerSettings {
        cluster: CLUSTER_BROKER.to_owned(),
        authorization: None,
    })
}

impl Reader<'_> {
    /// `envoy_bedrock.bearer`: whether all deployments use short-term API keys.
    pub(super) fn bearer_everywhere(&mut self, own: &Section) -> bool {
        let field = own.field(BEARER);
        field.is_some_and(|field| self.flag(&field) == Ok(true))
    }

    /// The deployments, of which those that say so use short-term API keys, and with `everywhere`
    /// all that do not say otherwise.
    pub(super) fn authenticated(&mut self, mut drafts: Vec<Draft>, everywhere: bool) -> Vec<Draft> {
        for draft in &mut drafts {
            self.choose_authentication(draft, everywhere);
        }
        drafts
    }

    fn choose_authentication(&mut self, draft: &mut Draft, everywhere: bool) {
        if !draft.bearer.unwrap_or(everywhere) || self.policy == SecretPolicy::Demo {
            return;
        }
        let credentials = &mut draft.credentials;
        match &mut credentials.settings {
            CredentialSettings::Brokered {
                bearer, environment, ..
            } => {
                *bearer = true;
                *environment = None;
            }
            CredentialSettings::Sigv4(keys) => {
                let written: Vec<_> = keys.names().map(|name| ("key", name.0.clone())).collect();
                let id = credential_id(&written);
                credentials.source = Some(CredentialSource::Keys(keys.clone()));
                credentials.settings = CredentialSettings::Brokered {
                    id,
                    bearer: true,
                    environment: None,
                };
            }
            CredentialSettings::Bearer { .. } => {
                if draft.bearer == Some(true) {
                    let text = "envoy_bedrock.bearer is not needed: the deployment has an API key";
                    self.note(&draft.location, text);
                }
            }
        }
    }
}

impl ModelListEntry<'_, '_> {
    /// `model_info.envoy_bedrock.bearer`.
    pub(super) fn bearer(&mut self) -> Read<Option<bool>> {
        let Some(field) = self.info.field("envoy_bedrock") else {
            return Ok(None);
        };
        let section = self.reader.section(&field)?;
        let bearer = section.field(BEARER);
        let bearer = bearer.map(|field| self.reader.flag(&field)).transpose();
        for (name, field) in section.unused() {
            let expected = "no setting but bearer";
            self.reader.unexpected(&field.location, expected, quoted(&name));
        }
        bearer
    }
}
