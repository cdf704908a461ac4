//! What a request used, read from the response while it passes through.
//!
//! Nothing here buffers, changes or delays a response: [`BodyObserver`] and [`StreamObserver`] look
//! at each chunk once and keep a few numbers. If a response cannot be parsed, [`UsageSource`] says
//! so, and the request still succeeds.

mod body;
mod chunk;
mod estimate;
mod fields;
mod headers;
mod max_tokens;
mod observe;
mod reading;
mod scan;
mod stream;
#[cfg(test)]
mod tests;
mod text_delta;
mod tokens;
mod words;

pub(crate) use body::BodyObserver;
pub(crate) use estimate::estimated_input;
pub(crate) use headers::HeaderUsage;
pub(crate) use max_tokens::MaxTokens;
pub(crate) use observe::{Ending, Observation, UnreadableReason};
pub(crate) use stream::{StreamKind, StreamObserver};
pub use tokens::Usage;
pub(crate) use tokens::UsageSource;
#[cfg(test)]
pub(crate) use words::StopReason;
pub(crate) use words::StreamException;
pub use words::{LatencyTier, ServiceTier};
