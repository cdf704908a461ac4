//! Model groups: the deployments with the same `model_name`, with their ids, orders and shares.

use std::collections::{BTreeMap, BTreeSet};

use envoy_bedrock::contract::settings::{DeploymentSettings, GuardrailSettings, ModelSettings};

use super::draft::Draft;
use super::guardrail::PlacedGuardrail;
use super::left_out::{LeftOut, UnservedSibling};
use super::note::Class;
use super::problem::Problem;
use super::report::Reader;
use super::routing::RouterWide;
use super::shares::{self, AssignedShare, StatedShare};
use crate::document::field::quoted;
use crate::region;

/// A deployment of a model group.
struct GroupMember {
    draft: Draft,
    id: String,
    order: i64,
}

/// The model groups in the order in which their names first appear, without those that have no
/// deployment left.
pub(crate) fn read(
    drafts: Vec<Draft>,
    router: &RouterWide,
    left_out: &mut LeftOut,
    reader: &mut Reader<'_>,
) -> Vec<ModelSettings> {
    let ids = reader.distinct_ids(&drafts);
    let mut groups: Vec<(String, Vec<(Draft, String)>)> = Vec::new();
    for (draft, id) in drafts.into_iter().zip(ids) {
        match groups.iter_mut().find(|(name, _)| *name == draft.model_name) {
            Some((_, group)) => group.push((draft, id)),
            None => groups.push((draft.model_name.clone(), vec![(draft, id)])),
        }
    }
    let mut models = Vec::new();
    for (name, group) in groups {
        let unserved: Vec<&UnservedSibling> = left_out.unserved(&name).collect();
        let (members, others) = reader.with_orders(group, &unserved);
        let weighted = reader.with_shares(members, &others);
        if weighted.is_empty() {
            left_out.add_name(&name);
            continue;
        }
        let guardrail = reader.common_guardrail(&weighted);
        let deployment = |(member, weight): (GroupMember, u64)| -> DeploymentSettings {
            let GroupMember { draft, id, order } = member;
            draft.into_settings(id, order, weight, router)
        };
        models.push(ModelSettings {
            guardrail,
            routing: router.of_group(&name),
            name,
            deployments: weighted.into_iter().map(deployment).collect(),
        });
    }
    reader.note_retries_of_unknown_groups(router, &models);
    models
}

