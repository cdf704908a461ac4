//! What a simulation has seen.

use std::collections::BTreeMap;

/// An attempt that was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct SeenAttempt {
    /// When, in milliseconds since the beginning.
    pub(super) at: u64,
    /// The index of its region.
    pub(super) region: usize,
}

/// What a simulation has seen.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    /// The number of requests that ended with each status.
    pub(super) answers: BTreeMap<u16, u64>,
    pub(super) attempts: Vec<SeenAttempt>,
    /// When each region first cooled down.
    pub(super) first_cooled: BTreeMap<usize, u64>,
    /// The most attempts at once that each region had while it was cooling down or probed, without
    /// those that had begun before.
    pub(super) rush: BTreeMap<usize, u64>,
    /// The attempts of each region that went there as probes.
    pub(super) probes: BTreeMap<usize, u64>,
}

impl Sightings {
    pub(super) fn requests(&self) -> u64 {
        self.answers.values().sum()
    }

    /// Requests whose clients got an error.
    pub(super) fn errors(&self) -> u64 {
        self.requests() - self.answers.get(&200).copied().unwrap_or(0)
    }

    /// Attempts per request, in hundredths.
    pub(super) fn attempts_per_request(&self) -> u64 {
        let attempts = u64::try_from(self.attempts.len()).unwrap();
        (attempts * 100 + self.requests() / 2) / self.requests()
    }

    /// The part of all attempts from one millisecond to another that a region got, in thousandths.
    pub(super) fn share(&self, region: usize, from: u64, to: u64) -> u64 {
        let within = |attempt: &&SeenAttempt| (from..to).contains(&attempt.at);
        let all = self.attempts.iter().filter(within);
        let (mut total, mut here) = (0, 0);
        for attempt in all {
            total += 1;
            here += u64::from(attempt.region == region);
        }
        (here * 1000_u64).checked_div(total).unwrap_or(0)
    }

    /// The same, once the region has cooled down.
    pub(super) fn share_once_cool(&self, region: usize, to: u64) -> Option<u64> {
        let from = *self.first_cooled.get(&region)?;
        Some(self.share(region, from + 1, to))
    }

    /// How many milliseconds after `healed` a region has four fifths of its `normal` share in two
    /// seconds.
    pub(super) fn recovery(&self, region: usize, healed: u64, normal: u64) -> Option<u64> {
        let last = self.attempts.last()?.at;
        let has_share = |from: &u64| self.share(region, *from, from + 2000) * 5 >= normal * 4;
        let recovered = (healed..last.saturating_sub(2000)).step_by(100).find(has_share)?;
        Some(recovered - healed)
    }
}
