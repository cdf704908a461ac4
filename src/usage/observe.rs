//! What an observer is told and what it finds.

use crate::eventstream::DecodeError;
use crate::usage::headers::HeaderUsage;
use crate::usage::tokens::{Usage, UsageSource};
use crate::usage::words::{LatencyTier, ServiceTier, StopReason, StreamException};

/// How an answer ended, as the caller saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With its end of stream.
    Whole,
    /// Before: the client left, the upstream was cut, a time limit passed.
    Cut,
}

/// Why an answer could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnreadableReason {
    /// The framing of the event stream is broken.
    Frame(DecodeError),
    /// Something that should be JSON is not.
    Json,
    /// The content of a chunk is not base64.
    Base64,
    /// There is a `usage`, but without the counts that it must have.
    Counts,
}

impl UnreadableReason {
    /// Every reason, for counters that are made ahead.
    pub fn all() -> impl Iterator<Item = Self> {
        let frames = DecodeError::ALL.into_iter().map(Self::Frame);
        frames.chain([Self::Json, Self::Base64, Self::Counts])
    }

    /// A stable word for it, for counters and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Frame(error) => error.as_str(),
            Self::Json => "json",
            Self::Base64 => "base64",
            Self::Counts => "counts",
        }
    }
}

/// What an answer said about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The numbers; `None` where `source` is `Unparsed` or `Unknown`.
    pub usage: Option<Usage>,
    /// Where they come from.
    pub source: UsageSource,
    /// Why they could not be read, where `source` is `Unparsed`.
    pub unreadable: Option<UnreadableReason>,
    /// The tier that served the request, if the answer told.
    pub service_tier: Option<ServiceTier>,
    /// The latency tier that served the request, if the answer told.
    pub latency: Option<LatencyTier>,
    /// Why the model stopped, if the answer told.
    pub stop_reason: Option<StopReason>,
    /// The failure inside a stream, if there was one (the first).
    pub exception: Option<StreamException>,
    /// Whether the model has searched the web, which is paid for besides its tokens.
    pub has_searched: bool,
    /// Characters of text, reasoning and tool input that were seen.
    pub characters: u64,
}

/// What an answer told besides its usage.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ResponseMetadata {
    pub(super) service_tier: Option<ServiceTier>,
    pub(super) latency: Option<LatencyTier>,
    pub(super) stop_reason: Option<StopReason>,
    pub(super) has_searched: bool,
    /// Characters of text.
    pub(super) characters: u64,
}

impl ResponseMetadata {
    /// With what came `before`, where this has nothing.
    pub(super) fn after(self, before: Self) -> Self {
        Self {
            service_tier: self.service_tier.or(before.service_tier),
            latency: self.latency.or(before.latency),
            stop_reason: self.stop_reason.or(before.stop_reason),
            has_searched: self.has_searched || before.has_searched,
            characters: self.characters.saturating_add(before.characters),
        }
    }
}

impl Observation {
    /// `unreadable`: what could not be read, if anything; it counts only where there are no numbers for it.
    pub(super) fn new(
        (source, usage): (UsageSource, Option<Usage>),
        unreadable: Option<UnreadableReason>,
        exception: Option<StreamException>,
        metadata: ResponseMetadata,
        headers: &HeaderUsage,
    ) -> Self {
        Self {
            usage,
            source,
            unreadable: unreadable.filter(|_| source == UsageSource::Unparsed),
            service_tier: metadata.service_tier.or(headers.service_tier),
            latency: metadata.latency.or(headers.latency),
            stop_reason: metadata.stop_reason,
            exception,
            has_searched: metadata.has_searched,
            characters: metadata.characters,
        }
    }
}