impl Reader<'_> {
    /// The id of each deployment. An id in the file must be unique. Equal deployments have equal
    /// derived ids, which get a number.
    fn distinct_ids(&mut self, drafts: &[Draft]) -> Vec<String> {
        let mut first_paths: BTreeMap<String, String> = BTreeMap::new();
        for draft in drafts {
            let Some(id) = &draft.own_id else {
                continue;
            };
            if let Some(first) = first_paths.get(id).cloned() {
                let what = format!("model_info.id {}", quoted(id));
                let location = draft.location.field("model_info").field("id");
                self.error(&location, Problem::Duplicate { what, first });
            }
            first_paths
                .entry(id.clone())
                .or_insert_with(|| draft.location.path.clone());
        }
        let mut ids = Vec::new();
        for draft in drafts {
            if let Some(id) = &draft.own_id {
                ids.push(id.clone());
                continue;
            }
            let derived = draft.derived_id();
            let mut id = derived.clone();
            let mut count = 2;
            while first_paths.contains_key(&id) {
                id = format!("{derived}-{count}");
                count += 1;
            }
            if let Some(first) = first_paths.get(&derived) {
                let text = format!("same deployment as {first}: both are used");
                self.note(&draft.location, text);
            }
            first_paths.insert(id.clone(), draft.location.path.clone());
            ids.push(id);
        }
        ids
    }

    /// The members of a group, and the orders and shares of its unserved siblings. LiteLLM never
    /// uses a deployment without an `order` if a sibling has one. Here it is tried last.
    fn with_orders(
        &mut self,
        group: Vec<(Draft, String)>,
        unserved: &[&UnservedSibling],
    ) -> (Vec<GroupMember>, Vec<(i64, StatedShare)>) {
        let highest = group
            .iter()
            .filter_map(|(draft, _)| draft.order)
            .chain(unserved.iter().filter_map(|sibling| sibling.order))
            .max();
        let last = highest.map_or(0, |highest| highest.saturating_add(1));
        let mut members = Vec::new();
        for (draft, id) in group {
            if highest.is_some() && draft.order.is_none() {
                let text = "has no order, unlike its siblings: it is tried after all of them";
                self.note(&draft.location, text);
            }
            let order = draft.order.unwrap_or(last);
            members.push(GroupMember { draft, id, order });
        }
        let others = unserved
            .iter()
            .map(|sibling| (sibling.order.unwrap_or(last), sibling.share))
            .collect();
        (members, others)
    }

    /// The members that get requests, with their weights among the siblings of the same order.
    fn with_shares(
        &mut self,
        members: Vec<GroupMember>,
        others: &[(i64, StatedShare)],
    ) -> Vec<(GroupMember, u64)> {
        let orders: BTreeSet<i64> = members.iter().map(|member| member.order).collect();
        let mut assigned: BTreeMap<i64, std::vec::IntoIter<AssignedShare>> = BTreeMap::new();
        for order in orders {
            let siblings: Vec<StatedShare> = members
                .iter()
                .filter(|member| member.order == order)
                .map(|member| member.draft.share)
                .collect();
            let others = others
                .iter()
                .filter(|(of, _)| *of == order)
                .map(|(_, share)| *share);
            let shares = shares::shares_beside(&siblings, others);
            assigned.insert(order, shares.into_iter());
        }
        let mut kept = Vec::new();
        for member in members {
            let share = assigned.get_mut(&member.order).and_then(Iterator::next);
            let location = &member.draft.location;
            match share {
                Some(AssignedShare::Weighted(weight)) => kept.push((member, weight)),
                Some(AssignedShare::Drained(metric)) => {
                    let text = format!("left out: its {metric} is 0, unlike that of a sibling");
                    self.note_of(Class::Skipped, location, text);
                }
                Some(AssignedShare::Backup(metric)) => {
                    let text = format!("used only for retries: it has no {metric}, unlike a sibling");
                    self.note(location, text);
                    kept.push((member, 0));
                }
                None => kept.push((member, 0)),
            }
        }
        kept
    }

    /// The guardrail of all deployments of a group. Those with another guardrail, or none, are
    /// errors.
    fn common_guardrail(&mut self, group: &[(GroupMember, u64)]) -> Option<GuardrailSettings> {
        let drafts = || group.iter().map(|(member, _)| &member.draft);
        let first = drafts().find_map(|draft| draft.guardrail.as_ref())?;
        for draft in drafts() {
            let (location, is_missing) = match &draft.guardrail {
                Some(other) if other.settings == first.settings => continue,
                Some(other) => (&other.location, false),
                None => (&draft.location, true),
            };
            let first = first.location.clone();
            self.error(location, Problem::OtherGuardrail { first, is_missing });
        }
        let mut regions: Vec<&str> = Vec::new();
        for draft in drafts() {
            if !regions.contains(&draft.region.as_str()) {
                regions.push(&draft.region);
            }
        }
        self.note_guardrail_regions(first, &regions);
        Some(first.settings.clone())
    }

    /// A guardrail exists in one region. AWS refuses a request that names it in another.
    fn note_guardrail_regions(&mut self, guardrail: &PlacedGuardrail, regions: &[&str]) {
        let text = match region::of_arn(&guardrail.settings.identifier) {
            Some(home) if regions.iter().any(|region| *region != home) => {
                let others: Vec<&str> = regions.iter().copied().filter(|region| *region != home).collect();
                format!(
                    "this guardrail is in {home}: AWS will refuse the requests of this model_name in {}",
                    others.join(", ")
                )
            }
            None if regions.len() > 1 => {
                let regions = regions.join(", ");
                format!(
                    "a guardrail exists in one region, but this model_name has deployments in {regions}: AWS will refuse \
                     the requests where the guardrail does not exist"
                )
            }
            _ => return,
        };
        self.note(&guardrail.location, text);
    }
}
