//! The active configuration, shared by all requests of a VM.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::admission::proxy_key::KeyHash;
use crate::contract::keys::{KeySettings, TokenSettings};
use crate::contract::routing::{RoutingSettings, Strategy};
use crate::contract::settings::{
    ATTEMPTS_MAX, AccessKeyNames, BUDGET_EXCEEDED_STATUS, BUFFERED_BODIES_DEFAULT_BYTES, BrokerSettings,
    CredentialSettings, DeploymentSettings, EnvName, ModelSettings, ReloadStatus, Settings,
};
use crate::credentials::{CredentialSlot, CredentialStore};
use crate::guardrail::Guardrail;
use crate::keys::{AwsPair, KeyRing};
use crate::pricing::{Rates, lookup_rates};
use crate::routing::brokered::BrokeredCredentials;
use crate::routing::deployment::{Credentials, Deployment};
use crate::routing::model::{ModelGroup, ModelGroups};
use crate::routing::outlook::Outlook;
use crate::routing::settings_error::SettingsError;
use crate::sealing::{SEALING_KEY, SealingKey};
use crate::secret::Secret;
use crate::sigv4::{AccessKeyId, CredentialId, SigningKeys};
use crate::time::UnixTime;

/// Maximum number of rows in the history of a worker, at about a kilobyte each.
pub const HISTORY_MAX_ROWS: u32 = 100_000;

/// The configuration of a VM, with its secrets resolved.
#[derive(Debug)]
pub struct ActiveConfig {
    /// The keys that clients can present.
    pub(crate) keys: KeyRing,
    /// The status of requests that exceed a budget.
    pub(crate) budget_exceeded_status: u16,
    /// Largest request body, in bytes.
    pub(crate) body_limit_bytes: u64,
    /// Maximum bytes of request bodies in Envoy, for all workers together.
    pub(crate) buffered_bodies_bytes: u64,
    /// Maximum model requests at once, for all workers together.
    pub parallel_requests: Option<u64>,
    /// Number of rows in the history of a worker, for `GET /spend/logs`.
    pub(crate) history_rows: u32,
    /// Attempts of a request in one model group.
    pub(crate) attempts: usize,
    /// Attempts of a request in all model groups together.
    pub(crate) attempts_at_most: usize,
    /// How requests are routed.
    pub(crate) routing: RoutingSettings,
    /// What the VM knows about deployments; `None` in tests of other things.
    pub(crate) outlook: Option<Rc<Outlook>>,
    /// The model groups.
    pub(crate) models: ModelGroups,
    /// The price list for models that match a wildcard.
    pub(crate) catalogue: BTreeMap<String, Rates>,
    /// Derived signing keys. They live as long as this configuration, so new secrets are never used
    /// with old keys.
    pub(crate) signing_keys: RefCell<SigningKeys>,
    /// What happened to changes to the configuration.
    pub reload: Option<ReloadStatus>,
    /// The credentials that come from the credential broker; `None` if no deployment needs it.
    pub brokered: Option<BrokeredCredentials>,
}

impl ActiveConfig {
    /// Like [`Self::with_store`], with a new store.
    ///
    /// # Errors
    /// [`SettingsError`], which never contains a secret.
    pub fn new(json: &[u8], variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        Self::with_store(json, variable, &CredentialStore::default())
    }

