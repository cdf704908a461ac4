//! Which models a key or a team may call.

use crate::routing::wildcard::Pattern;

/// LiteLLM's name for every model.
const ALL_MODELS: &str = "all-proxy-models";

/// The models that may be called.
#[derive(Debug, Default)]
pub(super) struct AllowedModels {
    /// As configured.
    pub(super) names: Vec<String>,
    /// `None`: all of them.
    models: Option<Vec<ModelName>>,
}

#[derive(Debug)]
enum ModelName {
    Exact(String),
    Wildcard(Pattern),
}

impl AllowedModels {
    /// The models with these names, possibly with `*`. No names: all models.
    pub(super) fn new(names: &[String]) -> Self {
        if names.is_empty() || names.iter().any(|name| name == ALL_MODELS) {
            return Self {
                names: names.to_vec(),
                models: None,
            };
        }
        let model = |name: &String| match Pattern::parse(name) {
            Some(pattern) => ModelName::Wildcard(pattern),
            None => ModelName::Exact(name.clone()),
        };
        Self {
            names: names.to_vec(),
            models: Some(names.iter().map(model).collect()),
        }
    }

    /// Whether a model may be called that a client names `name`. `group` is the name of the model
    /// group that this selects, if there is one.
    pub(super) fn contains(&self, name: &str, group: Option<&str>) -> bool {
        let Some(models) = &self.models else { return true };
        models.iter().any(|model| match model {
            ModelName::Exact(exact) => exact == name || Some(exact.as_str()) == group,
            ModelName::Wildcard(pattern) => {
                pattern.captures(name).is_some()
                    || group.is_some_and(|group| pattern.captures(group).is_some())
            }
        })
    }
}
