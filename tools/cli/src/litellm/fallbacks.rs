//! Other models that serve a request when its own cannot: `fallbacks` and its siblings.

use std::collections::{BTreeMap, BTreeSet};

use envoy_bedrock::contract::routing::Fallbacks;
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
use crate::document::reader::Read;

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

/// What a file says about fallbacks.
struct Lists {
    general: ByGroup,
    /// For groups without their own.
    default: Vec<Stated>,
    long: ByGroup,
    /// The most fallbacks of a request.
    most: usize,
}

impl Lists {
    /// The fallbacks of requests for `name`, which `group` serves.
    fn general(&self, name: &str, group: &str) -> &[Stated] {
        // As in LiteLLM, which appends the default to the list as that of the star.
        let all = Some(&self.default)
            .filter(|default| !default.is_empty())
            .or(self.general.get(ALL_GROUPS));
        let own = self.general.get(name).or(self.general.get(group));
        own.or(all).map_or(&[], Vec::as_slice)
    }

    /// The fallbacks of requests for `name` that are too long.
    fn long(&self, name: &str, group: &str) -> &[Stated] {
        let mut lists = [name, group, ALL_GROUPS].into_iter();
        let own = lists.find_map(|name| self.long.get(name));
        own.map_or(&[], Vec::as_slice)
    }
}

/// The models of a file, by all their names.
#[derive(Clone, Copy)]
struct NamedModels<'a> {
    models: &'a [ModelSettings],
    aliases: &'a BTreeMap<String, String>,
    left_out: &'a LeftOut,
}

