//! What to change in a header map that Envoy holds, so that it becomes the one that the core wants.

/// The name and value of a header.
type Pair<'a> = (&'a [u8], &'a [u8]);

/// A change of a header map. What is removed is copied, because it is Envoy's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderChange<'a> {
    /// Gives a header that Envoy holds one value.
    Set(&'a [u8], &'a [u8]),
    /// Adds a value to a header, or a header that Envoy does not hold.
    Add(&'a [u8], &'a [u8]),
    /// Removes a header.
    Remove(Vec<u8>),
}

/// The changes from the headers `held` to those `wanted`. A header whose values differ gets all of
/// them again, because only the first can be set.
///
/// Maps are short, so nothing is sorted.
pub(crate) fn between<'a>(held: &[Pair<'_>], wanted: &[Pair<'a>]) -> Vec<HeaderChange<'a>> {
    let mut changes = Vec::with_capacity(wanted.len());
    for (index, (name, _)) in held.iter().enumerate() {
        if is_first(held, index, name) && values(wanted, name).next().is_none() {
            changes.push(HeaderChange::Remove(name.to_vec()));
        }
    }
    for (index, (name, first)) in wanted.iter().enumerate() {
        if !is_first(wanted, index, name) || values(held, name).eq(values(wanted, name)) {
            continue;
        }
        changes.push(match values(held, name).next() {
            Some(_) => HeaderChange::Set(name, first),
            None => HeaderChange::Add(name, first),
        });
        let further = values(wanted, name).skip(1);
        changes.extend(further.map(|value| HeaderChange::Add(name, value)));
    }
    changes
}

/// Whether no header before `index` has this name.
fn is_first(pairs: &[Pair<'_>], index: usize, name: &[u8]) -> bool {
    let mut before = pairs.iter().take(index);
    !before.any(|(other, _)| *other == name)
}

fn values<'a>(pairs: &[Pair<'a>], name: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    let named = pairs.iter().filter(move |(other, _)| *other == name);
    named.map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Applies changes like Envoy.
    fn apply(map: &mut Vec<(Vec<u8>, Vec<u8>)>, changes: Vec<HeaderChange<'_>>) {
        for change in changes {
            match change {
                HeaderChange::Set(name, value) => {
                    map.retain(|(held, _)| *held != name);
                    map.push((name.to_vec(), value.to_vec()));
                }
                HeaderChange::Add(name, value) => map.push((name.to_vec(), value.to_vec())),
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

    fn by_name<'a>(pairs: &[Pair<'a>]) -> BTreeMap<&'a [u8], Vec<&'a [u8]>> {
        let mut values: BTreeMap<&[u8], Vec<&[u8]>> = BTreeMap::new();
        for (name, value) in pairs {
            values.entry(name).or_default().push(value);
        }
        values
    }

    #[test]
    fn what_is_the_same_is_not_written() {
        let held: &[Pair<'_>] = &[(b"a", b"1"), (b"b", b"2"), (b"c", b"3"), (b"a", b"4")];
        let wanted: &[Pair<'_>] = &[(b"b", b"5"), (b"a", b"1"), (b"a", b"4")];
        assert_eq!(
            between(held, wanted),
            [HeaderChange::Remove(b"c".to_vec()), HeaderChange::Set(b"b", b"5")]
        );
        assert_eq!(between(held, held), []);
    }
}
