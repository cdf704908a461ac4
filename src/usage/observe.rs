//! The input and the result of the observers.

use crate::eventstream::DecodeError;
use crate::usage::headers::HeaderUsage;
use crate::usage::tokens::{Usage, UsageSource};
use crate::usage::words::{LatencyTier, ServiceTier, StopReason, StreamException};

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With an end of stream.
    Whole,
    /// Early: the client disconnected, the upstream connection was lost or a timeout expired.
    Cut,
}

/// Why the usage of a response could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnreadableReason {
    /// The framing of the event stream is broken.
    Frame(DecodeError),
    /// The JSON is malformed.
    Json,
    /// The content of a chunk is not base64.
    Base64,
    /// There is a `usage` object, but a required count is missing or invalid.
    Counts,
}

impl UnreadableReason {
    /// Every reason, for counters that are created in advance.
    pub fn all() -> impl Iterator<Item = Self> {
        let frames = DecodeError::ALL.into_iter().map(Self::Frame);
        frames.chain([Self::Json, Self::Base64, Self::Counts])
    }

    /// A stable name for counters and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Frame(error) => error.as_str(),
            Self::Json => "json",
            Self::Base64 => "base64",
            Self::Counts => "counts",
        }
    }
}

/// What was seen in a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The token counts; `None` if `source` is `Unparsed` or `Unknown`.
    pub usage: Option<Usage>,
    /// Where the token counts come from.
    pub source: UsageSource,
    /// Why they could not be read, if `source` is `Unparsed`.
    pub unreadable: Option<UnreadableReason>,
    /// The service tier that served the request, if reported.
    pub service_tier: Option<ServiceTier>,
    /// The latency tier that served the request, if reported.
    pub latency: Option<LatencyTier>,
    /// Why the model stopped, if reported.
    pub stop_reason: Option<StopReason>,
    /// The first exception in a stream, if any.
    pub exception: Option<StreamException>,
    /// Whether the model searched the web, which is billed in addition to tokens.
    pub has_searched: bool,
    /// Characters of text, reasoning and tool input received.
    pub characters: u64,
}

/// What a response reports besides its token counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ResponseMetadata {
    pub(super) service_tier: Option<ServiceTier>,
    pub(super) latency: Option<LatencyTier>,
    pub(super) stop_reason: Option<StopReason>,
    pub(super) has_searched: bool,
    pub(super) characters: u64,
}

impl ResponseMetadata {
    /// Fills what is missing here from `before`, which came earlier in the response.
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
    /// `unreadable` is what could not be read, if anything. It is kept only if no token counts were
    /// found elsewhere.
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
