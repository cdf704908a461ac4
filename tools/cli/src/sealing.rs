//! Seals the secrets of a configuration into its settings.

use std::io;

use envoy_bedrock::contract::settings::EnvName;
use envoy_bedrock::sealing::SealingKey;
use envoy_bedrock::secret::Secret;

use crate::blueprint::Blueprint;
use crate::environment::Environment;
use crate::random;

/// The 64 hexadecimal digits of a new sealing key, from the kernel's entropy.
pub(crate) fn new_key() -> io::Result<String> {
    random::bytes::<32>().map(hex::encode)
}

/// Puts every secret that has a value into the settings: a literal of the configuration or a
/// variable of `environment`.
pub(crate) fn seal(blueprint: &mut Blueprint, key: &SealingKey, environment: &Environment) {
    let value = |name: &EnvName| {
        let literal = blueprint.secrets.get(name).cloned();
        literal.or_else(|| environment.value(&name.0).map(Secret::new))
    };
    let names = blueprint.settings.secret_names();
    let sealed = names.into_iter().filter_map(|name| {
        let secret = value(name)?;
        Some((name.clone(), key.seal(&name.0, &secret)))
    });
    blueprint.settings.sealed = sealed.collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::SecretPolicy;
    use crate::litellm;

    const CONFIG: &str = "general_settings: {master_key: sk-literal}
model_list:
- {model_name: m, litellm_params: {model: bedrock/a.b, aws_region_name: us-west-2, aws_access_key_id: os.environ/A_ID,
   aws_secret_access_key: os.environ/A_SECRET}}
";

    #[test]
    fn literals_and_variables_are_sealed_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.yaml");
        std::fs::write(&path, CONFIG).unwrap();
        let environment: Environment = [("A_ID", "AKIAMINE"), ("A_SECRET", "mine"), ("OTHER", "x")]
            .into_iter()
            .collect();
        let mut blueprint = litellm::read(&path, &environment, SecretPolicy::MustExist).unwrap();
        let key = SealingKey::parse(&new_key().unwrap()).unwrap();
        seal(&mut blueprint, &key, &environment);
        let settings = &blueprint.settings;
        let names: Vec<&EnvName> = settings.sealed.keys().collect();
        assert_eq!(names, settings.secret_names().into_iter().collect::<Vec<_>>());
        let opened = settings.sealed.iter().map(|(name, sealed)| {
            let secret = key.open(&name.0, sealed).unwrap();
            secret.expose().to_owned()
        });
        let mut opened: Vec<String> = opened.collect();
        opened.sort();
        assert_eq!(opened, ["AKIAMINE", "mine", "sk-literal"]);
    }

    #[test]
    fn two_keys_differ() {
        assert_ne!(new_key().unwrap(), new_key().unwrap());
    }
}
