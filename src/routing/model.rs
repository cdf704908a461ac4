//! Model groups, which clients select by name, by alias or through a wildcard.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use crate::contract::operation::Operation;
use crate::contract::routing::ModelRouting;
use crate::guardrail::Guardrail;
use crate::routing::deployment::Deployment;
use crate::routing::wildcard::Pattern;

/// A model group: the deployments with one `model_name`.
#[derive(Debug)]
pub(crate) struct ModelGroup {
    /// Index in the configuration.
    pub index: u32,
    /// The configured name, possibly with wildcards.
    pub name: String,
    /// The deployments, in the order of the configuration.
    pub deployments: Vec<Rc<Deployment>>,
    /// The guardrail added to requests, if any.
    pub guardrail: Option<Guardrail>,
    /// Its retries and fallbacks.
    pub routing: ModelRouting,
}

impl ModelGroup {
    /// Whether a request may have to be signed, for which its body must be complete. The others are
    /// sent with a Bedrock API key.
    pub(crate) fn needs_signatures(&self) -> bool {
        let mut deployments = self.deployments.iter();
        deployments.any(|deployment| deployment.credentials.are_keys())
    }
}

/// All model groups of a configuration.
#[derive(Debug, Default)]
pub(crate) struct ModelGroups {
    exact: HashMap<String, Rc<ModelGroup>>,
    /// The most specific first. Names that match a pattern without a model are withheld.
    wildcards: Vec<(Pattern, Option<Rc<ModelGroup>>)>,
    aliases: HashMap<String, String>,
    /// Names that are refused even if a wildcard matches.
    withheld: HashSet<String>,
}

/// A model group selected by a client.
#[derive(Clone, Debug)]
pub(crate) struct ModelMatch {
    /// The model group.
    pub model: Rc<ModelGroup>,
    /// What each `*` in its name matched.
    pub captures: Vec<String>,
}

impl ModelMatch {
    /// A deployment that cannot serve `operation`, if any.
    pub(crate) fn unsupported(&self, operation: Operation) -> Option<&Deployment> {
        let mut deployments = self.model.deployments.iter();
        let found = deployments.find(|deployment| !deployment.supports(operation, &self.captures));
        found.map(|deployment| &**deployment)
    }

    /// Whether a body for `other` can be sent here. Converse has one format for all models, the other
    /// operations that of the model's provider. If a provider is not known, Bedrock decides.
    pub(crate) fn takes_body_of(&self, other: &Self, operation: Operation) -> bool {
        let provider = |matched: &Self| {
            let first = matched.model.deployments.first();
            first.and_then(|first| first.provider(&matched.captures))
        };
        let has_one_format = matches!(operation, Operation::Converse | Operation::ConverseStream);
        has_one_format
            || provider(self)
                .zip(provider(other))
                .is_none_or(|(own, other)| own == other)
    }
}

