//! Other models that serve a request when its own cannot: `fallbacks` and its siblings.

use std::collections::BTreeMap;

use envoy_bedrock::contract::settings::ModelSettings;

use super::aliases::matches;
use super::known::LONG_REQUESTS;
use super::left_out::LeftOut;
use super::policies::FAILS_MAX;
use super::report::Reader;
use super::routing::UNKNOWN_GROUP;
use super::similar::nearest;
use crate::document::field::{Section, YamlField, quoted};
use crate::document::location::Location;
use crate::document::reader::{Read, Reported};

/// LiteLLM's default for `max_fallbacks`.
const FALLBACKS_DEFAULT: usize = 5;
/// The group whose fallbacks are those of all groups without their own.
const ALL_GROUPS: &str = "*";

/// A fallback as the file names it.
struct Stated {
    name: String,
    location: Location,
}

/// The fallbacks of model groups, by their names.
type ByGroup = BTreeMap<String, Vec<Stated>>;

impl Reader<'_> {
    /// Adds their fallbacks to `models`.
    pub(crate) fn add_fallbacks(
        &mut self,
        router: &Section,
        litellm: &Section,
        aliases: &BTreeMap<String, String>,
        models: &mut [ModelSettings],
        left_out: &LeftOut,
    ) -> Read<()> {
        let mut either = |name| self.first_of([router.field(name), litellm.field(name)]);
        let (general, default) = (either("fallbacks"), either("default_fallbacks"));
        let long = either("context_window_fallbacks");
        let most = self.first_of([router.field("max_fallbacks"), litellm.field("max_fallbacks")]);
        let most = most
            .map(|field| self.whole_number(&field, 0, FAILS_MAX))
            .transpose()?;
        let most = most.map_or(FALLBACKS_DEFAULT, |most| {
            usize::try_from(most).unwrap_or(usize::MAX)
        });
        let general = self.by_group(general);
        let default = default.map(|field| self.names(&field)).transpose();
        if let Some(field) = long.as_ref().filter(|field| !is_empty(field)) {
            self.note(&field.location, LONG_REQUESTS);
        }
        let long = self.by_group(long);
        let (general, default, long) = (general?, default?.unwrap_or_default(), long?);
        self.note_unknown_groups(&general, aliases, models, left_out);
        self.note_unknown_groups(&long, aliases, models, left_out);
        let mut sound = Ok(());
        for index in 0..models.len() {
            let model = &models[index];
            let own = of_group(&general, &model.name, aliases);
            // As in LiteLLM, which appends the default to the list as that of the star.
            let all = Some(&default)
                .filter(|default| !default.is_empty())
                .or(general.get(ALL_GROUPS));
            let stated = own.or(all).map_or(&[][..], Vec::as_slice);
            let resolved = self.resolved(stated, model, aliases, models, left_out, most);
            let long = of_group(&long, &model.name, aliases).or(long.get(ALL_GROUPS));
            let long = long.map(|stated| self.resolved(stated, model, aliases, models, left_out, most));
            match (resolved, long.transpose()) {
                (Ok(general), Ok(long)) => {
                    models[index].routing.fallbacks = general;
                    models[index].routing.context_window_fallbacks = long.unwrap_or_default();
                }
                _ => sound = Err(Reported),
            }
        }
        sound
    }

    /// A list of mappings from a model group to its fallbacks.
    fn by_group(&mut self, field: Option<YamlField>) -> Read<ByGroup> {
        let mut lists = ByGroup::new();
        let Some(field) = field else { return Ok(lists) };
        let Some(elements) = field.elements() else {
            return Err(self.file_error(&field.location, field.not("a list")));
        };
        for element in elements {
            for (group, names) in self.section(&element)?.fields() {
                let names = self.names(&names)?;
                lists.entry(group).or_default().extend(names);
            }
        }
        Ok(lists)
    }

    /// A list of names.
    fn names(&mut self, field: &YamlField) -> Read<Vec<Stated>> {
        let Some(elements) = field.elements() else {
            return Err(self.file_error(&field.location, field.not("a list of names of models")));
        };
        let names = elements.into_iter().map(|element| {
            if element.section().is_some() {
                let expected = "the name of a model, because bodies are passed on unchanged";
                return Err(self.unexpected(&element.location, expected, "a mapping".to_owned()));
            }
            let name = self.text(&element)?;
            if name.contains('*') {
                return Err(self.unexpected(&element.location, "a name without *", quoted(&name)));
            }
            Ok(Stated {
                name,
                location: element.location,
            })
        });
        let names: Vec<_> = names.collect();
        names.into_iter().collect()
    }

    /// The names of a model's fallbacks that can be used.
    fn resolved(
        &mut self,
        stated: &[Stated],
        model: &ModelSettings,
        aliases: &BTreeMap<String, String>,
        models: &[ModelSettings],
        left_out: &LeftOut,
        most: usize,
    ) -> Read<Vec<String>> {
        let mut names = Vec::new();
        for Stated { name, location } in stated {
            let target = resolve(name, aliases);
            if target == model.name || names.contains(&target.to_owned()) {
                continue;
            }
            let is_served = target_is_served(target, models, left_out);
            match serving(target, models).filter(|_| is_served) {
                Some(other) if other.guardrail != model.guardrail => {
                    let expected = format!("a model with the guardrail of {}", quoted(&model.name));
                    return Err(self.unexpected(location, expected, quoted(name)));
                }
                Some(_) => names.push(target.to_owned()),
                None if left_out.contains(target) => {
                    self.note_with(location, "never used: this model is not served", quoted(name));
                }
                None => {
                    let known = models.iter().map(|model| model.name.as_str());
                    let hint = nearest(name, known).map(|near| format!(" (did you mean {}?)", quoted(near)));
                    let found = quoted(name) + &hint.unwrap_or_default();
                    return Err(self.unexpected(location, "the name of a model of this file", found));
                }
            }
        }
        if names.len() > most
            && let Some(first) = stated.first()
        {
            let text = format!("only the first {most} are used: max_fallbacks");
            self.note(&first.location, text);
            names.truncate(most);
        }
        Ok(names)
    }

    /// Notes groups that do not exist.
    fn note_unknown_groups(
        &mut self,
        lists: &ByGroup,
        aliases: &BTreeMap<String, String>,
        models: &[ModelSettings],
        left_out: &LeftOut,
    ) {
        for (group, stated) in lists {
            let name = resolve(group, aliases);
            let is_known = group == ALL_GROUPS || models.iter().any(|model| model.name == name);
            if let Some(first) = stated.first().filter(|_| !is_known && !left_out.contains(name)) {
                self.note_with(&first.location, UNKNOWN_GROUP, quoted(group));
            }
        }
    }
}

