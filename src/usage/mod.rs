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
mod observe;
mod reading;
mod scan;
mod stream;
#[cfg(test)]
mod tests;
mod tokens;
mod words;

pub use body::BodyObserver;
pub use estimate::{CHARACTERS_PER_TOKEN, ESTIMATED_INPUT_MAX_TOKENS, REQUEST_BYTES_PER_TOKEN};
pub use headers::HeaderUsage;
pub use observe::{Ending, Observation, UnreadableReason};
pub use stream::{StreamKind, StreamObserver};
pub use tokens::{Usage, UsageSource};
pub use words::{LatencyTier, ServiceTier, StopReason, StreamException};