impl<'a> NamedModels<'a> {
    /// The name behind an alias.
    fn resolve<'n>(self, name: &'n str) -> &'n str
    where
        'a: 'n,
    {
        self.aliases.get(name).map_or(name, String::as_str)
    }

    /// The model group that serves `name`, as the filter finds it. No wildcard serves a name that was
    /// left out.
    fn group(self, name: &str) -> Option<&'a ModelSettings> {
        let name = self.resolve(name);
        let exact = self.models.iter().find(|model| model.name == name);
        exact.or_else(|| {
            let wild = self
                .models
                .iter()
                .rev()
                .filter(|model| matches(&model.name, name));
            let best = wild.max_by_key(|model| model.name.len() - model.name.matches('*').count());
            best.filter(|_| !self.left_out.contains(name))
        })
    }
}

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
        let lists = self.fallback_lists(router, litellm)?;
        let served = NamedModels {
            models,
            aliases,
            left_out,
        };
        self.note_unknown_groups(&lists.general, served);
        self.note_unknown_groups(&lists.long, served);
        let own = models.iter().map(|model| model.name.clone());
        let named = lists.general.keys().chain(lists.long.keys()).cloned();
        let named = named.filter(|name| models.iter().all(|model| model.name != *name));
        let names: BTreeSet<String> = own.chain(named).collect();
        let mut sound = Ok(());
        let mut found = Vec::new();
        for name in names {
            let Some(model) = served.group(&name) else {
                continue;
            };
            match self.fallbacks_of(&name, model, &lists, served) {
                Ok(fallbacks) => found.push((model.name.clone(), name, fallbacks)),
                Err(reported) => sound = Err(reported),
            }
        }
        for (group, name, fallbacks) in found {
            let model = models.iter_mut().find(|model| model.name == group);
            let routing = model.map(|model| &mut model.routing);
            match routing {
                Some(routing) if group == name => routing.fallbacks = fallbacks,
                Some(routing) => drop(routing.named_fallbacks.insert(name, fallbacks)),
                None => {}
            }
        }
        sound
    }

    fn fallback_lists(&mut self, router: &Section, litellm: &Section) -> Read<Lists> {
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
        Ok(Lists {
            general: general?,
            default: default?.unwrap_or_default(),
            long: long?,
            most,
        })
    }

    /// The fallbacks of requests for `name`, which `model` serves. A fallback that fails is followed
    /// by its own.
    fn fallbacks_of(
        &mut self,
        name: &str,
        model: &ModelSettings,
        lists: &Lists,
        served: NamedModels<'_>,
    ) -> Read<Fallbacks> {
        let direct = self.resolved(lists.general(name, &model.name), name, model, served);
        let long = self.resolved(lists.long(name, &model.name), name, model, served);
        let (direct, mut long) = (direct?, long?);
        let mut general = Vec::new();
        for (target, location) in &direct {
            follow(target, name, model, lists, served, &mut general);
            if general.len() > lists.most {
                let text = match lists.most {
                    0 => "never used: max_fallbacks is 0".to_owned(),
                    most => format!("only the first {most} are used: max_fallbacks"),
                };
                self.note(location, text);
                break;
            }
        }
        general.truncate(lists.most);
        long.truncate(lists.most);
        Ok(Fallbacks {
            general,
            context_window: long.into_iter().map(|(name, _)| name).collect(),
        })
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
            let named = match element.section() {
                None => element.clone(),
                Some(section) => match &section.fields()[..] {
                    [(key, model)] if key == "model" => model.clone(),
                    _ => {
                        let expected = "the name of a model, because bodies are passed on unchanged";
                        return Err(self.unexpected(&element.location, expected, "a mapping".to_owned()));
                    }
                },
            };
            let name = self.text(&named)?;
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

    /// The stated fallbacks of requests for `name` that can be used, each with its place in the file.
    fn resolved<'s>(
        &mut self,
        stated: &'s [Stated],
        name: &str,
        model: &ModelSettings,
        served: NamedModels<'_>,
    ) -> Read<Vec<(String, &'s Location)>> {
        let mut names = Vec::new();
        for stated in stated {
            let target = served.resolve(&stated.name);
            if target == served.resolve(name) {
                continue;
            }
            match served.group(target) {
                Some(other) if other.guardrail != model.guardrail => {
                    let expected = format!("a model with the guardrail of {}", quoted(&model.name));
                    return Err(self.unexpected(&stated.location, expected, quoted(&stated.name)));
                }
                Some(_) => names.push((target.to_owned(), &stated.location)),
                None if served.left_out.contains(target) => {
                    let text = "never used: this model is not served";
                    self.note_with(&stated.location, text, quoted(&stated.name));
                }
                None => {
                    let known = served.models.iter().map(|model| model.name.as_str());
                    let hint = nearest(&stated.name, known);
                    let hint = hint.map(|near| format!(" (did you mean {}?)", quoted(near)));
                    let found = quoted(&stated.name) + &hint.unwrap_or_default();
                    let expected = "the name of a model of this file";
                    return Err(self.unexpected(&stated.location, expected, found));
                }
            }
        }
        Ok(names)
    }

    /// Notes groups that do not exist.
    fn note_unknown_groups(&mut self, lists: &ByGroup, served: NamedModels<'_>) {
        for (group, stated) in lists {
            let is_known = group == ALL_GROUPS
                || served.models.iter().any(|model| model.name == *group)
                || served.left_out.contains(served.resolve(group))
                || served.group(group).is_some();
            if let Some(first) = stated.first().filter(|_| !is_known) {
                self.note_with(&first.location, UNKNOWN_GROUP, quoted(group));
            }
        }
    }
}

/// Adds a fallback of requests for `name` to `found`, then its own fallbacks.
fn follow(
    target: &str,
    name: &str,
    model: &ModelSettings,
    lists: &Lists,
    served: NamedModels<'_>,
    found: &mut Vec<String>,
) {
    let is_guarded = |other: &ModelSettings| other.guardrail == model.guardrail;
    let is_new = target != served.resolve(name) && !found.iter().any(|other| other == target);
    // One more than the most tells that there are too many.
    let group = served.group(target).filter(|group| is_guarded(group));
    let Some(group) = group.filter(|_| is_new && found.len() <= lists.most) else {
        return;
    };
    found.push(target.to_owned());
    for next in lists.general(target, &group.name) {
        follow(served.resolve(&next.name), name, model, lists, served, found);
    }
}

fn is_empty(field: &YamlField) -> bool {
    field.is_null() || field.elements().is_some_and(|elements| elements.is_empty())
}
