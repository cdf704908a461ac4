//! Groups of deployments, their shares, and the other names they have.

use std::collections::{BTreeMap, BTreeSet};

use envoy_bedrock::contract::settings::ModelSettings;

use super::deployment::Deployment;
use super::error::Problem;
use super::guardrail;
use super::left_out::{Ghost, LeftOut};
use super::model;
use super::note::Class;
use super::reader::Reader;
use super::unused::nearest;
use super::weights::{self, Rates, Share};
use crate::document::field::{Section, YamlField, quoted};

/// The models, in the order in which their names first appear. A group without deployments is left out.
pub(crate) fn models(
    mut deployments: Vec<Deployment>,
    left_out: &mut LeftOut,
    reader: &mut Reader<'_>,
) -> Vec<ModelSettings> {
    distinct_ids(&mut deployments, reader);
    let mut names: Vec<String> = Vec::new();
    for deployment in &deployments {
        if !names.contains(&deployment.model_name) {
            names.push(deployment.model_name.clone());
        }
    }
    let mut models = Vec::new();
    for name in names {
        let (group, others): (Vec<_>, Vec<_>) =
            deployments.into_iter().partition(|one| one.model_name == name);
        deployments = others;
        let ghosts: Vec<&Ghost> = left_out.ghosts(&name).collect();
        let (group, ghosts) = with_orders(group, &ghosts, reader);
        let group = with_shares(group, &ghosts, reader);
        if group.is_empty() {
            left_out.name(&name);
            continue;
        }
        models.push(ModelSettings {
            name,
            guardrail: guardrail::of_group(&group, reader),
            deployments: group.into_iter().map(|one| one.settings).collect(),
        });
    }
    models
}

/// An id that the file gives must be the only one; equal digests belong to equal deployments and get a number.
fn distinct_ids(deployments: &mut [Deployment], reader: &mut Reader<'_>) {
    let mut first_places: BTreeMap<String, String> = BTreeMap::new();
    for deployment in deployments.iter().filter(|deployment| deployment.has_own_id) {
        let id = &deployment.settings.id;
        if let Some(first) = first_places.get(id).cloned() {
            let what = format!("model_info.id {}", quoted(id));
            let location = deployment.location.field("model_info").field("id");
            reader.wrong::<()>(&location, Problem::Duplicate { what, first });
        }
        first_places
            .entry(id.clone())
            .or_insert_with(|| deployment.location.path.clone());
    }
    for deployment in deployments.iter_mut().filter(|deployment| !deployment.has_own_id) {
        let id = deployment.settings.id.clone();
        let mut free = id.clone();
        let mut count = 2;
        while first_places.contains_key(&free) {
            free = format!("{id}-{count}");
            count += 1;
        }
        if let Some(first) = first_places.get(&id) {
            reader.note(
                &deployment.location,
                format!("says the same as {first}; both are used"),
            );
        }
        first_places.insert(free.clone(), deployment.location.path.clone());
        deployment.settings.id = free;
    }
}

/// LiteLLM never asks a deployment without an `order` beside siblings that have one. Here it is the last resort. Beside
/// the group, the order and the rates of those that were left out.
fn with_orders(
    mut group: Vec<Deployment>,
    ghosts: &[&Ghost],
    reader: &mut Reader<'_>,
) -> (Vec<Deployment>, Vec<(i64, Rates)>) {
    let orders = group
        .iter()
        .filter(|one| one.has_order)
        .map(|one| one.settings.order);
    let highest = orders.chain(ghosts.iter().filter_map(|ghost| ghost.order)).max();
    let last = highest.map_or(0, |highest| highest.saturating_add(1));
    let ghosts = ghosts
        .iter()
        .map(|ghost| (ghost.order.unwrap_or(last), ghost.rates))
        .collect();
    if highest.is_none() {
        return (group, ghosts);
    }
    for deployment in group.iter_mut().filter(|one| !one.has_order) {
        deployment.settings.order = last;
        reader.note(
            &deployment.location,
            "has no order and siblings have: it is tried after all of them",
        );
    }
    (group, ghosts)
}

