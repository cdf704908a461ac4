//! The rules that need a whole file.

use std::path::PathBuf;
use std::time::Duration;

use envoy_bedrock::config::{CredentialSettings, EnvName};

use super::*;

fn name(name: &str) -> EnvName {
    EnvName(name.to_owned())
}

#[test]
fn the_sample_is_one_model_in_two_regions() {
    let sample = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../config.yaml");
    let environment = Environment::default();
    let blueprint = read(&sample, &environment, Secrets::Demo).unwrap();
    let [model] = blueprint.settings.models.as_slice() else {
        panic!("{:?}", blueprint.settings.models)
    };
    assert_eq!(model.name, "my-bedrock-model");
    let regions: Vec<&str> = model
        .deployments
        .iter()
        .map(|deployment| deployment.region.as_str())
        .collect();
    assert_eq!(regions, ["us-west-2", "us-east-1"]);
    for deployment in &model.deployments {
        assert_eq!(deployment.model, "us.anthropic.claude-3-5-sonnet-20240620-v1:0");
        assert_eq!(deployment.weight, 1);
        assert_eq!(
            deployment.authority,
            format!("bedrock-runtime.{}.amazonaws.com", deployment.region)
        );
        assert_eq!(
            deployment.credentials,
            CredentialSettings::Sigv4 {
                access_key_id: name("AWS_ACCESS_KEY_ID"),
                secret_access_key: name("AWS_SECRET_ACCESS_KEY"),
                session_token: None,
            }
        );
    }
    assert_eq!(blueprint.endpoints[0].cluster, "us-west-2");
    assert_eq!(
        blueprint.endpoints[1].server_name.as_deref(),
        Some("bedrock-runtime.us-east-1.amazonaws.com")
    );
    assert_eq!(blueprint.settings.attempts, 3);
    assert_eq!(blueprint.request_timeout, Duration::from_secs(600));
    assert_eq!(blueprint.secrets[&name("LITELLM_MASTER_KEY")].0, "sk-1234");
    assert_eq!(
        blueprint.missing,
        [name("AWS_ACCESS_KEY_ID"), name("AWS_SECRET_ACCESS_KEY")].into()
    );
}
