//! The value that all VMs share: a header, then for each VM that has taken something five numbers
//! (u64, little endian): the VM, its last renewal, requests, bytes and grants.

/// Identifies the format. The value is never empty.
const HEADER: [u8; 8] = *b"capaci-2";
const ENTRY_BYTES: usize = 40;

/// What all VMs share: values by their keys.
pub trait SharedStore {
    /// Returns a value and its number; `None` if it was never written.
    ///
    /// # Errors
    /// [`StoreError`]
    fn read(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError>;
    /// Sets a value. If `number` is not 0, this only succeeds while the value still has it. Returns
    /// whether the value was set.
    fn write(&self, key: &str, value: &[u8], number: u32) -> bool;
}

/// A value cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreError;

/// Amounts of what is limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Requests at once.
    pub requests: u64,
    /// Bytes of request bodies.
    pub bytes: u64,
    /// Requests that hold something of the limits of a key or team. Written once, when a VM begins
    /// to have any, so this only says that there are some.
    pub grants: u64,
}

/// What a VM has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LedgerEntry {
    pub(super) vm: u64,
    /// Changes with each write, so that other VMs see that this one lives.
    pub(super) beat: u64,
    pub(super) taken: Amounts,
}

/// What all VMs have taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ledger(Vec<LedgerEntry>);

impl Ledger {
    /// Parses the value, or returns `None` if it is malformed.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (entries, rest) = bytes.strip_prefix(&HEADER)?.as_chunks::<ENTRY_BYTES>();
        let entries = rest.is_empty().then_some(entries)?;
        entries
            .iter()
            .map(LedgerEntry::parse)
            .collect::<Option<_>>()
            .map(Self)
    }

    pub(super) fn serialize(&self) -> Vec<u8> {
        let entries = self.0.len().saturating_mul(ENTRY_BYTES);
        let mut bytes = Vec::with_capacity(HEADER.len().saturating_add(entries));
        bytes.extend(HEADER);
        for entry in &self.0 {
            let Amounts {
                requests,
                bytes: taken,
                grants,
            } = entry.taken;
            for number in [entry.vm, entry.beat, requests, taken, grants] {
                bytes.extend(number.to_le_bytes());
            }
        }
        bytes
    }

    /// Replaces the entry of a VM. A VM that has taken nothing has no entry.
    pub(super) fn set(&mut self, entry: LedgerEntry) {
        self.0.retain(|other| other.vm != entry.vm);
        if entry.taken != Amounts::default() {
            self.0.push(entry);
        }
    }

    pub(super) fn retain(&mut self, keeps: impl FnMut(&LedgerEntry) -> bool) {
        self.0.retain(keeps);
    }

    /// The VMs that have taken something.
    pub(super) fn vms(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|entry| entry.vm)
    }

    /// The entries of the VMs other than `vm`.
    pub(super) fn others(&self, vm: u64) -> impl Iterator<Item = &LedgerEntry> {
        self.0.iter().filter(move |entry| entry.vm != vm)
    }

    pub(super) fn total(&self) -> Amounts {
        sum(self.0.iter())
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl LedgerEntry {
    fn parse(bytes: &[u8; ENTRY_BYTES]) -> Option<Self> {
        let (numbers, _) = bytes.as_chunks::<8>();
        let [vm, beat, requests, bytes, grants] = *numbers else {
            return None;
        };
        Some(Self {
            vm: u64::from_le_bytes(vm),
            beat: u64::from_le_bytes(beat),
            taken: Amounts {
                requests: u64::from_le_bytes(requests),
                bytes: u64::from_le_bytes(bytes),
                grants: u64::from_le_bytes(grants),
            },
        })
    }
}

/// The sum of what these VMs have taken.
pub(super) fn sum<'a>(entries: impl Iterator<Item = &'a LedgerEntry>) -> Amounts {
    entries.fold(Amounts::default(), |sum, entry| Amounts {
        requests: sum.requests.saturating_add(entry.taken.requests),
        bytes: sum.bytes.saturating_add(entry.taken.bytes),
        grants: sum.grants.saturating_add(entry.taken.grants),
    })
}
