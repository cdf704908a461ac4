//! Groups of deployments, their shares, and the other names they have.

use std::collections::BTreeMap;

use envoy_bedrock::config::ModelSettings;

use super::deployment::Deployment;
use super::error::Problem;
use super::field::{Field, Section, quoted};
use super::model;
use super::reader::Reader;
use super::weights::{self, Share};

/// The models, in the order in which their names first appear.
pub(crate) fn models(mut deployments: Vec<Deployment>, reader: &mut Reader<'_>) -> Vec<ModelSettings> {
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
        let deployments = with_shares(group, reader)
            .into_iter()
            .map(|one| one.settings)
            .collect();
        models.push(ModelSettings { name, deployments });
    }
    models
}

/// An id that the file gives must be the only one; equal digests belong to equal deployments and get a number.
fn distinct_ids(deployments: &mut [Deployment], reader: &mut Reader<'_>) {
    let mut first_places: BTreeMap<String, String> = BTreeMap::new();
    deployments.sort_by_key(|deployment| !deployment.has_own_id);
    for deployment in deployments.iter_mut() {
        let id = deployment.settings.id.clone();
        let Some(first) = first_places.get(&id).cloned() else {
            first_places.insert(id, deployment.place.path.clone());
            continue;
        };
        let place = deployment.place.clone();
        if deployment.has_own_id {
            let what = format!("model_info.id {}", quoted(&id));
            reader.wrong::<()>(
                &place.field("model_info").field("id"),
                Problem::Duplicate { what, first },
            );
            continue;
        }
        reader.note(&place, format!("says the same as {first}; both are used"));
        let numbered = (2..)
            .map(|count| format!("{id}-{count}"))
            .find(|id| !first_places.contains_key(id));
        if let Some(numbered) = numbered {
            first_places.insert(numbered.clone(), place.path);
            deployment.settings.id = numbered;
        }
    }
    deployments.sort_by_key(|one| (one.place.file_index, one.place.line));
}

fn with_shares(group: Vec<Deployment>, reader: &mut Reader<'_>) -> Vec<Deployment> {
    let mut shares: Vec<Option<Share>> = vec![None; group.len()];
    for position in 0..group.len() {
        if shares[position].is_some() {
            continue;
        }
        let order = group[position].settings.order;
        let siblings: Vec<usize> = (0..group.len())
            .filter(|other| group[*other].settings.order == order)
            .collect();
        let rates: Vec<_> = siblings.iter().map(|sibling| group[*sibling].rates).collect();
        for (sibling, share) in siblings.into_iter().zip(weights::shares(&rates)) {
            shares[sibling] = Some(share);
        }
    }
    let mut kept = Vec::new();
    for (mut deployment, share) in group.into_iter().zip(shares) {
        let place = deployment.place.clone();
        match share {
            Some(Share::Drawn(weight)) => deployment.settings.weight = weight,
            Some(Share::Drained(metric)) => {
                reader.note(
                    &place,
                    format!("left out: its {metric} is 0 beside a sibling's that is not"),
                );
                continue;
            }
            Some(Share::Standby(metric)) => {
                reader.note(
                    &place,
                    format!("used only after another has failed: a sibling has a {metric}, it has none"),
                );
            }
            None => {}
        }
        kept.push(deployment);
    }
    kept
}

/// `router_settings.model_group_alias`: other name → name. `left_out` are groups that exist and are not served.
pub(crate) fn aliases(
    router: &Section,
    models: &[ModelSettings],
    left_out: &[String],
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
        let is_served = |name: &str| models.iter().any(|model| model.name == name);
        if let Some(found) = model::fault(&alias) {
            reader.unexpected::<()>(&field.place, "a printable alias without spaces", found);
        } else if alias.contains('*') {
            reader.unexpected::<()>(&field.place, "an alias without *", quoted(&alias));
        } else if is_served(&alias) {
            reader.unexpected::<()>(&field.place, "an alias that is no model_name", quoted(&alias));
        } else if is_served(&target) {
            aliases.insert(alias, target);
        } else if left_out.contains(&target) {
            reader.note(
                &field.place,
                format!("left out: {} is not served", quoted(&target)),
            );
        } else {
            let expected = "the model_name of a deployment in model_list";
            reader.unexpected::<()>(&field.place, expected, quoted(&target));
        }
    }
    aliases
}

/// A name, or a mapping with one (its `hidden` is about a list of models that this gateway does not serve).
fn alias_target(field: &Field, reader: &mut Reader<'_>) -> Option<String> {
    let Some(item) = field.section() else {
        return reader.text(field);
    };
    match item.field("model") {
        Some(model) => reader.text(&model),
        None => reader.wrong(&field.place, Problem::Missing { expected: "a model" }),
    }
}
