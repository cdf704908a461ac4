//! What a subject has used: the value in Envoy's shared data, and the rules by which it changes.
//!
//! The value is a header, then numbers in little endian: the start of the minute (milliseconds since
//! 1970), its requests and tokens; the start of the budget's window (seconds), and what was spent
//! in it; then for each VM with requests its number, its requests, and the tokens and money that
//! they have reserved. Money has 16 bytes, everything else 8.

use crate::limits::exceeded::ExceededLimit;
use crate::limits::subject::{Limits, Standing};
use crate::pricing::PicoUsd;
use crate::time::UnixTime;

/// Identifies the format. The value is never empty.
const HEADER: [u8; 8] = *b"limits-1";
const MINUTE_MILLISECONDS: u64 = 60_000;

/// What a subject has used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    minute: Minute,
    /// The first second of the budget's window.
    window_start: u64,
    /// What was spent in it since Envoy started.
    spend: u128,
    held: Vec<HeldByVm>,
}

/// The current minute. It begins with a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Minute {
    /// In milliseconds since 1970; 0 if no minute has begun.
    start: u64,
    requests: u64,
    tokens: u64,
}

/// What the running requests of a VM hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct HeldByVm {
    vm: u64,
    requests: u64,
    tokens: u64,
    spend: u128,
}

/// Tokens and money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) tokens: u64,
    pub(crate) spend: PicoUsd,
}

impl Tally {
    /// Counts a request of the VM `vm`. Returns the minute that it is counted in.
    ///
    /// # Errors
    /// The limit that it would exceed; nothing is counted then.
    pub(super) fn admit(&mut self, vm: u64, limits: &Limits, now: UnixTime) -> Result<u64, ExceededLimit> {
        self.roll(limits, now);
        self.check_budget(limits, now)?;
        let resets = self.minute_ends(now);
        if let Some(limit) = limits.parallel
            && self.running() >= limit
        {
            return Err(ExceededLimit::Parallel { limit });
        }
        if let Some(limit) = limits.requests
            && self.minute.requests >= limit
        {
            return Err(ExceededLimit::Requests { limit, resets });
        }
        self.check_tokens(limits, now)?;
        if self.minute.start == 0 {
            self.minute.start = milliseconds(now);
        }
        self.minute.requests = self.minute.requests.saturating_add(1);
        self.change_held(vm, |held| held.requests = held.requests.saturating_add(1));
        Ok(self.minute.start)
    }

    /// Reserves tokens and money for an admitted request.
    ///
    /// # Errors
    /// The limit that others have reached meanwhile; nothing is reserved then.
    pub(super) fn reserve(
        &mut self,
        vm: u64,
        amount: Amount,
        limits: &Limits,
        now: UnixTime,
    ) -> Result<(), ExceededLimit> {
        self.roll(limits, now);
        self.check_budget(limits, now)?;
        self.check_tokens(limits, now)?;
        self.change_held(vm, |held| {
            held.tokens = held.tokens.saturating_add(amount.tokens);
            held.spend = held.spend.saturating_add(amount.spend.pico());
        });
        Ok(())
    }

    /// Replaces what a request holds by what it has used. `held` is what it has reserved, or `None`
    /// if it was not counted.
    pub(super) fn settle(
        &mut self,
        vm: u64,
        held: Option<Amount>,
        used: Amount,
        limits: &Limits,
        now: UnixTime,
    ) {
        self.roll(limits, now);
        if let Some(reserved) = held {
            self.give_back(vm, reserved);
        }
        if used.tokens > 0 && self.minute.start == 0 {
            self.minute.start = milliseconds(now);
        }
        self.minute.tokens = self.minute.tokens.saturating_add(used.tokens);
        self.spend = self.spend.saturating_add(used.spend.pico());
    }

    /// Returns what a request holds that ends without a settlement.
    pub(super) fn give_back(&mut self, vm: u64, reserved: Amount) {
        self.change_held(vm, |held| {
            held.requests = held.requests.saturating_sub(1);
            held.tokens = held.tokens.saturating_sub(reserved.tokens);
            held.spend = held.spend.saturating_sub(reserved.spend.pico());
            if held.requests == 0 {
                (held.tokens, held.spend) = (0, 0);
            }
        });
    }

    /// Uncounts a request that was not served, if it was counted in the current minute.
    pub(super) const fn uncount(&mut self, minute: u64) {
        if self.minute.start == minute {
            self.minute.requests = self.minute.requests.saturating_sub(1);
        }
    }

    /// Drops what the VMs hold that `is_alive` does not know. Returns whether there were any.
    pub(super) fn drop_dead(&mut self, is_alive: impl Fn(u64) -> bool) -> bool {
        let before = self.held.len();
        self.held.retain(|held| is_alive(held.vm));
        self.held.len() < before
    }

