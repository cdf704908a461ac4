//! Which known name another one is probably a slip of.

/// The candidate with the highest `likeness` (0 to 1), if that is at least `least`; of equal ones the last.
pub(crate) fn most_alike<'a>(
    candidates: impl Iterator<Item = &'a str>,
    least: f64,
    likeness: impl Fn(&str) -> f64,
) -> Option<&'a str> {
    candidates
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(likeness, _)| *likeness >= least)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}
