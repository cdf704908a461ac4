//! Puts imported keys and teams into the file.

use std::collections::{BTreeMap, BTreeSet};

use crate::keys::stored::{StoredKey, StoredKeys, StoredTeam};

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
        key.former_tokens
            .retain(|replaced| !former.contains(&replaced.token));
        let of_replaced = || {
            key.former_tokens
                .iter()
                .find_map(|replaced| places.get(&replaced.token))
        };
        let place = places.get(&key.token).or_else(of_replaced).copied();
        if let Some(old) = place.and_then(|place| stored.keys.get(place)) {
            // LiteLLM may have replaced the key since it was imported, as `keys rotate` does.
            let replaced = std::mem::take(&mut key.former_tokens);
            key.former_tokens.clone_from(&old.former_tokens);
            if old.token != key.token {
                key.former_tokens.extend(replaced);
                aliases.retain(|_, token| *token != old.token);
            }
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
        places.insert(key.token.clone(), place.unwrap_or(stored.keys.len()));
        match place.and_then(|place| stored.keys.get_mut(place)) {
            Some(old) => {
                key.aws_pairs.clone_from(&old.aws_pairs);
                replace(old, key, &mut merged.keys);
            }
            None => {
                stored.keys.push(key);
                merged.keys.new += 1;
            }
        }
    }
    for team in teams {
        if let Some(old) = stored.teams.iter_mut().find(|old| old.team_id == team.team_id) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::stored::StoredFormer;

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
            merge(&mut stored, keys(), vec![], &BTreeSet::new()).keys,
            counts(2, 0, 0)
        );
        let mut again = keys();
        again[1].blocked = true;
        again.push(key("c", "three"));
        assert_eq!(
            merge(&mut stored, again, vec![], &BTreeSet::new()).keys,
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
            let merged = merge(&mut stored, imported(), vec![], &BTreeSet::new());
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
            valid_until: "2027-01-31T00:00:00.000Z".to_owned(),
        });
        stored.keys.push(rotated.clone());
        let merged = merge(&mut stored, vec![key("a", "app")], vec![], &BTreeSet::new());
        assert_eq!((merged.rotated, merged.keys), (1, counts(0, 0, 0)));
        assert_eq!(stored.keys, [rotated]);
    }

    #[test]
    fn a_key_that_litellm_has_replaced_since_keeps_its_entry() {
        let replaced = |token: &str| StoredFormer {
            token: token.repeat(64),
            valid_until: "2027-01-31T00:00:00.000Z".to_owned(),
        };
        let mut stored = StoredKeys::default();
        merge(
            &mut stored,
            vec![key("a", "app"), key("c", "other")],
            vec![],
            &BTreeSet::new(),
        );
        let mut next = key("b", "app");
        next.former_tokens.push(replaced("a"));
        for counts in [counts(0, 1, 0), counts(0, 0, 1)] {
            let merged = merge(&mut stored, vec![next.clone()], vec![], &BTreeSet::new());
            assert_eq!((merged.keys, merged.renamed), (counts, vec![]));
            assert_eq!(stored.keys, [next.clone(), key("c", "other")]);
        }
        // A new entry has it too, unless it was rotated here.
        let mut another = key("d", "another");
        another.former_tokens = vec![replaced("e"), replaced("a")];
        merge(&mut stored, vec![another], vec![], &BTreeSet::new());
        assert_eq!(stored.keys[2].former_tokens, [replaced("e")]);
    }
}
