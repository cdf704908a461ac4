//! How many requests of a target have failed of late: numbers in windows that slide.
//!
//! The targets are spread over [`SLOTS`] shared values, so their number does not grow with the
//! number of targets. A value is a header, then for each window the key of its target, its counter,
//! its milliseconds and the number of its parts; then for each part its start in milliseconds since
//! 1970, its requests and its failures. All are u64 in little endian.

use crate::cooldown::target::TargetKey;
use crate::time::{SKEW_MILLISECONDS, UnixTime};

/// Identifies the format. The value is never empty.
const HEADER: [u8; 8] = *b"counts-1";
/// The number of shared values.
pub(super) const SLOTS: u64 = 16;
/// Maximum number of windows in a shared value, of which each takes about 300 bytes. If there are
/// more, the one that was written least recently is dropped.
pub(super) const WINDOWS_MAX: usize = 64;
/// A window slides in steps of this part of its length.
const PARTS: u64 = 10;

/// Requests and failures during a window that ends now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SlidingWindow {
    milliseconds: u64,
    parts: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    /// In milliseconds since 1970.
    start: u64,
    requests: u64,
    failures: u64,
}

impl SlidingWindow {
    pub(super) const fn new(milliseconds: u64) -> Self {
        Self {
            milliseconds,
            parts: Vec::new(),
        }
    }

    /// Counts requests that end now.
    pub(super) fn add(&mut self, requests: u64, failures: u64, now: UnixTime) {
        self.slide(now);
        let now = milliseconds(now);
        let step = self.milliseconds.div_ceil(PARTS).max(1);
        let start = now.saturating_sub(now.checked_rem(step).unwrap_or_default());
        self.add_part(Part {
            start,
            requests,
            failures,
        });
    }

    /// Adds what another window of the same length has.
    pub(super) fn merge(&mut self, other: &Self) {
        for part in &other.parts {
            self.add_part(*part);
        }
    }

    /// The requests and failures.
    pub(super) fn total(&self, now: UnixTime) -> (u64, u64) {
        let parts = self.parts.iter().filter(|part| self.contains(part, now));
        parts.fold((0, 0), |(requests, failures), part| {
            (
                requests.saturating_add(part.requests),
                failures.saturating_add(part.failures),
            )
        })
    }

    pub(super) fn is_empty(&self, now: UnixTime) -> bool {
        !self.parts.iter().any(|part| self.contains(part, now))
    }

    fn add_part(&mut self, added: Part) {
        match self.parts.iter_mut().find(|part| part.start == added.start) {
            Some(part) => {
                part.requests = part.requests.saturating_add(added.requests);
                part.failures = part.failures.saturating_add(added.failures);
            }
            None => self.parts.push(added),
        }
    }

    fn slide(&mut self, now: UnixTime) {
        let mut parts = std::mem::take(&mut self.parts);
        parts.retain(|part| self.contains(part, now));
        self.parts = parts;
    }

    /// Whether the window that ends now has all of `part`. A part in the future was written before
    /// the clock was set back.
    const fn contains(&self, part: &Part, now: UnixTime) -> bool {
        let now = milliseconds(now);
        now.saturating_sub(part.start) < self.milliseconds
            && part.start.saturating_sub(now) <= SKEW_MILLISECONDS
    }
}

/// The windows in one of the shared values; those that were written last come last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Windows(Vec<(WindowId, SlidingWindow)>);

/// Which window: that of a target and a counter, with its milliseconds.
type WindowId = (TargetKey, u64, u64);

impl Windows {
    /// Changes the window of a target and a counter, and drops those that have become empty.
    pub(super) fn change<T>(
        &mut self,
        (key, counter, milliseconds): WindowId,
        now: UnixTime,
        change: impl FnOnce(&mut SlidingWindow) -> T,
    ) -> T {
        let id = (key, counter, milliseconds);
        let position = self.0.iter().position(|(other, _)| *other == id);
        let window = position.map(|position| self.0.remove(position).1);
        let mut window = window.unwrap_or(SlidingWindow::new(milliseconds));
        let result = change(&mut window);
        self.0.push((id, window));
        self.0.retain(|(_, window)| !window.is_empty(now));
        let excess = self.0.len().saturating_sub(WINDOWS_MAX);
        self.0.drain(..excess);
        result
    }

    /// Parses the value, or returns `None` if it is malformed.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.strip_prefix(&HEADER)?.as_chunks::<8>();
        let mut numbers = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes));
        let mut windows = Vec::new();
        while let Some(key) = numbers.next() {
            let (counter, milliseconds) = (numbers.next()?, numbers.next()?);
            let mut window = SlidingWindow::new(milliseconds);
            for _ in 0..numbers.next()? {
                window.parts.push(Part {
                    start: numbers.next()?,
                    requests: numbers.next()?,
                    failures: numbers.next()?,
                });
            }
            windows.push(((TargetKey(key), counter, milliseconds), window));
        }
        rest.is_empty().then_some(Self(windows))
    }

    pub(super) fn serialize(&self) -> Vec<u8> {
        let mut numbers = Vec::new();
        for ((key, counter, milliseconds), SlidingWindow { parts, .. }) in &self.0 {
            let count = u64::try_from(parts.len()).unwrap_or_default();
            numbers.extend([key.0, *counter, *milliseconds, count]);
            numbers.extend(
                parts
                    .iter()
                    .flat_map(|part| [part.start, part.requests, part.failures]),
            );
        }
        let numbers = numbers.iter().flat_map(|number| number.to_le_bytes());
        HEADER.into_iter().chain(numbers).collect()
    }
}

const fn milliseconds(time: UnixTime) -> u64 {
    time.nanoseconds() / 1_000_000
}
