//! The models that clients can name: by their own name, by an alias, or by a wildcard.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use crate::guardrail::Guardrail;
use crate::routing::balance::Balance;
use crate::routing::deployment::Deployment;
use crate::routing::wildcard::Pattern;

/// One `model_name`: what it stands for, and how its requests are spread.
#[derive(Debug)]
pub struct Model {
    /// Its place in the configuration.
    pub index: u32,
    /// Its name in the configuration; with a wildcard, the pattern.
    pub name: String,
    /// Where its requests can go, in the order of the configuration.
    pub deployments: Vec<Rc<Deployment>>,
    /// In which order they are tried.
    pub balance: Balance,
    /// What guards its requests.
    pub guardrail: Option<Guardrail>,
}

/// All models of a configuration.
#[derive(Debug, Default)]
pub struct Models {
    exact: HashMap<String, Rc<Model>>,
    /// Most specific first. A pattern without a model is withheld.
    wildcards: Vec<(Pattern, Option<Rc<Model>>)>,
    aliases: HashMap<String, String>,
    /// Names that no wildcard may serve.
    withheld: HashSet<String>,
}

/// A model that a client named.
#[derive(Debug)]
pub struct ModelMatch {
    /// The model.
    pub model: Rc<Model>,
    /// What each `*` of its name stands for.
    pub captures: Vec<String>,
}

impl Models {
    /// The models, the aliases of their names, and the names that no wildcard may serve.
    pub fn new(
        models: Vec<Model>,
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
        // Stable: of two patterns that are alike, the withheld one decides.
        all.wildcards
            .sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.literal_bytes()));
        all
    }

    /// All of them, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Model> {
        let wildcards = self.wildcards.iter().filter_map(|(_, model)| model.as_ref());
        self.exact.values().chain(wildcards).map(|model| &**model)
    }

    /// The model that goes by `name`: its own name before an alias, a wildcard only after both.
    pub fn find(&self, name: &str) -> Option<ModelMatch> {
        let name = match self.aliases.get(name) {
            Some(meant) if !self.exact.contains_key(name) => meant,
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
        let matching =
            |(pattern, model): &(Pattern, Option<Rc<Model>>)| Some((model.clone(), pattern.captures(name)?));
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
    use crate::contract::settings::ModelSettings;

    fn models(names: &[&str], aliases: &[(&str, &str)]) -> Models {
        models_without(names, aliases, &[])
    }

    fn models_without(names: &[&str], aliases: &[(&str, &str)], withheld: &[&str]) -> Models {
        let model = |name: &&str| {
            let settings = ModelSettings {
                name: (*name).into(),
                deployments: Vec::new(),
                guardrail: None,
            };
            Model {
                index: 0,
                name: (*name).into(),
                deployments: Vec::new(),
                balance: Balance::new(&settings, 1),
                guardrail: None,
            }
        };
        Models::new(
            names.iter().map(model).collect(),
            aliases
                .iter()
                .map(|(alias, name)| ((*alias).into(), (*name).into())),
            &withheld.iter().map(|name| (*name).into()).collect(),
        )
    }

    fn find(models: &Models, name: &str) -> Option<(String, Vec<String>)> {
        models
            .find(name)
            .map(|named| (named.model.name.clone(), named.captures))
    }

    #[test]
    fn names_are_compared_exactly() {
        let models = models(&["Claude"], &[]);
        assert!(find(&models, "Claude").is_some());
        for other in ["claude", "Claude ", "Claud", ""] {
            assert!(find(&models, other).is_none(), "{other}");
        }
    }

    #[test]
    fn an_alias_leads_to_its_model_and_a_model_hides_an_alias_of_its_name() {
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
    fn a_withheld_name_is_served_by_no_wildcard() {
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
