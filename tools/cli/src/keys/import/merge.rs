//! Puts imported keys and teams into the file.

use std::collections::{BTreeMap, BTreeSet};

use envoy_bedrock::limits::period::window_of;
use envoy_bedrock::time::UnixTime;

use crate::keys::stored::{StoredKey, StoredKeys, StoredLimits, StoredTeam};

/// How many digits of the token an alias gets that another key has already.
const ALIAS_DIGITS: usize = 8;

/// How many entries of the file an import adds, replaces and leaves as they are.
#[derive(Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct MergeCounts {
    pub(super) new: usize,
    pub(super) updated: usize,
    pub(super) unchanged: usize,
}

/// What an import does to the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Merged {
    pub(super) keys: MergeCounts,
    pub(super) teams: MergeCounts,
    /// New aliases of keys whose alias another key has.
    pub(super) renamed: Vec<String>,
    /// Keys that were rotated here: they remain as they are.
    pub(super) rotated: usize,
}

/// Replaces the entries of the same tokens and teams, and adds the others. No key gets an alias that is
/// `taken`.
pub(super) fn merge(
    stored: &mut StoredKeys,
    keys: Vec<StoredKey>,
    teams: Vec<StoredTeam>,
    taken: &BTreeSet<&str>,
    now: UnixTime,
) -> Merged {
    let mut merged = Merged::default();
    let former = stored.keys.iter().flat_map(|key| &key.former_tokens);
    let former: BTreeSet<String> = former.map(|former| former.token.clone()).collect();
    let mut aliases: BTreeMap<String, String> = stored
        .keys
        .iter()
        .filter_map(|key| Some((key.key_alias.clone()?, key.token.clone())))
        .collect();
    let places = stored.keys.iter().enumerate();
    let mut places: BTreeMap<String, usize> = places.map(|(place, key)| (key.token.clone(), place)).collect();
    for mut key in keys {
        if former.contains(&key.token) {
            merged.rotated += 1;
            continue;
        }
        if let Some(alias) = &mut key.key_alias {
            let of_another = aliases.get(alias).is_some_and(|token| *token != key.token);
            if of_another || taken.contains(alias.as_str()) {
                let digits = key.token.get(..ALIAS_DIGITS).unwrap_or(&key.token);
                *alias = format!("{alias}-{digits}");
                merged.renamed.push(alias.clone());
            }
            aliases.insert(alias.clone(), key.token.clone());
        }
        let old = places
            .get(&key.token)
            .and_then(|place| stored.keys.get_mut(*place));
        if let Some(old) = old {
            keep_time_of_spend(&old.limits, &mut key.limits, now);
            key.former_tokens.clone_from(&old.former_tokens);
            replace(old, key, &mut merged.keys);
        } else {
            places.insert(key.token.clone(), stored.keys.len());
            stored.keys.push(key);
            merged.keys.new += 1;
        }
    }
    for mut team in teams {
        if let Some(old) = stored.teams.iter_mut().find(|old| old.team_id == team.team_id) {
            keep_time_of_spend(&old.limits, &mut team.limits, now);
            replace(old, team, &mut merged.teams);
        } else {
            stored.teams.push(team);
            merged.teams.new += 1;
        }
    }
    merged
}

fn replace<T: PartialEq>(old: &mut T, new: T, counts: &mut MergeCounts) {
    if *old == new {
        counts.unchanged += 1;
    } else {
        *old = new;
        counts.updated += 1;
    }
}

/// LiteLLM's spend does not have what this gateway has counted since the first import, so that
/// continues to count until the budget begins anew.
fn keep_time_of_spend(old: &StoredLimits, new: &mut StoredLimits, now: UnixTime) {
    let same_budget =
        old.budget_duration == new.budget_duration && old.budget_reset_at == new.budget_reset_at;
    let (Some(text), Some(_), true) = (&old.spend_at, &new.spend_at, same_budget) else {
        return;
    };
    let reset_at = new.budget_reset_at.as_deref().and_then(UnixTime::parse_rfc3339);
    let window = |time| window_of(new.budget_duration, reset_at.map(UnixTime::seconds), time);
    if UnixTime::parse_rfc3339(text).is_some_and(|time| window(time) == window(now)) {
        new.spend_at = Some(text.clone());
    }
}

