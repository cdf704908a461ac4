//! The emulator instead of AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use bedrock_emulator::config::{DEMO_ACCESS_KEY_ID, DEMO_API_KEY, DEMO_SECRET_ACCESS_KEY};
use bedrock_emulator::{Emulator, EmulatorConfig, KnownCredential, RegionConfig, TlsConfig};
use envoy_bedrock::contract::settings::{CredentialSettings, EnvName};

use super::error::DemoError;
use crate::blueprint::{Blueprint, Endpoint};
use crate::environment::Environment;
use crate::render::HostPort;

/// Session token of a deployment that needs one.
const DEMO_SESSION_TOKEN: &str = "emulator-demo-session-token";

/// Running emulators: one per base path in the configuration, so usually one.
#[derive(Default)]
pub(super) struct Demo {
    emulators: Vec<Emulator>,
    /// The region and base path that each cluster connects to, and whether with TLS.
    places: BTreeMap<String, (String, String, bool)>,
    /// The address that each cluster connects to.
    pub(super) addresses: BTreeMap<String, HostPort>,
    /// Variables for Envoy that the user has not set.
    pub(super) variables: BTreeMap<String, String>,
}

/// The endpoints that one emulator replaces, each with its region.
struct DemoPart<'a> {
    base_path: &'a str,
    endpoints: Vec<(&'a Endpoint, &'a str)>,
}

impl Demo {
    /// Starts emulators for the endpoints of `blueprint` that have none yet. All emulators accept
    /// its credentials and models from now on, and keep accepting earlier ones.
    pub(super) async fn cover(
        &mut self,
        blueprint: &Blueprint,
        environment: &Environment,
    ) -> Result<(), DemoError> {
        let keys = DemoKeys::of(blueprint, environment)?;
        for emulator in &self.emulators {
            emulator.add_known(keys.credentials(), keys.api_keys(), models(blueprint));
        }
        self.variables.extend(keys.variables.clone());
        for mut part in parts(blueprint)? {
            let base_path = part.base_path;
            part.endpoints
                .retain(|(endpoint, region)| self.is_new(endpoint, region, base_path));
            if part.endpoints.is_empty() {
                continue;
            }
            let emulator = Emulator::start(part.config(blueprint, &keys))
                .await
                .map_err(|error| DemoError::Emulator(error.to_string()))?;
            for (endpoint, region) in &part.endpoints {
                let found = emulator.addresses().get(*region);
                let address = found.and_then(|found| match endpoint.server_name {
                    Some(_) => found.https,
                    None => found.http,
                });
                let address = address.ok_or_else(|| DemoError::NoRegion((*region).to_owned()))?;
                let address = HostPort {
                    host: address.ip().to_string(),
                    port: address.port(),
                };
                self.addresses.insert(endpoint.cluster.clone(), address);
                self.places
                    .insert(endpoint.cluster.clone(), place(endpoint, region, base_path));
            }
            self.emulators.push(emulator);
        }
        Ok(())
    }

    fn is_new(&self, endpoint: &Endpoint, region: &str, base_path: &str) -> bool {
        self.places.get(&endpoint.cluster) != Some(&place(endpoint, region, base_path))
    }

    /// The CA certificates that Envoy must trust, in PEM.
    pub(super) fn ca_pem(&self) -> String {
        self.emulators.iter().map(Emulator::ca_pem).collect()
    }

    /// The control addresses, for faults and delays.
    pub(super) fn controls(&self) -> Vec<SocketAddr> {
        self.emulators.iter().map(Emulator::control).collect()
    }

    /// Stops the emulators.
    pub(super) async fn shutdown(&mut self) {
        for emulator in std::mem::take(&mut self.emulators) {
            emulator.shutdown().await;
        }
    }
}

impl DemoPart<'_> {
    fn config(&self, blueprint: &Blueprint, keys: &DemoKeys) -> EmulatorConfig {
        let regions: BTreeSet<&str> = self.endpoints.iter().map(|(_, region)| *region).collect();
        let region = |name: &str| RegionConfig {
            name: name.to_owned(),
            plain_port: Some(0),
            tls_port: Some(0),
        };
        let host_names = self
            .endpoints
            .iter()
            .filter_map(|(endpoint, _)| endpoint.server_name.clone());
        EmulatorConfig {
            regions: regions.into_iter().map(region).collect(),
            credentials: keys.credentials(),
            api_keys: keys.api_keys(),
            models: models(blueprint),
            tls: TlsConfig::Generated {
                host_names: host_names.collect(),
            },
            base_path: self.base_path.to_owned(),
            ..EmulatorConfig::default()
        }
    }
}

fn place(endpoint: &Endpoint, region: &str, base_path: &str) -> (String, String, bool) {
    (
        region.to_owned(),
        base_path.to_owned(),
        endpoint.server_name.is_some(),
    )
}

fn models(blueprint: &Blueprint) -> Vec<String> {
    let deployments = blueprint.settings.deployments();
    deployments.map(|deployment| deployment.model.clone()).collect()
}

fn parts(blueprint: &Blueprint) -> Result<Vec<DemoPart<'_>>, DemoError> {
    let mut parts: Vec<DemoPart<'_>> = Vec::new();
    for endpoint in &blueprint.endpoints {
        let places: BTreeSet<(&str, &str)> = blueprint
            .settings
            .deployments()
            .filter(|deployment| deployment.cluster == endpoint.cluster)
            .map(|deployment| (deployment.base_path.as_str(), deployment.region.as_str()))
            .collect();
        let mut places = places.into_iter();
        let (Some((base_path, region)), None) = (places.next(), places.next()) else {
            return Err(DemoError::SeveralRegions {
                host: endpoint.host.clone(),
                port: endpoint.port,
            });
        };
        match parts.iter_mut().find(|part| part.base_path == base_path) {
            Some(part) => part.endpoints.push((endpoint, region)),
            None => parts.push(DemoPart {
                base_path,
                endpoints: vec![(endpoint, region)],
            }),
        }
    }
    Ok(parts)
}

