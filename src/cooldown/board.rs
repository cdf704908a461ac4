//! The value that all VMs share: a header, then for each cooldown five numbers (u64, little endian):
//! the key of its target, its first and last nanosecond since 1970, the start of its probe or 0, and
//! the status of the response that caused it.

use crate::cooldown::target::TargetKey;
use crate::time::UnixTime;

/// Identifies the format. The value is never empty.
const HEADER: [u8; 8] = *b"cooldn-1";
const ENTRY_BYTES: usize = 40;
/// Maximum number of entries, since each request reads them all: 40 kB. If there are more, those
/// that end first are dropped.
pub(super) const ENTRIES_MAX: usize = 1000;
/// After this time, a probe without a result is repeated.
pub(super) const PROBE_MILLISECONDS: u64 = 30_000;
/// An entry is dropped this long after its cooldown has ended, in case nobody probes the deployment.
pub(super) const FORGOTTEN_MILLISECONDS: u64 = 600_000;

/// A deployment that cools down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cooldown {
    pub(crate) key: TargetKey,
    /// When it began.
    pub(crate) since: UnixTime,
    /// When it is over.
    pub(crate) until: UnixTime,
    /// The status of the response that caused it; 0 if there was none.
    pub(crate) status: u16,
}

impl Cooldown {
    /// How long it lasts and why.
    pub(crate) fn message(&self) -> String {
        let cause = match self.status {
            0 => "there was no response".to_owned(),
            200..=299 => "a response that had begun well failed".to_owned(),
            status => format!("a response had status {status}"),
        };
        format!(
            "cools down until {}, because {cause}",
            self.until.rfc3339().as_str()
        )
    }
}

/// Whether a deployment gets requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TargetState {
    /// It does.
    Ready,
    /// It does not until then, or another request probes it.
    Cooling { until: UnixTime },
    /// Its cooldown is over, and one request should probe it.
    ProbeDue,
}

/// The deployments that cool down, as a request sees them.
#[derive(Clone, Debug, Default)]
pub(crate) struct CooldownView(Board);

impl CooldownView {
    pub(super) const fn new(board: Board) -> Self {
        Self(board)
    }

    pub(crate) fn state(&self, key: TargetKey, now: UnixTime) -> TargetState {
        let entry = self.0.entry(key);
        entry.map_or(TargetState::Ready, |entry| entry.state(now))
    }

    /// If so, all deployments are ready.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.0.is_empty()
    }

    /// The cooldowns, including those that are over but whose deployments nobody has probed. See
    /// [`Self::state`].
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Cooldown> {
        self.0.0.iter().map(|entry| &entry.cooldown)
    }
}

/// All cooldowns, with at most one of each target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Board(Vec<BoardEntry>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct BoardEntry {
    cooldown: Cooldown,
    /// When its probe began.
    probe: Option<UnixTime>,
}

impl Board {
    pub(super) fn state(&self, key: TargetKey, now: UnixTime) -> TargetState {
        let entry = self.entry(key);
        entry.map_or(TargetState::Ready, |entry| entry.state(now))
    }

    /// Whether the cooldown of `key` is over, but no probe has succeeded yet.
    pub(super) fn is_on_probation(&self, key: TargetKey, now: UnixTime) -> bool {
        self.entry(key)
            .is_some_and(|entry| !entry.is_forgotten(now) && !entry.is_cooling(now))
    }

    /// Begins a cooldown. One that follows a failed probe lasts at least as long as the one before.
    /// Returns `None` if `key` cools down already.
    pub(super) fn begin(
        &mut self,
        key: TargetKey,
        milliseconds: u64,
        status: u16,
        now: UnixTime,
    ) -> Option<Cooldown> {
        self.drop_forgotten(now);
        let before = self.entry(key);
        if before.is_some_and(|entry| entry.is_cooling(now)) {
            return None;
        }
        let milliseconds = before.map_or(milliseconds, |entry| milliseconds.max(entry.milliseconds()));
        let cooldown = Cooldown {
            key,
            since: now,
            until: now.after_milliseconds(milliseconds),
            status,
        };
        self.remove(key);
        if self.0.len() >= ENTRIES_MAX {
            self.drop_first_to_end();
        }
        self.0.push(BoardEntry {
            cooldown,
            probe: None,
        });
        Some(cooldown)
    }

