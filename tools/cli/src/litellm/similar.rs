//! Names that are probably misspellings of others.

/// Similarity (0 to 1) from which a name counts as a misspelling of another.
const SIMILARITY_MIN: f64 = 0.92;
/// Most letters that a misspelling changes, unless it only adds or omits the end. Long names with a
/// common beginning are similar without being misspellings of each other.
const EDITS_MAX: usize = 4;
/// Shortest name that is compared: very short names are similar by chance.
const COMPARED_MIN_CHARS: usize = 4;

/// The name that `name` probably misspells.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.chars().count() < COMPARED_MIN_CHARS {
        return None;
    }
    let is_near = |known: &&str| {
        let is_cut = known.starts_with(name) || name.starts_with(known);
        is_cut || strsim::damerau_levenshtein(known, name) <= EDITS_MAX
    };
    most_similar(names.filter(is_near), SIMILARITY_MIN, |known| {
        strsim::jaro_winkler(known, name)
    })
}

/// The candidate with the highest `similarity` (0 to 1), if that is at least `least`. The last of
/// several equal ones.
pub(crate) fn most_similar<'a>(
    candidates: impl Iterator<Item = &'a str>,
    least: f64,
    similarity: impl Fn(&str) -> f64,
) -> Option<&'a str> {
    candidates
        .map(|candidate| (similarity(candidate), candidate))
        .filter(|(similarity, _)| *similarity >= least)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}
