//! The models that a key may call: OpenAI's `/v1/models`, and LiteLLM's `/model/info`.

use serde_json::{Map, Value, json};

use crate::keys::VirtualKey;
use crate::pricing::{PicoUsd, Rate};
use crate::routing::active_config::ActiveConfig;
use crate::routing::deployment::Deployment;
use crate::routing::model::ModelGroup;

/// LiteLLM's constant: when a model was created is not known.
const CREATED: u64 = 1_677_610_602;
/// LiteLLM's constant, which its clients expect.
const OWNER: &str = "openai";

/// All models that `key` may call by name. Those that match a wildcard have no list.
pub(super) fn list(config: &ActiveConfig, key: &VirtualKey) -> Value {
    let models: Vec<_> = names(config, key).iter().map(|name| model(name)).collect();
    json!({ "data": models, "object": "list" })
}

/// The model that `key` may call by this name, also through a wildcard.
pub(super) fn one(config: &ActiveConfig, key: &VirtualKey, name: &str) -> Option<Value> {
    let resolved = key.resolve(name);
    let found = config.models.find(resolved)?;
    key.may_call(resolved, Some(&found.model.name))
        .then(|| model(name))
}

/// The deployments of the models that `key` may call.
pub(super) fn deployments(config: &ActiveConfig, key: &VirtualKey) -> Value {
    let deployments = callable(config, key).into_iter().flat_map(|group| {
        let deployments = group.deployments.iter();
        deployments.map(|deployment| about(group, deployment))
    });
    json!({ "data": deployments.collect::<Vec<_>>() })
}

/// The model groups that `key` may call, in the order of the configuration.
pub(super) fn callable<'a>(config: &'a ActiveConfig, key: &VirtualKey) -> Vec<&'a ModelGroup> {
    let mut groups = groups(config);
    groups.retain(|group| key.may_call(&group.name, Some(&group.name)));
    groups
}

fn names(config: &ActiveConfig, key: &VirtualKey) -> Vec<String> {
    let groups = groups(config);
    let groups = groups.iter().map(|group| group.name.as_str());
    let shared = groups.chain(config.models.aliases());
    let shared = shared.filter(|name| {
        let found = config.models.find(name);
        !name.contains('*') && found.is_some_and(|found| key.may_call(name, Some(&found.model.name)))
    });
    let own = key.aliases().filter(|(_, target)| {
        let found = config.models.find(target);
        found.is_some_and(|found| key.may_call(target, Some(&found.model.name)))
    });
    let mut names: Vec<String> = Vec::new();
    for name in shared.chain(own.map(|(alias, _)| alias)) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// All model groups, in the order of the configuration.
fn groups(config: &ActiveConfig) -> Vec<&ModelGroup> {
    let mut groups: Vec<_> = config.models.all().collect();
    groups.sort_by_key(|group| group.index);
    groups
}

fn model(name: &str) -> Value {
    json!({ "id": name, "object": "model", "created": CREATED, "owned_by": OWNER })
}

fn about(group: &ModelGroup, deployment: &Deployment) -> Value {
    let mut info = Map::new();
    info.insert("id".into(), deployment.id.as_str().into());
    info.insert("db_model".into(), false.into());
    info.insert("litellm_provider".into(), "bedrock".into());
    let rates = deployment
        .rates
        .as_ref()
        .map(|rates| rates.base)
        .unwrap_or_default();
    for (name, rate) in [
        ("input_cost_per_token", rates.input),
        ("output_cost_per_token", rates.output),
        ("cache_read_input_token_cost", rates.cache_read),
        ("cache_creation_input_token_cost", rates.cache_write),
    ] {
        info.insert(name.into(), json!(rate.map(price)));
    }
    json!({
        "model_name": group.name,
        "litellm_params": {
            "model": format!("bedrock/{}", deployment.configured_model()),
            "aws_region_name": deployment.region,
        },
        "model_info": info,
    })
}

fn price(rate: Rate) -> Value {
    let text = PicoUsd::new(rate.0.into()).to_string();
    serde_json::from_str(&text).unwrap_or_default()
}