    /// Makes the cooldown of `key` last until `until`, if it would end at least a second earlier.
    /// Returns whether it would.
    pub(super) fn extend(&mut self, key: TargetKey, until: UnixTime, now: UnixTime) -> bool {
        let Some(entry) = self.0.iter_mut().find(|entry| entry.cooldown.key == key) else {
            return false;
        };
        let extends = entry.is_cooling(now) && until.milliseconds_since(entry.cooldown.until) >= 1000;
        if extends {
            entry.cooldown.until = until;
        }
        extends
    }

    /// Begins the probe of `key`. Returns whether there is one to begin.
    pub(super) fn begin_probe(&mut self, key: TargetKey, now: UnixTime) -> bool {
        self.drop_forgotten(now);
        let entry = self.0.iter_mut().find(|entry| entry.cooldown.key == key);
        let due = entry.filter(|entry| entry.state(now) == TargetState::ProbeDue);
        due.is_some_and(|entry| {
            entry.probe = Some(now);
            true
        })
    }

    /// Ends the probe of `key` without a result. Returns whether there is one to end.
    pub(super) fn give_up_probe(&mut self, key: TargetKey, now: UnixTime) -> bool {
        let entry = self.0.iter_mut().find(|entry| entry.cooldown.key == key);
        let probed = entry.filter(|entry| !entry.is_cooling(now) && entry.probe.is_some());
        probed.is_some_and(|entry| {
            entry.probe = None;
            true
        })
    }

    /// Ends the cooldown of `key`.
    pub(super) fn remove(&mut self, key: TargetKey) {
        self.0.retain(|entry| entry.cooldown.key != key);
    }

    fn entry(&self, key: TargetKey) -> Option<&BoardEntry> {
        self.0.iter().find(|entry| entry.cooldown.key == key)
    }

    fn drop_forgotten(&mut self, now: UnixTime) {
        self.0.retain(|entry| !entry.is_forgotten(now));
    }

    fn drop_first_to_end(&mut self) {
        let first = self
            .0
            .iter()
            .map(|entry| entry.cooldown)
            .min_by_key(|cooldown| cooldown.until);
        if let Some(first) = first {
            self.remove(first.key);
        }
    }

    /// Parses the value, or returns `None` if it is malformed.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (entries, rest) = bytes.strip_prefix(&HEADER)?.as_chunks::<ENTRY_BYTES>();
        let entries = rest.is_empty().then_some(entries)?;
        entries
            .iter()
            .map(BoardEntry::parse)
            .collect::<Option<_>>()
            .map(Self)
    }

    pub(super) fn serialize(&self) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        for BoardEntry { cooldown, probe } in &self.0 {
            let numbers = [
                cooldown.key.0,
                cooldown.since.nanoseconds(),
                cooldown.until.nanoseconds(),
                probe.map_or(0, UnixTime::nanoseconds),
                u64::from(cooldown.status),
            ];
            bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        }
        bytes
    }
}

impl BoardEntry {
    fn state(&self, now: UnixTime) -> TargetState {
        let Cooldown { until, .. } = self.cooldown;
        if self.is_forgotten(now) {
            return TargetState::Ready;
        }
        if self.is_cooling(now) {
            return TargetState::Cooling { until };
        }
        let probe_ends = self
            .probe
            .map(|start| (start, start.after_milliseconds(PROBE_MILLISECONDS)));
        match probe_ends {
            Some((start, end)) if now.is_between(start, end) => TargetState::Cooling { until: end },
            _ => TargetState::ProbeDue,
        }
    }

    fn is_cooling(&self, now: UnixTime) -> bool {
        now.is_between(self.cooldown.since, self.cooldown.until)
    }

    fn is_forgotten(&self, now: UnixTime) -> bool {
        now.milliseconds_since(self.cooldown.until) >= FORGOTTEN_MILLISECONDS
    }

    const fn milliseconds(&self) -> u64 {
        self.cooldown.until.milliseconds_since(self.cooldown.since)
    }

    fn parse(bytes: &[u8; ENTRY_BYTES]) -> Option<Self> {
        let (numbers, _) = bytes.as_chunks::<8>();
        let [key, since, until, probe, status] = *numbers else {
            return None;
        };
        let time = |bytes| UnixTime::from_nanoseconds(u64::from_le_bytes(bytes));
        Some(Self {
            cooldown: Cooldown {
                key: TargetKey(u64::from_le_bytes(key)),
                since: time(since),
                until: time(until),
                status: u16::try_from(u64::from_le_bytes(status)).ok()?,
            },
            probe: Some(time(probe)).filter(|start| start.nanoseconds() > 0),
        })
    }
}