/// What the lists have for a model group, under its name or an alias.
fn of_group<'l>(
    lists: &'l ByGroup,
    name: &str,
    aliases: &BTreeMap<String, String>,
) -> Option<&'l Vec<Stated>> {
    let own = lists.iter().find(|(group, _)| resolve(group, aliases) == name);
    own.map(|(_, stated)| stated)
}

/// The model group that serves `name`, as the filter finds it.
fn serving<'m>(name: &str, models: &'m [ModelSettings]) -> Option<&'m ModelSettings> {
    let exact = models.iter().find(|model| model.name == name);
    exact.or_else(|| {
        let wild = models.iter().rev().filter(|model| matches(&model.name, name));
        wild.max_by_key(|model| model.name.len() - model.name.matches('*').count())
    })
}

/// Whether `name` is not one that was left out, which no wildcard serves.
fn target_is_served(name: &str, models: &[ModelSettings], left_out: &LeftOut) -> bool {
    models.iter().any(|model| model.name == name) || !left_out.contains(name)
}

fn resolve<'a>(name: &'a str, aliases: &'a BTreeMap<String, String>) -> &'a str {
    aliases.get(name).map_or(name, String::as_str)
}

fn is_empty(field: &YamlField) -> bool {
    field.is_null() || field.elements().is_some_and(|elements| elements.is_empty())
}
