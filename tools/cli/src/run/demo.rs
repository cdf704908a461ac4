//! The emulator in the place of AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use bedrock_emulator::config::{DEMO_ACCESS_KEY_ID, DEMO_API_KEY, DEMO_SECRET_ACCESS_KEY};
use bedrock_emulator::{Emulator, EmulatorConfig, KnownCredential, RegionConfig, TlsConfig};
use envoy_bedrock::contract::settings::{CredentialSettings, DeploymentSettings, EnvName};

use crate::blueprint::{Blueprint, Endpoint};
use crate::environment::Environment;
use crate::render::HostPort;

/// Session token of a deployment that has to have one.
const DEMO_SESSION_TOKEN: &str = "emulator-demo-session-token";

/// Running emulators: one for each base path of the configuration, so mostly one.
pub(super) struct Demo {
    emulators: Vec<Emulator>,
    /// Where each cluster connects to.
    pub(super) addresses: BTreeMap<String, HostPort>,
    /// Variables of Envoy that the user has not set.
    pub(super) variables: BTreeMap<String, String>,
}

/// What one emulator stands in for.
struct DemoPart<'a> {
    base_path: &'a str,
    endpoints: Vec<(&'a Endpoint, &'a str)>,
}

impl Demo {
    /// Starts emulators for every endpoint of `blueprint`.
    pub(super) async fn start(blueprint: &Blueprint, environment: &Environment) -> Result<Self, String> {
        let keys = DemoKeys::of(blueprint, environment)?;
        let mut demo = Demo {
            emulators: Vec::new(),
            addresses: BTreeMap::new(),
            variables: keys.variables.clone(),
        };
        for part in parts(blueprint)? {
            let emulator = Emulator::start(part.config(blueprint, &keys))
                .await
                .map_err(|error| error.to_string())?;
            for (endpoint, region) in &part.endpoints {
                let found = emulator.addresses().get(*region);
                let address = found.and_then(|found| match endpoint.server_name {
                    Some(_) => found.https,
                    None => found.http,
                });
                let address = address
                    .ok_or_else(|| format!("expected the emulator to serve {region}, but it does not"))?;
                let address = HostPort {
                    host: address.ip().to_string(),
                    port: address.port(),
                };
                demo.addresses.insert(endpoint.cluster.clone(), address);
            }
            demo.emulators.push(emulator);
        }
        Ok(demo)
    }

    /// What Envoy has to trust, in PEM.
    pub(super) fn ca_pem(&self) -> String {
        self.emulators.iter().map(Emulator::ca_pem).collect()
    }

    /// Where faults and paces are set.
    pub(super) fn controls(&self) -> Vec<SocketAddr> {
        self.emulators.iter().map(Emulator::control).collect()
    }

    /// Closes everything.
    pub(super) async fn shutdown(self) {
        for emulator in self.emulators {
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
            credentials: keys.credentials.values().cloned().collect(),
            api_keys: keys.api_keys.iter().cloned().collect(),
            models: deployments(blueprint)
                .map(|deployment| deployment.model.clone())
                .collect(),
            tls: TlsConfig::Generated {
                host_names: host_names.collect(),
            },
            base_path: self.base_path.to_owned(),
            ..EmulatorConfig::default()
        }
    }
}

fn deployments(blueprint: &Blueprint) -> impl Iterator<Item = &DeploymentSettings> {
    blueprint
        .settings
        .models
        .iter()
        .flat_map(|model| &model.deployments)
}

fn parts(blueprint: &Blueprint) -> Result<Vec<DemoPart<'_>>, String> {
    let mut parts: Vec<DemoPart<'_>> = Vec::new();
    for endpoint in &blueprint.endpoints {
        let places: BTreeSet<(&str, &str)> = deployments(blueprint)
            .filter(|deployment| deployment.cluster == endpoint.cluster)
            .map(|deployment| (deployment.base_path.as_str(), deployment.region.as_str()))
            .collect();
        let mut places = places.into_iter();
        let (Some((base_path, region)), None) = (places.next(), places.next()) else {
            return Err(format!(
                "expected deployments at {}:{} to share one region and one path for the emulator, but found several: \
                 use BEDROCK=aws",
                endpoint.host, endpoint.port
            ));
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

/// The credentials that the emulator knows: the user's where there are some, made-up ones for the rest.
#[derive(Default)]
struct DemoKeys {
    credentials: BTreeMap<String, KnownCredential>,
    api_keys: BTreeSet<String>,
    variables: BTreeMap<String, String>,
}

impl DemoKeys {
    fn of(blueprint: &Blueprint, environment: &Environment) -> Result<Self, String> {
        let mut keys = DemoKeys::default();
        let known = |name: &EnvName| {
            let literal = blueprint.secrets.get(name).map(|secret| secret.0.clone());
            literal.or_else(|| environment.value(&name.0).map(str::to_owned))
        };
        for deployment in deployments(blueprint) {
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
                CredentialSettings::Sigv4 {
                    access_key_id,
                    secret_access_key,
                    session_token,
                } => {
                    let credential = KnownCredential {
                        access_key_id: value(access_key_id, &demo_access_key_id(access_key_id)),
                        secret_access_key: value(secret_access_key, DEMO_SECRET_ACCESS_KEY),
                        session_token: session_token.as_ref().map(|name| value(name, DEMO_SESSION_TOKEN)),
                    };
                    keys.insert(credential)?;
                }
            }
        }
        Ok(keys)
    }

    fn insert(&mut self, credential: KnownCredential) -> Result<(), String> {
        let id = credential.access_key_id.clone();
        match self.credentials.get(&id) {
            Some(known) if *known != credential => Err(format!(
                "expected one secret for the access key id {id}, but found several: the emulator cannot tell them apart"
            )),
            _ => {
                self.credentials.insert(id, credential);
                Ok(())
            }
        }
    }
}

/// Ids differ as their variables do: two accounts stay two.
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
    fn keys_that_are_set_stay_and_the_others_are_made_up() {
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
    fn an_endpoint_with_two_regions_is_refused_by_its_address() {
        let text = "model_list:
- {model_name: m, litellm_params: {model: bedrock/a.b, aws_region_name: us-west-2, api_base: 'http://h:81'}}
- {model_name: m, litellm_params: {model: bedrock/a.b, aws_region_name: us-east-1, api_base: 'http://h:81'}}
";
        let blueprint = blueprint(text, &Environment::default());
        assert!(parts(&blueprint).err().unwrap().contains("h:81"));
    }
}