impl ModelGroups {
    /// Indexes the model groups, their aliases and the withheld names.
    pub(crate) fn new(
        models: Vec<ModelGroup>,
        aliases: impl IntoIterator<Item = (String, String)>,
        withheld: &BTreeSet<String>,
    ) -> Self {
        let mut all = Self {
            aliases: aliases.into_iter().collect(),
            ..Self::default()
        };
        for name in withheld {
            match Pattern::parse(name) {
                Some(pattern) => all.wildcards.push((pattern, None)),
                None => drop(all.withheld.insert(name.clone())),
            }
        }
        for model in models.into_iter().map(Rc::new) {
            match Pattern::parse(&model.name) {
                Some(pattern) => all.wildcards.push((pattern, Some(model))),
                None => drop(all.exact.insert(model.name.clone(), model)),
            }
        }
        // The sort is stable: of two equally specific patterns, a withheld one comes first.
        all.wildcards
            .sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.literal_bytes()));
        all
    }

    /// All model groups, in no particular order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &ModelGroup> {
        let wildcards = self.wildcards.iter().filter_map(|(_, model)| model.as_ref());
        self.exact.values().chain(wildcards).map(|model| &**model)
    }

    /// Further names of model groups.
    pub(crate) fn aliases(&self) -> impl Iterator<Item = &str> {
        self.aliases.keys().map(String::as_str)
    }

    /// Finds the model group for `name`. An exact name takes precedence over an alias, and both
    /// over a wildcard.
    pub(crate) fn find(&self, name: &str) -> Option<ModelMatch> {
        let name = match self.aliases.get(name) {
            Some(target) if !self.exact.contains_key(name) => target,
            _ => name,
        };
        if let Some(model) = self.exact.get(name) {
            return Some(ModelMatch {
                model: Rc::clone(model),
                captures: Vec::new(),
            });
        }
        if self.withheld.contains(name) {
            return None;
        }
        let matching = |(pattern, model): &(Pattern, Option<Rc<ModelGroup>>)| {
            Some((model.clone(), pattern.captures(name)?))
        };
        let (model, captures) = self.wildcards.iter().find_map(matching)?;
        Some(ModelMatch {
            model: model?,
            captures,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models(names: &[&str], aliases: &[(&str, &str)]) -> ModelGroups {
        models_without(names, aliases, &[])
    }

    fn models_without(names: &[&str], aliases: &[(&str, &str)], withheld: &[&str]) -> ModelGroups {
        let model = |name: &&str| ModelGroup {
            index: 0,
            name: (*name).into(),
            deployments: Vec::new(),
            guardrail: None,
            routing: ModelRouting::default(),
        };
        ModelGroups::new(
            names.iter().map(model).collect(),
            aliases
                .iter()
                .map(|(alias, name)| ((*alias).into(), (*name).into())),
            &withheld.iter().map(|name| (*name).into()).collect(),
        )
    }

    fn find(models: &ModelGroups, name: &str) -> Option<(String, Vec<String>)> {
        models
            .find(name)
            .map(|named| (named.model.name.clone(), named.captures))
    }

    #[test]
    fn names_are_case_sensitive_and_exact() {
        let models = models(&["Claude"], &[]);
        assert!(find(&models, "Claude").is_some());
        for other in ["claude", "Claude ", "Claud", ""] {
            assert!(find(&models, other).is_none(), "{other}");
        }
    }

    #[test]
    fn an_alias_selects_its_model_unless_a_model_has_the_same_name() {
        let models = models(&["a", "b"], &[("x", "a"), ("b", "a"), ("y", "gone")]);
        assert_eq!(find(&models, "x").unwrap().0, "a");
        assert_eq!(find(&models, "b").unwrap().0, "b");
        assert!(find(&models, "y").is_none());
    }

    #[test]
    fn the_most_specific_wildcard_wins_after_exact_names() {
        let models = models(&["*", "us.*", "us.anthropic.*", "us.meta"], &[]);
        assert_eq!(find(&models, "us.meta").unwrap().0, "us.meta");
        assert_eq!(
            find(&models, "us.anthropic.x").unwrap(),
            ("us.anthropic.*".into(), vec!["x".into()])
        );
        assert_eq!(find(&models, "us.x").unwrap(), ("us.*".into(), vec!["x".into()]));
        assert_eq!(find(&models, "eu.x").unwrap(), ("*".into(), vec!["eu.x".into()]));
    }

    #[test]
    fn a_withheld_name_is_not_served_by_a_wildcard() {
        let models = models_without(
            &["*", "us.anthropic.*", "us.meta"],
            &[("x", "gone")],
            &["gone", "us.*"],
        );
        assert!(find(&models, "gone").is_none());
        assert!(find(&models, "x").is_none());
        assert!(find(&models, "us.nova").is_none());
        assert_eq!(find(&models, "us.anthropic.y").unwrap().0, "us.anthropic.*");
        assert_eq!(find(&models, "us.meta").unwrap().0, "us.meta");
        assert_eq!(find(&models, "goner").unwrap().0, "*");
        assert_eq!(models.all().count(), 3);
    }
}