/// The credentials that the emulator accepts: the user's, and made-up ones for variables that are
/// not set.
#[derive(Default)]
struct DemoKeys {
    credentials: BTreeMap<String, KnownCredential>,
    api_keys: BTreeSet<String>,
    variables: BTreeMap<String, String>,
}

impl DemoKeys {
    fn of(blueprint: &Blueprint, environment: &Environment) -> Result<Self, DemoError> {
        let mut keys = DemoKeys::default();
        let known = |name: &EnvName| {
            let literal = blueprint
                .secrets
                .get(name)
                .map(|secret| secret.expose().to_owned());
            literal.or_else(|| environment.value(&name.0).map(str::to_owned))
        };
        for deployment in blueprint.settings.deployments() {
            let mut value = |name: &EnvName, demo: &str| {
                known(name).unwrap_or_else(|| {
                    let made_up = keys
                        .variables
                        .entry(name.0.clone())
                        .or_insert_with(|| demo.to_owned());
                    made_up.clone()
                })
            };
            match &deployment.credentials {
                CredentialSettings::Bearer { api_key } => {
                    let api_key = value(api_key, DEMO_API_KEY);
                    keys.api_keys.insert(api_key);
                }
                CredentialSettings::Sigv4(names)
                | CredentialSettings::Brokered {
                    environment: Some(names),
                    ..
                } => {
                    let (id, secret) = (&names.access_key_id, &names.secret_access_key);
                    let token = names.session_token.as_ref();
                    let credential = KnownCredential {
                        access_key_id: value(id, &demo_access_key_id(id)),
                        secret_access_key: value(secret, DEMO_SECRET_ACCESS_KEY),
                        session_token: token.map(|name| value(name, DEMO_SESSION_TOKEN)),
                    };
                    keys.insert(credential)?;
                }
                CredentialSettings::Brokered {
                    environment: None, ..
                } => {}
            }
        }
        Ok(keys)
    }

    fn credentials(&self) -> Vec<KnownCredential> {
        self.credentials.values().cloned().collect()
    }

    fn api_keys(&self) -> Vec<String> {
        self.api_keys.iter().cloned().collect()
    }

    fn insert(&mut self, credential: KnownCredential) -> Result<(), DemoError> {
        let id = credential.access_key_id.clone();
        match self.credentials.get(&id) {
            Some(known) if *known != credential => Err(DemoError::SeveralSecrets(id)),
            _ => {
                self.credentials.insert(id, credential);
                Ok(())
            }
        }
    }
}

/// An id for each variable, so that two accounts stay different.
fn demo_access_key_id(name: &EnvName) -> String {
    if name.0 == "AWS_ACCESS_KEY_ID" {
        return DEMO_ACCESS_KEY_ID.to_owned();
    }
    let letters = name.0.bytes().map(|byte| {
        if byte.is_ascii_alphanumeric() {
            byte.to_ascii_uppercase()
        } else {
            b'0'
        }
    });
    "AKIADEMO"
        .bytes()
        .chain(letters)
        .take(128)
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::SecretPolicy;
    use crate::litellm;

    fn blueprint(text: &str, environment: &Environment) -> Blueprint {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.yaml");
        std::fs::write(&path, text).unwrap();
        litellm::read(&path, environment, SecretPolicy::Demo).unwrap()
    }

    const TWO_ACCOUNTS: &str = "model_list:
- {model_name: m, litellm_params: {model: bedrock/a.b, aws_region_name: us-west-2, aws_access_key_id: os.environ/A_ID,
   aws_secret_access_key: os.environ/A_SECRET}}
- {model_name: m, litellm_params: {model: bedrock/a.b, aws_region_name: us-east-1, aws_access_key_id: os.environ/B_ID,
   aws_secret_access_key: os.environ/B_SECRET}}
";

    #[test]
    fn keys_that_are_set_are_kept_and_others_are_made_up() {
        let environment: Environment = [("A_ID", "AKIAMINE"), ("A_SECRET", "mine")].into_iter().collect();
        let keys = DemoKeys::of(&blueprint(TWO_ACCOUNTS, &environment), &environment).unwrap();
        assert_eq!(keys.variables.keys().collect::<Vec<_>>(), ["B_ID", "B_SECRET"]);
        assert_eq!(keys.credentials["AKIAMINE"].secret_access_key, "mine");
        assert_eq!(
            keys.credentials["AKIADEMOB0ID"].secret_access_key,
            DEMO_SECRET_ACCESS_KEY
        );
    }

    #[test]
    fn an_endpoint_with_two_regions_is_refused_with_its_address() {
        let text = "model_list:
- {model_name: m, litellm_params: {model: bedrock/a.b, aws_region_name: us-west-2, api_base: 'http://h:81'}}
- {model_name: m, litellm_params: {model: bedrock/a.b, aws_region_name: us-east-1, api_base: 'http://h:81'}}
";
        let blueprint = blueprint(text, &Environment::default());
        assert!(parts(&blueprint).err().unwrap().to_string().contains("h:81"));
    }
}
