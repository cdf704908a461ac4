//! What was read from one document.

use crate::usage::fields::{Count, Style, UsageField};
use crate::usage::observe::ResponseMetadata;
use crate::usage::scan::{Visit, Word};
use crate::usage::tokens::Usage;
use crate::usage::words::{LatencyTier, ServiceTier, StopReason};

/// An object of counts, as far as it was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) input: Option<u64>,
    pub(super) output: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_5m: Option<u64>,
    cache_write_1h: Option<u64>,
    cache_read_repeated: Option<u64>,
    cache_write_repeated: Option<u64>,
}

impl Counts {
    fn slot(&mut self, count: Count) -> &mut Option<u64> {
        match count {
            Count::Input => &mut self.input,
            Count::Output => &mut self.output,
            Count::CacheRead => &mut self.cache_read,
            Count::CacheWrite => &mut self.cache_write,
            Count::CacheWrite5m => &mut self.cache_write_5m,
            Count::CacheWrite1h => &mut self.cache_write_1h,
            Count::CacheReadRepeated => &mut self.cache_read_repeated,
            Count::CacheWriteRepeated => &mut self.cache_write_repeated,
        }
    }

    /// These, and `other` where these have nothing.
    pub(super) fn or(self, other: Self) -> Self {
        // The parts belong to their sum: they are never taken from different accounts of it.
        let split = if self
            .cache_write
            .is_some_and(|write| Some(write) != other.cache_write)
        {
            self
        } else {
            other
        };
        let split = if self.cache_write_1h.is_some() || self.cache_write_5m.is_some() {
            self
        } else {
            split
        };
        Self {
            input: self.input.or(other.input),
            output: self.output.or(other.output),
            cache_read: self.cache_read.or(other.cache_read),
            cache_write: self.cache_write.or(other.cache_write),
            cache_write_5m: split.cache_write_5m,
            cache_write_1h: split.cache_write_1h,
            cache_read_repeated: None,
            cache_write_repeated: None,
        }
    }

    /// With what stands only in the repetition.
    fn unrepeated(self) -> Self {
        Self {
            cache_read: self.cache_read.or(self.cache_read_repeated),
            cache_write: self.cache_write.or(self.cache_write_repeated),
            cache_read_repeated: None,
            cache_write_repeated: None,
            ..self
        }
    }

    /// The prompt's side, if it was counted.
    pub(super) fn prompt(&self) -> Option<Usage> {
        let write = self.cache_write.unwrap_or_default();
        let hour = self.cache_write_1h.unwrap_or_default();
        let five = self.cache_write_5m.unwrap_or_default();
        // What no lifetime accounts for was written for the usual one.
        let untold = write.saturating_sub(five).saturating_sub(hour);
        Some(Usage {
            input: self.input?,
            output: 0,
            cache_read: self.cache_read.unwrap_or_default(),
            cache_write_5m: five.saturating_add(untold),
            cache_write_1h: hour,
        })
    }

    /// The whole account, if it is one.
    pub(super) fn usage(&self) -> Option<Usage> {
        Some(Usage {
            output: self.output?,
            ..self.prompt()?
        })
    }
}

/// What one document said.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    usage: Counts,
    pub(super) start: Counts,
    pub(super) metrics: Counts,
    details: Details,
    /// Whether there was an object of counts at all.
    pub(super) counted: bool,
    pub(super) metadata: ResponseMetadata,
    word: Word,
}

/// `cacheDetails`, summed by lifetime.
#[derive(Clone, Debug, Default)]
struct Details {
    five: u64,
    hour: u64,
    element_life: Option<Life>,
    element_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Life {
    FiveMinutes,
    Hour,
}

impl Reading {
    /// `usage`. The split of `cacheDetails` counts only if it adds up to the sum, as LiteLLM has it.
    pub(super) fn usage(&self) -> Counts {
        let usage = self.usage.unrepeated();
        let Details { five, hour, .. } = self.details;
        if hour == 0 || five.checked_add(hour) != usage.cache_write {
            return usage;
        }
        Counts {
            cache_write_5m: Some(five),
            cache_write_1h: Some(hour),
            ..usage
        }
    }

    fn counts(&mut self, style: Style) -> &mut Counts {
        match style {
            Style::Usage => &mut self.usage,
            Style::Start => &mut self.start,
            Style::Metrics => &mut self.metrics,
        }
    }
}

impl Visit<UsageField> for Reading {
    fn enter(&mut self, field: UsageField) {
        match field {
            UsageField::Counts(style) => {
                self.counted = true;
                *self.counts(style) = Counts::default();
                if style == Style::Usage {
                    self.details = Details::default();
                }
            }
            UsageField::Count(style, count) => *self.counts(style).slot(count) = None,
            UsageField::Details => self.details = Details::default(),
            UsageField::DetailLife => self.details.element_life = None,
            UsageField::DetailTokens => self.details.element_tokens = None,
            UsageField::Creation => {
                self.usage.cache_write_5m = None;
                self.usage.cache_write_1h = None;
            }
            UsageField::Searches => self.metadata.has_searched = false,
            UsageField::Tier => self.metadata.service_tier = None,
            UsageField::Latency => self.metadata.latency = None,
            UsageField::StopReason => self.metadata.stop_reason = None,
            UsageField::Group | UsageField::Text | UsageField::Chunk => {}
        }
        self.word.clear();
    }

    fn element(&mut self, field: UsageField) {
        if field != UsageField::Details {
            return;
        }
        let tokens = self.details.element_tokens.take().unwrap_or_default();
        match self.details.element_life.take() {
            Some(Life::FiveMinutes) => self.details.five = self.details.five.saturating_add(tokens),
            Some(Life::Hour) => self.details.hour = self.details.hour.saturating_add(tokens),
            None => {}
        }
    }

    fn number(&mut self, field: UsageField, value: Option<u64>) {
        match field {
            UsageField::Count(style, count) => *self.counts(style).slot(count) = value,
            UsageField::DetailTokens => self.details.element_tokens = value,
            UsageField::Searches => self.metadata.has_searched = value != Some(0),
            _ => {}
        }
    }

    fn piece(&mut self, field: UsageField, piece: &[u8]) {
        if field == UsageField::Text {
            // Every byte but the continuation bytes of UTF-8 begins a character.
            let characters = piece.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
            let characters = u64::try_from(characters).unwrap_or(u64::MAX);
            self.metadata.characters = self.metadata.characters.saturating_add(characters);
        } else {
            self.word.push(piece);
        }
    }

    fn string(&mut self, field: UsageField) {
        let word = self.word.bytes().unwrap_or_default();
        match field {
            UsageField::DetailLife => {
                self.details.element_life = match word {
                    b"5m" => Some(Life::FiveMinutes),
                    b"1h" => Some(Life::Hour),
                    _ => None,
                }
            }
            UsageField::Tier => self.metadata.service_tier = Some(ServiceTier::from_word(word)),
            UsageField::Latency => self.metadata.latency = Some(LatencyTier::from_word(word)),
            UsageField::StopReason => self.metadata.stop_reason = Some(StopReason::from_word(word)),
            _ => {}
        }
    }
}
