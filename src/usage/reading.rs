//! What one JSON document reports.

use crate::json::characters;
use crate::usage::fields::{Count, Style, UsageField};
use crate::usage::observe::ResponseMetadata;
use crate::usage::scan::{Visit, Word};
use crate::usage::tokens::Usage;
use crate::usage::words::{LatencyTier, ServiceTier, StopReason};

/// An object of token counts, possibly incomplete.
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

    /// Fills what is missing here from `other`.
    pub(super) fn or(self, other: Self) -> Self {
        // The split of cache writes by lifetime must come from the same object as their sum.
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

    /// Fills the cache counts from their `…TokenCount` duplicates where only those are present.
    fn unrepeated(self) -> Self {
        Self {
            cache_read: self.cache_read.or(self.cache_read_repeated),
            cache_write: self.cache_write.or(self.cache_write_repeated),
            cache_read_repeated: None,
            cache_write_repeated: None,
            ..self
        }
    }

    /// The counts of the prompt, if they were reported.
    pub(super) fn prompt(&self) -> Option<Usage> {
        let write = self.cache_write.unwrap_or_default();
        let hour = self.cache_write_1h.unwrap_or_default();
        let five = self.cache_write_5m.unwrap_or_default();
        // Cache writes without a known lifetime count as five-minute ones, the default.
        let unspecified = write.saturating_sub(five).saturating_sub(hour);
        Some(Usage {
            input: self.input?,
            output: 0,
            cache_read: self.cache_read.unwrap_or_default(),
            cache_write_5m: five.saturating_add(unspecified),
            cache_write_1h: hour,
        })
    }

    /// The complete usage, if both input and output were reported.
    pub(super) fn usage(&self) -> Option<Usage> {
        Some(Usage {
            output: self.output?,
            ..self.prompt()?
        })
    }
}

/// What was read from one document.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    usage: Counts,
    pub(super) start: Counts,
    pub(super) metrics: Counts,
    details: Details,
    /// Whether an object of token counts was present.
    pub(super) counted: bool,
    pub(super) metadata: ResponseMetadata,
    word: Word,
}

/// `cacheDetails`, summed by lifetime.
#[derive(Clone, Debug, Default)]
struct Details {
    five: u64,
    hour: u64,
    element_ttl: Option<Ttl>,
    element_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ttl {
    FiveMinutes,
    Hour,
}

impl Reading {
    /// The counts of `usage`. As in LiteLLM, `cacheDetails` is used only if it adds up to the
    /// reported sum.
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

    pub(super) fn add_characters(&mut self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.metadata.characters = self.metadata.characters.saturating_add(count);
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
            UsageField::DetailTtl => self.details.element_ttl = None,
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
        match self.details.element_ttl.take() {
            Some(Ttl::FiveMinutes) => self.details.five = self.details.five.saturating_add(tokens),
            Some(Ttl::Hour) => self.details.hour = self.details.hour.saturating_add(tokens),
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
            self.add_characters(characters(piece));
        } else {
            self.word.push(piece);
        }
    }

    fn string(&mut self, field: UsageField) {
        let word = self.word.bytes().unwrap_or_default();
        match field {
            UsageField::DetailTtl => {
                self.details.element_ttl = match word {
                    b"5m" => Some(Ttl::FiveMinutes),
                    b"1h" => Some(Ttl::Hour),
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