/// Gives each deployment its share among the siblings of its order, `ghosts` included.
fn with_shares(group: Vec<Deployment>, ghosts: &[(i64, Rates)], reader: &mut Reader<'_>) -> Vec<Deployment> {
    let orders: BTreeSet<i64> = group.iter().map(|one| one.settings.order).collect();
    let mut shares: Vec<Option<Share>> = vec![None; group.len()];
    for order in orders {
        let siblings: Vec<usize> = (0..group.len())
            .filter(|position| group[*position].settings.order == order)
            .collect();
        let own: Vec<Rates> = siblings.iter().map(|sibling| group[*sibling].rates).collect();
        let ghosts = ghosts
            .iter()
            .filter(|(of, _)| *of == order)
            .map(|(_, rates)| *rates);
        for (sibling, share) in siblings.into_iter().zip(weights::shares_beside(&own, ghosts)) {
            shares[sibling] = Some(share);
        }
    }
    let mut kept = Vec::new();
    for (mut deployment, share) in group.into_iter().zip(shares) {
        let location = deployment.location.clone();
        match share {
            Some(Share::Drawn(weight)) => deployment.settings.weight = weight,
            Some(Share::Drained(metric)) => {
                let text = format!("left out: its {metric} is 0 and a sibling's is not");
                reader.note_of(Class::Skipped, &location, text, "");
                continue;
            }
            Some(Share::Standby(metric)) => {
                reader.note(
                    &location,
                    format!("used only after another has failed: a sibling has a {metric}, it has none"),
                );
            }
            None => {}
        }
        kept.push(deployment);
    }
    kept
}

/// `router_settings.model_group_alias`: other name → name.
pub(crate) fn aliases(
    router: &Section,
    models: &[ModelSettings],
    left_out: &mut LeftOut,
    reader: &mut Reader<'_>,
) -> BTreeMap<String, String> {
    let mut aliases = BTreeMap::new();
    let Some(section) = router
        .field("model_group_alias")
        .and_then(|field| reader.section(&field))
    else {
        return aliases;
    };
    for (alias, field) in section.fields() {
        let Some(target) = alias_target(&field, reader) else {
            continue;
        };
        if alias == target {
            // LiteLLM looks it up and finds the same name.
            continue;
        }
        let is_served = |name: &str| models.iter().any(|model| model.name == name);
        if let Some(found) = model::name_fault(&alias) {
            reader.unexpected::<()>(&field.location, "an alias of printable characters", found);
        } else if alias.contains('*') {
            reader.unexpected::<()>(&field.location, "an alias without *", quoted(&alias));
        } else if is_served(&alias) {
            reader.unexpected::<()>(&field.location, "an alias that is no model_name", quoted(&alias));
        } else if is_served(&target) {
            aliases.insert(alias, target);
        } else {
            let (text, detail) = why_not(&target, models, left_out);
            reader.note_with(&field.location, text, detail);
            left_out.name(&alias);
        }
    }
    aliases
}

/// Why an alias cannot stand for `target`, and the target's name, so that aliases with the same reason are told together.
fn why_not(target: &str, models: &[ModelSettings], left_out: &LeftOut) -> (&'static str, String) {
    let shown = quoted(target);
    if left_out.contains(target) {
        return ("left out: its model is not served", shown);
    }
    if models.iter().any(|model| matches(&model.name, target)) {
        return (
            "left out: its model is served by a wildcard only, which has no aliases",
            shown,
        );
    }
    let names = models.iter().map(|model| model.name.as_str());
    let hint = nearest(target, names).map(|nearest| format!(" (did you mean {}?)", quoted(nearest)));
    let detail = shown + &hint.unwrap_or_default();
    ("left out: no deployment has this model_name", detail)
}

/// Whether `name` is what `pattern` stands for, where each `*` is any run of characters.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut left) = name.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match left.find(part) {
            Some(position) => left = &left[position + part.len()..],
            None => return false,
        }
    }
    left.ends_with(end)
}

/// A name, or a mapping with one (its `hidden` is about a list of models that this gateway does not serve).
fn alias_target(field: &YamlField, reader: &mut Reader<'_>) -> Option<String> {
    let Some(item) = field.section() else {
        return reader.text(field);
    };
    match item.field("model") {
        Some(model) => reader.text(&model),
        None => reader.wrong(&field.location, Problem::Missing { expected: "a model" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*", "a/b", true),
            ("a*", "a", true),
            ("a*", "ba", false),
            ("*a", "ba", true),
            ("a*a", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("a**b", "ab", true),
            ("a", "a", true),
            ("a", "ab", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
