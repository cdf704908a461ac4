//! The proxy key that clients present: `general_settings.master_key`, else the variable
//! `LITELLM_MASTER_KEY`.

use envoy_bedrock::contract::settings::EnvName;
use envoy_bedrock::secret::Secret;

use super::problem::Problem;
use super::report::Reader;
use crate::document::field::Section;
use crate::document::location::Location;
use crate::document::reader::Read;
use crate::environment::SecretPolicy;

const VARIABLE: &str = "LITELLM_MASTER_KEY";
/// The key in LiteLLM's documentation, which is publicly known.
const DEMO_KEY: &str = "sk-1234";
/// How LiteLLM's keys start. LiteLLM does not enforce this for a master key.
const PREFIX: &str = "sk-";

impl Reader<'_> {
    /// The variable that holds the proxy key.
    pub(crate) fn proxy_key(&mut self, general: &Section, document: &Location) -> Read<EnvName> {
        let permits_weak = match general.field("dangerously_permit_weak_or_unset_master_key") {
            Some(field) => self.flag(&field)?,
            None => false,
        };
        let (location, name) = match general.field("master_key") {
            Some(field) => (field.location.clone(), self.secret(&field)?),
            None if self.policy == SecretPolicy::MustExist && !self.variables.is_set(VARIABLE) => {
                let location = general.location_of("master_key");
                return Err(self.error(&location, Problem::NoMasterKey));
            }
            None => (document.clone(), self.secret_variable(document, VARIABLE)?),
        };
        if self.missing.contains(&name) {
            self.provide_proxy_key(&location, &name);
        }
        let Some(value) = self.secret_value(&name).map(str::to_owned) else {
            return Ok(name);
        };
        if !value.starts_with(PREFIX) {
            let text =
                format!("the proxy key does not start with {PREFIX}, unlike LiteLLM's keys: it still works");
            self.note(&location, text);
        }
        if value == DEMO_KEY && self.policy != SecretPolicy::Demo && !permits_weak {
            let text =
                "the proxy key is the publicly known sk-1234: change it before others can reach the gateway";
            self.note(&location, text);
        }
        Ok(name)
    }

    /// Replaces a proxy key that is not set for a demonstration, else notes where it is expected.
    fn provide_proxy_key(&mut self, location: &Location, name: &EnvName) {
        if self.policy == SecretPolicy::Demo {
            self.missing.remove(name);
            let key = Secret::new(DEMO_KEY);
            self.secrets.insert(name.clone(), key);
            self.note(
                location,
                format!("the proxy key is {DEMO_KEY}, only for this demonstration"),
            );
        } else {
            let text = format!("the proxy key is expected in the environment variable {}", name.0);
            self.note(location, text);
        }
    }
}
