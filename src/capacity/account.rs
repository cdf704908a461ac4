//! What one VM has taken of what all share.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::capacity::ledger::{self, Amounts, Ledger, LedgerEntry, SharedStore, StoreError};
use crate::contract::metrics::{BUFFERED_BYTES, PARALLEL_REQUESTS};
use crate::contract::names::SHARED_LEDGER;
use crate::records::metrics::registry::{MetricKind, Registry};
use crate::time::UnixTime;

/// Unit in which a VM leases bytes. A worker has up to twice this amount set aside.
pub const BLOCK_BYTES: u64 = 1024 * 1024;
/// Ticks without a renewal after which an entry is dropped: about ten seconds.
pub const STALE_TICKS: u32 = 10;
/// Shortest time between two ticks, in milliseconds. A VM may have several timers.
const TICK_MIN_MILLISECONDS: u64 = 900;
/// Maximum compare-and-swap attempts. Each failure means that another VM succeeded.
const WRITE_ATTEMPTS: u32 = 1000;

/// Why nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapacityError {
    /// The limit is reached.
    Exhausted,
    /// The ledger could not be read or written.
    Uncountable,
}

/// The account of a VM.
pub struct Capacity {
    /// The VM, in the ledger. Random.
    vm: u64,
    store: Box<dyn SharedStore>,
    account: RefCell<VmAccount>,
}

#[derive(Debug, Default)]
struct VmAccount {
    /// What the streams of this VM hold.
    held: Amounts,
    /// Bytes in the ledger, at least those held.
    leased_bytes: u64,
    /// Grants in the ledger: 0 only if none are held.
    written_grants: u64,
    /// The number of the next renewal.
    beat: u64,
    /// Whether a parallel request was ever counted.
    counts_requests: bool,
    /// The last renewal of other VMs, and for how many ticks it has been the last.
    seen: BTreeMap<u64, (u64, u32)>,
    ticked: Option<UnixTime>,
}

impl fmt::Debug for Capacity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Capacity")
            .field("vm", &self.vm)
            .finish_non_exhaustive()
    }
}

impl Capacity {
    /// The account of the VM `vm`, a random number.
    pub fn new(vm: u64, store: Box<dyn SharedStore>) -> Self {
        Self {
            vm,
            store,
            account: RefCell::default(),
        }
    }

    /// Creates the ledger, unless it exists. Envoy configures the filter on its main thread first,
    /// so no worker is using it yet.
    pub fn open(&self) {
        if self.store.read(SHARED_LEDGER) == Ok(None) {
            let _later = self.store.write(SHARED_LEDGER, &Ledger::default().serialize(), 0);
        }
    }

    /// Counts a request, up to `limit` at once.
    ///
    /// # Errors
    /// [`CapacityError`]; nothing is counted then.
    pub(super) fn take_permit(&self, limit: u64) -> Result<(), CapacityError> {
        let account = &mut *self.account.borrow_mut();
        let requests = account.held.requests.saturating_add(1);
        let taken = Amounts {
            requests,
            ..account.taken()
        };
        self.write(account, |others| {
            (others.requests.saturating_add(requests) <= limit).then_some(taken)
        })?;
        account.held.requests = requests;
        account.counts_requests = true;
        Ok(())
    }

    /// Takes `bytes` more, up to `limit` in all.
    pub(super) fn take_bytes(&self, bytes: u64, limit: u64) -> Result<(), CapacityError> {
        let account = &mut *self.account.borrow_mut();
        let held = account.held.bytes.saturating_add(bytes);
        if held > account.leased_bytes {
            let taken = account.taken();
            let written = self.write(account, |others| {
                let room = limit.saturating_sub(others.bytes);
                let bytes = whole_blocks(held).min(room);
                (held <= room).then_some(Amounts { bytes, ..taken })
            })?;
            account.leased_bytes = written.bytes;
        }
        account.held.bytes = held;
        Ok(())
    }

    /// Returns `bytes`. Keeps a block, so that a worker with small requests does not lease one for
    /// each of them.
    pub(super) fn return_bytes(&self, bytes: u64) {
        let account = &mut *self.account.borrow_mut();
        account.held.bytes = account.held.bytes.saturating_sub(bytes);
        let kept = whole_blocks(account.held.bytes).max(BLOCK_BYTES);
        if account.leased_bytes.saturating_sub(kept) >= BLOCK_BYTES {
            account.leased_bytes = kept;
            self.rewrite(account);
        }
    }

    pub(super) fn return_permit(&self) {
        let account = &mut *self.account.borrow_mut();
        account.held.requests = account.held.requests.saturating_sub(1);
        self.rewrite(account);
    }

    /// Counts a request that holds something of the limits of a key or team. While there are any,
    /// [`Self::living`] has this VM.
    pub(super) fn take_presence(&self) -> Result<(), CapacityError> {
        let account = &mut *self.account.borrow_mut();
        let grants = account.held.grants.saturating_add(1);
        if account.written_grants == 0 {
            let taken = Amounts {
                grants,
                ..account.taken()
            };
            self.write(account, |_| Some(taken))?;
            account.written_grants = grants;
        }
        account.held.grants = grants;
        Ok(())
    }

    /// The next tick removes a VM without grants from the ledger.
    pub(super) fn return_presence(&self) {
        let account = &mut *self.account.borrow_mut();
        account.held.grants = account.held.grants.saturating_sub(1);
    }

    /// The number of this VM.
    pub(crate) const fn vm(&self) -> u64 {
        self.vm
    }