#[cfg(test)]
mod tests {
    use envoy_bedrock::limits::period::Period;

    use super::super::budget::text;
    use super::*;
    use crate::keys::stored::StoredFormer;

    const NOW: UnixTime = UnixTime::from_seconds(1_795_256_331);

    fn key(token: &str, alias: &str) -> StoredKey {
        StoredKey {
            token: token.repeat(64),
            key_alias: Some(alias.to_owned()),
            ..StoredKey::default()
        }
    }

    fn counts(new: usize, updated: usize, unchanged: usize) -> MergeCounts {
        MergeCounts {
            new,
            updated,
            unchanged,
        }
    }

    #[test]
    fn a_second_import_changes_only_what_has_changed() {
        let mut stored = StoredKeys::default();
        let keys = || vec![key("a", "one"), key("b", "two")];
        assert_eq!(
            merge(&mut stored, keys(), vec![], &BTreeSet::new(), NOW).keys,
            counts(2, 0, 0)
        );
        let mut again = keys();
        again[1].blocked = true;
        again.push(key("c", "three"));
        assert_eq!(
            merge(&mut stored, again, vec![], &BTreeSet::new(), NOW).keys,
            counts(1, 1, 1)
        );
        assert_eq!(stored.keys.len(), 3);
        assert!(stored.keys[1].blocked);
    }

    #[test]
    fn two_keys_never_have_the_same_alias() {
        let mut stored = StoredKeys::default();
        stored.keys.push(key("a", "app"));
        let imported = || vec![key("b", "app"), key("a", "app"), key("c", "app")];
        for _ in 0..2 {
            let merged = merge(&mut stored, imported(), vec![], &BTreeSet::new(), NOW);
            assert_eq!(merged.renamed, ["app-bbbbbbbb", "app-cccccccc"]);
            let aliases: Vec<_> = stored
                .keys
                .iter()
                .map(|key| key.key_alias.as_deref().unwrap())
                .collect();
            assert_eq!(aliases, ["app", "app-bbbbbbbb", "app-cccccccc"]);
        }
    }

    #[test]
    fn a_key_that_was_rotated_here_is_not_brought_back() {
        let mut stored = StoredKeys::default();
        let mut rotated = key("b", "app");
        rotated.former_tokens.push(StoredFormer {
            token: "a".repeat(64),
            valid_until: text(NOW),
        });
        stored.keys.push(rotated.clone());
        let merged = merge(&mut stored, vec![key("a", "app")], vec![], &BTreeSet::new(), NOW);
        assert_eq!((merged.rotated, merged.keys), (1, counts(0, 0, 0)));
        assert_eq!(stored.keys, [rotated]);
    }

    #[test]
    fn spend_counts_from_the_first_import_on_until_the_budget_begins_anew() {
        let spent = |spend, time: UnixTime| {
            let mut key = key("a", "app");
            key.limits.budget_duration = Some(Period::parse("1d").unwrap());
            key.limits.spend = Some(spend);
            key.limits.spend_at = Some(text(time));
            key
        };
        let (later, tomorrow) = (NOW.seconds() + 60, NOW.seconds() + 24 * 60 * 60);
        let (later, tomorrow) = (UnixTime::from_seconds(later), UnixTime::from_seconds(tomorrow));
        let mut stored = StoredKeys::default();
        merge(&mut stored, vec![spent(1.0, NOW)], vec![], &BTreeSet::new(), NOW);
        assert_eq!(
            merge(
                &mut stored,
                vec![spent(1.0, later)],
                vec![],
                &BTreeSet::new(),
                later
            )
            .keys,
            counts(0, 0, 1)
        );
        merge(
            &mut stored,
            vec![spent(2.0, later)],
            vec![],
            &BTreeSet::new(),
            later,
        );
        assert_eq!(stored.keys, [spent(2.0, NOW)]);
        merge(
            &mut stored,
            vec![spent(0.5, tomorrow)],
            vec![],
            &BTreeSet::new(),
            tomorrow,
        );
        assert_eq!(stored.keys, [spent(0.5, tomorrow)]);
    }
}