    /// Parses the plugin configuration and resolves its secrets. `variable` reads an environment
    /// variable. The broker's credentials are in `store`, which outlives configurations.
    ///
    /// # Errors
    /// [`SettingsError`], which never contains a secret.
    pub fn with_store(
        json: &[u8],
        variable: impl Fn(&str) -> Option<String>,
        store: &CredentialStore,
    ) -> Result<Self, SettingsError> {
        let settings: Settings =
            serde_json::from_slice(json).map_err(|error| SettingsError::Malformed(error.to_string()))?;
        if !(1..=ATTEMPTS_MAX).contains(&settings.attempts) {
            return Err(SettingsError::OutOfBounds {
                field: "attempts".into(),
                expected: "a number from 1 to 11",
                found: settings.attempts.to_string(),
            });
        }
        if settings.history_rows > HISTORY_MAX_ROWS {
            return Err(SettingsError::OutOfBounds {
                field: "history_rows".into(),
                expected: "a number from 0 to 100000",
                found: settings.history_rows.to_string(),
            });
        }
        let mut secrets = SecretResolver {
            sealed: unseal(&settings.sealed, &variable)?,
            variable,
            ids: HashMap::new(),
            has_broker: settings.broker.is_some(),
            store,
            slots: Vec::new(),
            strategy: settings.routing.strategy,
        };
        let master_key = KeyHash::of(secrets.resolve("master_key", &settings.master_key)?.as_bytes());
        let hashes = secrets.hashes(&settings.keys)?;
        let mut keys = KeyRing::new(
            master_key,
            hashes.iter().cloned().zip(&settings.keys),
            &settings.teams,
        );
        if settings.has_aws_pairs() {
            let pairs = secrets.pairs(&hashes, &settings.keys)?;
            pairs.into_iter().for_each(|(of, pair)| keys.add_pair(&of, pair));
        }
        let models = (0..).zip(&settings.models);
        let models = models.map(|(index, model)| secrets.model(index, model));
        let models = models.collect::<Result<_, _>>()?;
        let brokered = settings.broker.as_ref().map(|broker| secrets.brokered(broker));
        Ok(Self {
            keys,
            budget_exceeded_status: settings.budget_exceeded_status.unwrap_or(BUDGET_EXCEEDED_STATUS),
            body_limit_bytes: settings.body_limit_bytes,
            buffered_bodies_bytes: settings
                .buffered_bodies_bytes
                .unwrap_or(BUFFERED_BODIES_DEFAULT_BYTES),
            parallel_requests: settings.parallel_requests,
            history_rows: settings.history_rows,
            attempts: usize::try_from(settings.attempts).unwrap_or(usize::MAX),
            attempts_at_most: usize::try_from(settings.attempts_at_most()).unwrap_or(usize::MAX),
            routing: settings.routing,
            outlook: None,
            models: ModelGroups::new(models, settings.aliases, &settings.withheld),
            catalogue: settings.catalogue,
            signing_keys: RefCell::default(),
            reload: settings.reload,
            brokered: brokered.transpose()?.flatten(),
        })
    }

    /// Lets the plans of this configuration know about deployments.
    pub(crate) fn set_outlook(&mut self, outlook: Rc<Outlook>) {
        self.outlook = Some(outlook);
    }

    /// What the VM knows about deployments.
    pub(crate) fn outlook(&self) -> Option<&Outlook> {
        self.outlook.as_deref()
    }

    /// The rates of a deployment, if known. `captures` is what each `*` of its model group matched.
    pub(crate) fn rates<'a>(&'a self, deployment: &'a Deployment, captures: &[String]) -> Option<&'a Rates> {
        match &deployment.rates {
            Some(rates) => Some(rates),
            None if deployment.is_wildcard() => {
                lookup_rates(&self.catalogue, &deployment.region, &deployment.model(captures))
            }
            None => None,
        }
    }
}

/// Opens the values that came with the settings.
fn unseal(
    sealed: &BTreeMap<EnvName, String>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<BTreeMap<EnvName, Secret>, SettingsError> {
    if sealed.is_empty() {
        return Ok(BTreeMap::new());
    }
    let key = sealing_key(variable)?;
    let open = |(name, sealed): (&EnvName, &String)| {
        let secret = key.open(&name.0, sealed);
        let secret = secret.ok_or_else(|| SettingsError::Sealed {
            field: format!("sealed.{}", name.0),
        })?;
        Ok((name.clone(), secret))
    };
    sealed.iter().map(open).collect()
}

fn sealing_key(variable: impl Fn(&str) -> Option<String>) -> Result<SealingKey, SettingsError> {
    let key = variable(SEALING_KEY).as_deref().and_then(SealingKey::parse);
    key.ok_or(SettingsError::NoSealingKey)
}

/// Resolves secrets and assigns ids to credentials. Deployments with the same credentials share
/// their signing keys.
struct SecretResolver<'a, V> {
    /// The opened values of [`Settings::sealed`].
    sealed: BTreeMap<EnvName, Secret>,
    variable: V,
    ids: HashMap<(EnvName, EnvName), u32>,
    has_broker: bool,
    store: &'a CredentialStore,
    /// The slots that deployments use, without duplicates.
    slots: Vec<Rc<CredentialSlot>>,
    strategy: Strategy,
}