    /// The VMs that hold something.
    ///
    /// # Errors
    /// [`CapacityError::Uncountable`]
    pub(crate) fn living(&self) -> Result<BTreeSet<u64>, CapacityError> {
        let (ledger, _) = self.read()?;
        Ok(ledger.vms().collect())
    }

    /// Reports the parallel requests of all VMs, although this one counts none.
    pub fn report_requests(&self) {
        self.account.borrow_mut().counts_requests = true;
    }

    /// Returns what this VM has set aside but does not use, because no tick will do so.
    pub fn rest(&self) {
        let account = &mut *self.account.borrow_mut();
        let leased_bytes = account.held.bytes.min(account.leased_bytes);
        let written_grants = account.held.grants;
        if (leased_bytes, written_grants) != (account.leased_bytes, account.written_grants) {
            account.leased_bytes = leased_bytes;
            account.written_grants = written_grants;
            self.rewrite(account);
        }
    }

    /// Renews the entry of this VM and drops those of dead ones. Must be called about every second
    /// while it returns true, which is as long as any VM holds something.
    pub fn tick(&self, now: UnixTime, registry: &impl Registry) -> bool {
        let account = &mut *self.account.borrow_mut();
        if account.ticked.is_some_and(|last| is_too_soon(last, now)) {
            return true;
        }
        account.ticked = Some(now);
        account.leased_bytes = whole_blocks(account.held.bytes).min(account.leased_bytes);
        account.written_grants = account.held.grants;
        let Ok(ledger) = self.renew(account) else {
            return true;
        };
        let total = ledger.total();
        if account.counts_requests {
            set_gauge(PARALLEL_REQUESTS, total.requests, registry);
        }
        set_gauge(BUFFERED_BYTES, total.bytes, registry);
        !ledger.is_empty()
    }

    /// Writes the entry of this VM, without entries of dead VMs. Returns the ledger.
    fn renew(&self, account: &mut VmAccount) -> Result<Ledger, CapacityError> {
        let (before, _) = self.read()?;
        account.observe(before.others(self.vm));
        for _ in 0..WRITE_ATTEMPTS {
            let (before, number) = self.read()?;
            let mut ledger = before.clone();
            ledger.retain(|entry| !account.is_dead(entry));
            ledger.set(account.entry(self.vm, account.taken()));
            if ledger == before || self.store.write(SHARED_LEDGER, &ledger.serialize(), number) {
                return Ok(ledger);
            }
        }
        Err(CapacityError::Uncountable)
    }

    /// Writes what this VM has taken. If that fails, a later write makes up for it.
    fn rewrite(&self, account: &mut VmAccount) {
        let taken = account.taken();
        let _later = self.write(account, |_| Some(taken));
    }

    /// Writes what this VM takes, which `take` decides from what the others have taken.
    fn write(
        &self,
        account: &mut VmAccount,
        take: impl Fn(Amounts) -> Option<Amounts>,
    ) -> Result<Amounts, CapacityError> {
        for _ in 0..WRITE_ATTEMPTS {
            let (mut ledger, number) = self.read()?;
            let others = ledger::sum(ledger.others(self.vm));
            let taken = take(others).ok_or(CapacityError::Exhausted)?;
            ledger.set(account.entry(self.vm, taken));
            if self.store.write(SHARED_LEDGER, &ledger.serialize(), number) {
                return Ok(taken);
            }
        }
        Err(CapacityError::Uncountable)
    }

    fn read(&self) -> Result<(Ledger, u32), CapacityError> {
        match self.store.read(SHARED_LEDGER) {
            Ok(Some((bytes, number))) => Ledger::parse(&bytes).map(|ledger| (ledger, number)),
            Ok(None) => Some((Ledger::default(), 0)),
            Err(StoreError) => None,
        }
        .ok_or(CapacityError::Uncountable)
    }
}

impl VmAccount {
    const fn taken(&self) -> Amounts {
        Amounts {
            requests: self.held.requests,
            bytes: self.leased_bytes,
            grants: self.written_grants,
        }
    }

    /// The entry of this VM with a new renewal.
    const fn entry(&mut self, vm: u64, taken: Amounts) -> LedgerEntry {
        self.beat = self.beat.wrapping_add(1);
        LedgerEntry {
            vm,
            beat: self.beat,
            taken,
        }
    }

    /// Notes which of the other VMs have renewed their entries since the last tick.
    fn observe<'a>(&mut self, others: impl Iterator<Item = &'a LedgerEntry>) {
        let seen = others.map(|other| {
            let ticks = match self.seen.get(&other.vm) {
                Some((beat, ticks)) if *beat == other.beat => ticks.saturating_add(1),
                _ => 0,
            };
            (other.vm, (other.beat, ticks))
        });
        self.seen = seen.collect();
    }

    fn is_dead(&self, entry: &LedgerEntry) -> bool {
        let seen = self.seen.get(&entry.vm);
        seen.is_some_and(|(beat, ticks)| *beat == entry.beat && *ticks >= STALE_TICKS)
    }
}

/// Whether `now` is less than a tick after `last`. A clock that was set back is no reason to wait.
fn is_too_soon(last: UnixTime, now: UnixTime) -> bool {
    now >= last && now.milliseconds_since(last) < TICK_MIN_MILLISECONDS
}

const fn whole_blocks(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK_BYTES).saturating_mul(BLOCK_BYTES)
}

fn set_gauge(name: &str, value: u64, registry: &impl Registry) {
    if let Some(id) = registry.define(MetricKind::Gauge, name) {
        registry.record(id, value);
    }
}