    /// How the subject stands now.
    pub(super) fn standing(&self, limits: &Limits, now: UnixTime) -> Standing {
        let mut current = self.clone();
        current.roll(limits, now);
        Standing {
            requests: current.minute.requests,
            tokens: current.minute.tokens.saturating_add(current.reserved_tokens()),
            parallel: current.running(),
            spend: current.total_spend(limits, now),
            minute_ends: current.minute_ends(now),
        }
    }

    /// Ends the minute and the window of the budget if their time has come.
    ///
    /// A clock that is set back would make the minute last until it has caught up, so the minute
    /// then begins again, with what was counted in it. A window of the budget goes on until the next
    /// one begins.
    fn roll(&mut self, limits: &Limits, now: UnixTime) {
        let now_ms = milliseconds(now);
        if now_ms < self.minute.start {
            self.minute.start = now_ms;
        } else if now_ms.saturating_sub(self.minute.start) >= MINUTE_MILLISECONDS {
            self.minute = Minute::default();
        }
        let start = limits.window(now).start;
        if start > self.window_start {
            self.window_start = start;
            self.spend = 0;
        }
    }

    fn check_budget(&self, limits: &Limits, now: UnixTime) -> Result<(), ExceededLimit> {
        let Some(max) = limits.max_budget() else {
            return Ok(());
        };
        let spend = self.total_spend(limits, now);
        let reserved = self
            .held
            .iter()
            .fold(0u128, |sum, held| sum.saturating_add(held.spend));
        if spend.pico().saturating_add(reserved) >= max.pico() {
            let reserved = PicoUsd::new(reserved);
            return Err(ExceededLimit::Budget { max, spend, reserved });
        }
        Ok(())
    }

    fn check_tokens(&self, limits: &Limits, now: UnixTime) -> Result<(), ExceededLimit> {
        match limits.tokens {
            Some(limit) if self.minute.tokens.saturating_add(self.reserved_tokens()) >= limit => {
                let resets = self.minute_ends(now);
                Err(ExceededLimit::Tokens { limit, resets })
            }
            _ => Ok(()),
        }
    }

    fn total_spend(&self, limits: &Limits, now: UnixTime) -> PicoUsd {
        let opening = limits.opening_spend(now).pico();
        PicoUsd::new(self.spend.saturating_add(opening))
    }

    fn running(&self) -> u64 {
        let requests = self.held.iter().map(|held| held.requests);
        requests.fold(0, u64::saturating_add)
    }

    fn reserved_tokens(&self) -> u64 {
        let tokens = self.held.iter().map(|held| held.tokens);
        tokens.fold(0, u64::saturating_add)
    }

    /// When the current minute ends, or would end if it began now.
    const fn minute_ends(&self, now: UnixTime) -> UnixTime {
        if self.minute.start == 0 {
            now.after_milliseconds(MINUTE_MILLISECONDS)
        } else {
            let start = UnixTime::from_nanoseconds(self.minute.start.saturating_mul(1_000_000));
            start.after_milliseconds(MINUTE_MILLISECONDS)
        }
    }

    fn change_held(&mut self, vm: u64, change: impl FnOnce(&mut HeldByVm)) {
        let mut held = HeldByVm {
            vm,
            requests: 0,
            tokens: 0,
            spend: 0,
        };
        if let Some(index) = self.held.iter().position(|held| held.vm == vm) {
            held = self.held.swap_remove(index);
        }
        change(&mut held);
        if held.requests > 0 {
            self.held.push(held);
        }
    }

    /// Parses the value, or returns `None` if it is malformed.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = TallyReader(bytes.strip_prefix(&HEADER)?);
        let minute = Minute {
            start: reader.number()?,
            requests: reader.number()?,
            tokens: reader.number()?,
        };
        let (window_start, spend) = (reader.number()?, reader.amount()?);
        let mut held = Vec::new();
        while !reader.0.is_empty() {
            held.push(HeldByVm {
                vm: reader.number()?,
                requests: reader.number()?,
                tokens: reader.number()?,
                spend: reader.amount()?,
            });
        }
        Some(Self {
            minute,
            window_start,
            spend,
            held,
        })
    }

    pub(super) fn serialize(&self) -> Vec<u8> {
        let Minute {
            start,
            requests,
            tokens,
        } = self.minute;
        let mut bytes = HEADER.to_vec();
        for number in [start, requests, tokens, self.window_start] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.spend.to_le_bytes());
        for held in &self.held {
            for number in [held.vm, held.requests, held.tokens] {
                bytes.extend(number.to_le_bytes());
            }
            bytes.extend(held.spend.to_le_bytes());
        }
        bytes
    }
}

struct TallyReader<'a>(&'a [u8]);

impl TallyReader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn amount(&mut self) -> Option<u128> {
        self.take().map(u128::from_le_bytes)
    }
}

const fn milliseconds(time: UnixTime) -> u64 {
    time.nanoseconds() / 1_000_000
}
