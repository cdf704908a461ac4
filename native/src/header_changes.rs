//! What to change in a header map that Envoy holds, so that it becomes the one that the core wants.

use std::collections::BTreeMap;

/// The name and value of a header.
type Pair<'a> = (&'a [u8], &'a [u8]);

/// A change of a header map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderChange {
    /// Gives a header one value.
    Set(Vec<u8>, Vec<u8>),
    /// Adds a value to a header.
    Add(Vec<u8>, Vec<u8>),
    /// Removes a header.
    Remove(Vec<u8>),
}

/// The changes from the headers `held` to those `wanted`. A header whose values differ gets all of
/// them again, because only the first can be set.
pub(crate) fn between(held: &[Pair<'_>], wanted: &[Pair<'_>]) -> Vec<HeaderChange> {
    let (held, wanted) = (by_name(held), by_name(wanted));
    let gone = held.keys().filter(|name| !wanted.contains_key(*name));
    let mut changes: Vec<_> = gone.map(|name| HeaderChange::Remove(name.to_vec())).collect();
    for (name, values) in &wanted {
        if held.get(name) == Some(values) {
            continue;
        }
        let mut values = values.iter().map(|value| value.to_vec());
        changes.extend(values.next().map(|first| HeaderChange::Set(name.to_vec(), first)));
        changes.extend(values.map(|value| HeaderChange::Add(name.to_vec(), value)));
    }
    changes
}

fn by_name<'a>(pairs: &[Pair<'a>]) -> BTreeMap<&'a [u8], Vec<&'a [u8]>> {
    let mut values: BTreeMap<&[u8], Vec<&[u8]>> = BTreeMap::new();
    for (name, value) in pairs {
        values.entry(name).or_default().push(value);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies changes like Envoy.
    fn apply(map: &mut Vec<(Vec<u8>, Vec<u8>)>, changes: Vec<HeaderChange>) {
        for change in changes {
            match change {
                HeaderChange::Set(name, value) => {
                    map.retain(|(held, _)| *held != name);
                    map.push((name, value));
                }
                HeaderChange::Add(name, value) => map.push((name, value)),
                HeaderChange::Remove(name) => map.retain(|(held, _)| *held != name),
            }
        }
    }

    const MAPS: [&[Pair<'_>]; 6] = [
        &[],
        &[(b":path", b"/a"), (b"x", b"1")],
        &[(b":path", b"/b"), (b"x", b"1"), (b"x", b"2")],
        &[(b"x", b"2"), (b":path", b"/b"), (b"x", b"1")],
        &[(b":path", b""), (b"y", b"")],
        &[(b"x", b"1"), (b"z", b"3")],
    ];

    #[test]
    fn the_changes_make_the_wanted_map() {
        for held in MAPS {
            for wanted in MAPS {
                let mut map: Vec<_> = held
                    .iter()
                    .map(|(name, value)| (name.to_vec(), value.to_vec()))
                    .collect();
                apply(&mut map, between(held, wanted));
                let map: Vec<Pair<'_>> = map.iter().map(|(name, value)| (&name[..], &value[..])).collect();
                assert_eq!(by_name(&map), by_name(wanted), "{held:?} {wanted:?}");
            }
        }
    }

    #[test]
    fn what_is_the_same_is_not_written() {
        let held: &[Pair<'_>] = &[(b"a", b"1"), (b"b", b"2"), (b"c", b"3"), (b"a", b"4")];
        let wanted: &[Pair<'_>] = &[(b"b", b"5"), (b"a", b"1"), (b"a", b"4")];
        assert_eq!(
            between(held, wanted),
            [
                HeaderChange::Remove(b"c".to_vec()),
                HeaderChange::Set(b"b".to_vec(), b"5".to_vec())
            ]
        );
        assert_eq!(between(held, held), []);
    }
}