impl<V: Fn(&str) -> Option<String>> SecretResolver<'_, V> {
    fn model(&mut self, index: u32, settings: &ModelSettings) -> Result<ModelGroup, SettingsError> {
        let field = format!("models[{index}]");
        if settings.deployments.is_empty() {
            return Err(SettingsError::OutOfBounds {
                field: format!("{field}.deployments"),
                expected: "at least one deployment",
                found: "none".into(),
            });
        }
        let deployments = (0..).zip(&settings.deployments).map(|(index, deployment)| {
            let field = format!("{field}.deployments[{index}].credentials");
            let credentials = self.credentials(&field, deployment)?;
            let routing = &deployment.routing;
            let deployment = Deployment::new(index, deployment, credentials);
            Ok(Rc::new(deployment.with_counts(routing, self.strategy)))
        });
        let guardrail = settings.guardrail.as_ref();
        let guardrail = guardrail.map(|guardrail| Guardrail::new(&format!("{field}.guardrail"), guardrail));
        Ok(ModelGroup {
            index,
            name: settings.name.clone(),
            deployments: deployments.collect::<Result<_, _>>()?,
            guardrail: guardrail.transpose()?,
            routing: settings.routing.clone(),
        })
    }

    fn credentials(
        &mut self,
        field: &str,
        deployment: &DeploymentSettings,
    ) -> Result<Credentials, SettingsError> {
        Ok(match &deployment.credentials {
            CredentialSettings::Bearer { api_key } => {
                let api_key = self.resolve(&format!("{field}.bearer.api_key"), api_key)?;
                Credentials::Bearer(Secret::new(format!("Bearer {api_key}")))
            }
            CredentialSettings::Sigv4(keys) => self.access_keys(&format!("{field}.sigv4"), keys)?,
            CredentialSettings::Brokered {
                environment: Some(keys),
                ..
            } if self.are_set(keys) => self.access_keys(&format!("{field}.brokered.environment"), keys)?,
            CredentialSettings::Brokered { .. } if !self.has_broker => {
                return Err(SettingsError::OutOfBounds {
                    field: "broker".into(),
                    expected: "the credential broker that a deployment needs",
                    found: "none".into(),
                });
            }
            CredentialSettings::Brokered { id, bearer, .. } => {
                let slot = if *bearer {
                    self.store.bearer(id, &deployment.region)
                } else {
                    self.store.keys(id)
                };
                if !self.slots.iter().any(|known| Rc::ptr_eq(known, &slot)) {
                    self.slots.push(Rc::clone(&slot));
                }
                Credentials::Brokered(slot)
            }
        })
    }

    /// The hashes of virtual keys.
    fn hashes(&self, keys: &[KeySettings]) -> Result<Vec<KeyHash>, SettingsError> {
        let hash = |(index, key): (usize, &KeySettings)| match &key.token {
            TokenSettings::Variable(name) => {
                let key = self.resolve(&format!("keys[{index}].token"), name)?;
                Ok(KeyHash::of(key.as_bytes()))
            }
            TokenSettings::Sha256(digits) => {
                KeyHash::parse(digits).ok_or_else(|| SettingsError::OutOfBounds {
                    field: format!("keys[{index}].token"),
                    expected: "64 hexadecimal digits",
                    found: format!("{} characters", digits.chars().count()),
                })
            }
        };
        keys.iter().enumerate().map(hash).collect()
    }

    /// The pairs of virtual keys, each with the hash of its key.
    fn pairs(
        &self,
        hashes: &[KeyHash],
        keys: &[KeySettings],
    ) -> Result<Vec<(KeyHash, AwsPair)>, SettingsError> {
        let mut pairs = Vec::new();
        let sealing_key = sealing_key(&self.variable)?;
        for (index, (hash, key)) in hashes.iter().zip(keys).enumerate() {
            for settings in &key.aws_pairs {
                let secret = sealing_key.open(&settings.access_key_id, &settings.sealed_secret);
                let field = || format!("keys[{index}].aws_pairs, {}", settings.access_key_id);
                let secret = secret.ok_or_else(|| SettingsError::Sealed { field: field() })?;
                let pair = AwsPair {
                    access_key_id: settings.access_key_id.clone(),
                    secret,
                    valid_until: settings.valid_until.map(UnixTime::from_seconds),
                };
                pairs.push((hash.clone(), pair));
            }
        }
        Ok(pairs)
    }

    /// Whether the environment has an access key, or a part of one.
    fn are_set(&self, keys: &AccessKeyNames) -> bool {
        let mut names = [&keys.access_key_id, &keys.secret_access_key].into_iter();
        names.any(|name| self.value(name).is_some())
    }

    /// What the broker has for the deployments, if any of them needs it.
    fn brokered(&self, broker: &BrokerSettings) -> Result<Option<BrokeredCredentials>, SettingsError> {
        if self.slots.is_empty() {
            return Ok(None);
        }
        let authorization = broker.authorization.as_ref();
        let authorization = authorization.map(|name| self.resolve("broker.authorization", name));
        Ok(Some(BrokeredCredentials {
            cluster: broker.cluster.clone(),
            authorization: authorization.transpose()?.map(Secret::new),
            slots: self.slots.clone(),
        }))
    }

    fn access_keys(&mut self, field: &str, keys: &AccessKeyNames) -> Result<Credentials, SettingsError> {
        let (id, secret) = (&keys.access_key_id, &keys.secret_access_key);
        Ok(Credentials::Sigv4 {
            id: self.credential_id(id, secret),
            access_key_id: self.access_key_id(&format!("{field}.access_key_id"), id)?,
            secret_access_key: Secret::new(self.resolve(&format!("{field}.secret_access_key"), secret)?),
            session_token: keys
                .session_token
                .as_ref()
                .and_then(|name| self.value(name))
                .map(Secret::new),
        })
    }

    fn credential_id(&mut self, access_key_id: &EnvName, secret_access_key: &EnvName) -> CredentialId {
        let next = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
        CredentialId(
            *self
                .ids
                .entry((access_key_id.clone(), secret_access_key.clone()))
                .or_insert(next),
        )
    }

    fn access_key_id(&self, field: &str, name: &EnvName) -> Result<AccessKeyId, SettingsError> {
        AccessKeyId::new(self.resolve(field, name)?).map_err(|error| SettingsError::BadVariable {
            field: field.into(),
            name: name.0.clone(),
            error,
        })
    }

    fn resolve(&self, field: &str, name: &EnvName) -> Result<String, SettingsError> {
        self.value(name).ok_or_else(|| SettingsError::MissingVariable {
            field: field.into(),
            name: name.0.clone(),
        })
    }

    fn value(&self, name: &EnvName) -> Option<String> {
        let sealed = self.sealed.get(name).map(|secret| secret.expose().to_owned());
        sealed
            .or_else(|| (self.variable)(&name.0))
            .filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::Headers;

    const SETTINGS: &str = r#"{
        "master_key": "LITELLM_MASTER_KEY", "attempts": 2, "body_limit_bytes": 10,
        "models": [{ "name": "m", "deployments": [{
            "id": "d", "model": "a:0", "region": "us-west-2", "cluster": "us-west-2", "authority": "h", "weight": 1,
            "credentials": {"sigv4": {"access_key_id": "ID", "secret_access_key": "SECRET", "session_token": "TOKEN"}}
        }] }]
    }"#;

    fn variable(name: &str) -> Option<String> {
        ["LITELLM_MASTER_KEY", "ID", "SECRET", "TOKEN"]
            .contains(&name)
            .then(|| format!("value-of-{name}"))
    }

    fn error(json: &str, variable: impl Fn(&str) -> Option<String>) -> String {
        ActiveConfig::new(json.as_bytes(), variable)
            .unwrap_err()
            .to_string()
    }

    fn is_master(config: &ActiveConfig, key: &str) -> bool {
        let headers = [(&b"x-api-key"[..], key.as_bytes())];
        let admitted = config
            .keys
            .admit(Headers(&headers), None, || UnixTime::from_seconds(0));
        admitted.unwrap().is_master()
    }

    #[test]
    fn the_token_of_a_virtual_key_is_a_hash_or_a_variable() {
        let with = |token: &str| {
            let keys = format!(r#"{{"keys": [{{"token": {token}, "key_alias": "app"}}], "#);
            SETTINGS.replacen('{', &keys, 1)
        };
        let hash = KeyHash::of(b"value-of-ID").hexadecimal();
        for token in [
            format!(r#"{{"sha256": "{hash}"}}"#),
            r#"{"variable": "ID"}"#.to_owned(),
        ] {
            let config = ActiveConfig::new(with(&token).as_bytes(), variable).unwrap();
            assert!(!is_master(&config, "value-of-ID"));
        }
        let short = error(&with(r#"{"sha256": "abc"}"#), variable);
        assert!(short.contains("keys[0].token"), "{short}");
        let unset = error(&with(r#"{"variable": "OTHER"}"#), variable);
        assert!(unset.contains("OTHER"), "{unset}");
    }

    #[test]
    fn a_complete_configuration_is_accepted_and_debug_output_has_no_secret() {
        let config = ActiveConfig::new(SETTINGS.as_bytes(), variable).unwrap();
        assert!(is_master(&config, "value-of-LITELLM_MASTER_KEY"));
        let shown = format!("{config:?}");
        assert!(
            !shown.contains("value-of-SECRET") && !shown.contains("value-of-TOKEN"),
            "{shown}"
        );
    }

    #[test]
    fn a_missing_or_empty_variable_is_named_with_its_field() {
        let without = |gone: &'static str| move |name: &str| variable(name).filter(|_| name != gone);
        for (gone, field) in [
            ("LITELLM_MASTER_KEY", "master_key"),
            ("ID", "models[0].deployments[0].credentials.sigv4.access_key_id"),
            (
                "SECRET",
                "models[0].deployments[0].credentials.sigv4.secret_access_key",
            ),
        ] {
            let expected =
                format!("{field}: the environment variable {gone} is unset or empty in the Envoy process");
            assert_eq!(error(SETTINGS, without(gone)), expected);
            assert_eq!(
                error(SETTINGS, |name| variable(name).map(|v| if name == gone {
                    String::new()
                } else {
                    v
                })),
                expected
            );
        }
    }

    #[test]
    fn an_unset_session_token_is_absent() {
        for token in [None, Some(String::new())] {
            let variable = |name: &str| {
                if name == "TOKEN" {
                    token.clone()
                } else {
                    variable(name)
                }
            };
            let config = ActiveConfig::new(SETTINGS.as_bytes(), variable).unwrap();
            let model = config.models.find("m").unwrap().model;
            let credentials = &model.deployments[0].credentials;
            assert!(
                matches!(
                    credentials,
                    Credentials::Sigv4 {
                        session_token: None,
                        ..
                    }
                ),
                "{credentials:?}"
            );
        }
    }

    #[test]
    fn a_sealed_secret_replaces_the_variable_of_its_name() {
        let digits = "5e".repeat(32);
        let key = SealingKey::parse(&digits).unwrap();
        let mut settings: Settings = serde_json::from_str(SETTINGS).unwrap();
        let name = settings.master_key.clone();
        let sealed = key.seal(&name.0, &Secret::new("sk-sealed"));
        settings.sealed.insert(name.clone(), sealed);
        let json = serde_json::to_string(&settings).unwrap();
        let with_key = |digits: Option<&str>| {
            let digits = digits.map(str::to_owned);
            ActiveConfig::new(json.as_bytes(), |name| match name {
                SEALING_KEY => digits.clone(),
                name => variable(name),
            })
        };
        let config = with_key(Some(&digits)).unwrap();
        assert!(is_master(&config, "sk-sealed"));
        for (digits, expected) in [
            (None, SettingsError::NoSealingKey),
            (Some("5e"), SettingsError::NoSealingKey),
            (
                Some(&*"5f".repeat(32)),
                SettingsError::Sealed {
                    field: format!("sealed.{}", name.0),
                },
            ),
        ] {
            assert_eq!(with_key(digits).unwrap_err(), expected);
        }
    }

    #[test]
    fn settings_out_of_bounds_are_refused() {
        for (from, to, expected) in [
            (
                "\"attempts\": 2",
                "\"attempts\": 0",
                "attempts: expected a number from 1 to 11, but found 0",
            ),
            (
                "\"attempts\": 2",
                "\"attempts\": 12",
                "attempts: expected a number from 1 to 11, but found 12",
            ),
            (
                "\"attempts\": 2",
                "\"atempts\": 2",
                "not the settings that this version of envoy-bedrock renders: unknown field",
            ),
        ] {
            let error = error(&SETTINGS.replace(from, to), variable);
            assert!(error.starts_with(expected), "{error}");
        }
        let json = r#"{"master_key": "ID", "attempts": 1, "body_limit_bytes": 1, "models": [{"name": "m", "deployments": []}]}"#;
        assert_eq!(
            error(json, variable),
            "models[0].deployments: expected at least one deployment, but found none"
        );
    }
}
