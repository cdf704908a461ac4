//! The models that a key or a team of LiteLLM's can call.

use std::collections::BTreeSet;

use super::losses::Loss;
use super::record::Record;

/// LiteLLM's names for sets of models.
const ALL: &str = "all-proxy-models";
const ALL_OF_TEAM: &str = "all-team-models";
const NONE: &str = "no-default-models";

/// The models that a key or a team can call, and whether it can call any. An empty list means all of
/// them: a team's own list then limits its keys.
pub(super) fn models(record: &mut Record) -> (Vec<String>, bool) {
    let mut models = record.texts("models");
    let has = |name: &str| models.iter().any(|model| model == name);
    if has(ALL) || has(ALL_OF_TEAM) {
        return (Vec::new(), true);
    }
    let has_none = has(NONE);
    models.retain(|model| model != NONE);
    let can_call = !has_none || !models.is_empty();
    (models, can_call)
}

/// The names of models in a configuration.
pub(super) struct ModelNames {
    exact: BTreeSet<String>,
    wildcards: Vec<String>,
}

impl ModelNames {
    pub(super) fn new(names: Vec<String>) -> Self {
        let (wildcards, exact) = names.into_iter().partition(|name| name.contains('*'));
        let exact = Vec::into_iter(exact).collect();
        Self { exact, wildcards }
    }

    /// The names among `models` that no model has: they are names of access groups or of models that
    /// are no longer there.
    pub(super) fn unknown<'a>(&self, models: &'a [String]) -> impl Iterator<Item = Loss> + use<'a, '_> {
        let is_unknown = |name: &&String| {
            let is_known = self.exact.contains(*name) || name.contains('*');
            !is_known && !self.wildcards.iter().any(|wildcard| matches(wildcard, name))
        };
        let meaning = "no model here has this name; if it is an access group, name its models instead";
        let unknown = models.iter().filter(is_unknown);
        unknown.map(move |name| Loss::left(format!("models: {name}"), meaning))
    }
}

/// Whether a name with `*` matches another name.
fn matches(wildcard: &str, name: &str) -> bool {
    let (start, rest) = wildcard.split_once('*').unwrap_or((wildcard, ""));
    let Some(mut name) = name.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or("");
    for part in parts {
        let Some((_, after)) = name.split_once(part) else {
            return false;
        };
        name = after;
    }
    name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::columns::KEYS;
    use super::*;

    fn read(names: &[&str]) -> (Vec<String>, bool) {
        let row = json!({ "models": names });
        models(&mut Record::new(row.as_object().unwrap().clone(), &KEYS))
    }

    #[test]
    fn names_of_sets_of_models_become_lists_of_this_gateway() {
        let none: Vec<String> = Vec::new();
        assert_eq!(read(&[]), (none.clone(), true));
        assert_eq!(read(&["a", "all-proxy-models"]), (none.clone(), true));
        assert_eq!(read(&["all-team-models", "a"]), (none.clone(), true));
        assert_eq!(read(&["no-default-models"]), (none, false));
        assert_eq!(read(&["no-default-models", "a"]), (vec!["a".to_owned()], true));
        assert_eq!(read(&["a", "b*"]), (vec!["a".to_owned(), "b*".to_owned()], true));
    }

    #[test]
    fn a_wildcard_stands_for_any_text() {
        for (wildcard, name) in [
            ("*", "a"),
            ("a*", "ab"),
            ("*b", "ab"),
            ("a*c*e", "abcde"),
            ("a*b*b", "abb"),
        ] {
            assert!(matches(wildcard, name), "{wildcard} {name}");
        }
        for (wildcard, name) in [("a*", "b"), ("*b", "a"), ("a*a", "a"), ("a*b*b", "ab")] {
            assert!(!matches(wildcard, name), "{wildcard} {name}");
        }
    }

    #[test]
    fn names_that_no_model_has_are_found() {
        let names = ModelNames::new(vec!["claude".to_owned(), "bedrock/*".to_owned()]);
        let models = ["claude", "bedrock/x", "n*", "beta-group"].map(str::to_owned);
        let unknown: Vec<_> = names.unknown(&models).map(|loss| loss.setting).collect();
        assert_eq!(unknown, ["models: beta-group"]);
    }
}
