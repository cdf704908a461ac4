//! The groups and their sums.

use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;

use envoy_bedrock::pricing::PicoUsd;

use super::by::{By, labels};
use super::row::SpendRow;
use super::totals::Totals;
use super::window::Window;

/// Most groups that are kept separately. Clients choose tags and end users, so their number must be
/// bounded.
pub const GROUPS_MAX: usize = 1_000_000;

/// The sums over spend logs.
pub struct SpendSummary {
    by: Vec<By>,
    window: Window,
    tag: Option<String>,
    limit: usize,
    groups: HashMap<Vec<u8>, Totals>,
    others: Option<Totals>,
    total: Totals,
    key: Vec<u8>,
}

/// What happened to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineOutcome {
    /// It is a row, and it is counted.
    Counted,
    /// It is a row outside the selection, or not a request for a model.
    LeftOut,
    /// It is not a spend-log row.
    Foreign,
}

/// A group and its sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendGroup {
    /// The value of each grouping property. `None`: the requests have no value.
    pub labels: Vec<Option<String>>,
    /// The sums over its requests.
    pub totals: Totals,
}

impl SpendSummary {
    /// A summary without lines. Only rows in `window` count and, if `tag` is given, only those with
    /// that tag.
    pub fn new(by: &[By], window: Window, tag: Option<&str>) -> Self {
        Self {
            by: by.to_vec(),
            window,
            tag: tag.map(str::to_owned),
            limit: GROUPS_MAX,
            groups: HashMap::new(),
            others: None,
            total: Totals::default(),
            key: Vec::new(),
        }
    }

    /// Adds a line, without its line break.
    pub fn add(&mut self, line: &[u8]) -> LineOutcome {
        let Some(row) = SpendRow::parse(line) else {
            return LineOutcome::Foreign;
        };
        let wanted = self.tag.as_ref().is_none_or(|tag| row.has_tag(tag));
        if !wanted || row.is_internal() || !self.window.contains(row.start()) {
            return LineOutcome::LeftOut;
        }
        let one = row.totals();
        // No group exceeds the total, so if this does not overflow, nothing does.
        let Some(total) = self.total.checked_add(&one) else {
            return LineOutcome::Foreign;
        };
        self.total = total;
        self.key.clear();
        for by in &self.by {
            by.write(&row, &mut self.key);
        }
        if self.groups.len() < self.limit && !self.groups.contains_key(&self.key) {
            self.groups.insert(self.key.clone(), Totals::default());
        }
        let group = match self.groups.get_mut(&self.key) {
            Some(group) => group,
            None => self.others.get_or_insert_default(),
        };
        *group = group.checked_add(&one).unwrap_or(*group);
        LineOutcome::Counted
    }

    /// The grouping properties.
    pub fn by(&self) -> &[By] {
        &self.by
    }

    /// The sums over all counted rows.
    pub fn total(&self) -> &Totals {
        &self.total
    }

    /// The sums over the rows of all groups beyond [`GROUPS_MAX`].
    pub fn others(&self) -> Option<&Totals> {
        self.others.as_ref()
    }

    /// The groups, sorted level by level: days in order, other properties by cost, the most
    /// expensive first.
    pub fn groups(&self) -> Vec<SpendGroup> {
        let groups = self.groups.iter().map(|(key, totals)| SpendGroup {
            labels: labels(key),
            totals: *totals,
        });
        let mut groups: Vec<SpendGroup> = groups.collect();
        let mut spent: HashMap<Vec<Option<String>>, PicoUsd> = HashMap::new();
        for group in &groups {
            for depth in 1..=group.labels.len() {
                let sum = spent.entry(group.labels[..depth].to_vec()).or_default();
                *sum = sum.checked_add(group.totals.spend).unwrap_or(*sum);
            }
        }
        groups.sort_by(|a, b| self.order(&a.labels, &b.labels, &spent));
        groups
    }

    fn order(
        &self,
        a: &[Option<String>],
        b: &[Option<String>],
        spent: &HashMap<Vec<Option<String>>, PicoUsd>,
    ) -> Ordering {
        let Some(level) = (0..self.by.len()).find(|&level| a.get(level) != b.get(level)) else {
            return Ordering::Equal;
        };
        let by_label = a.get(level).cmp(&b.get(level));
        if self.by[level] == By::Day {
            return by_label;
        }
        let sum =
            |labels: &[Option<String>]| Reverse(labels.get(..=level).and_then(|prefix| spent.get(prefix)));
        sum(a).cmp(&sum(b)).then(by_label)
    }

    /// The same summary with a lower limit of groups.
    #[cfg(test)]
    pub(super) fn with_limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }
}
