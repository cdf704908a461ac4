//! What a request used, read from the answer's bytes as they pass.
//!
//! Nothing here holds, changes or delays an answer: [`BodyObserver`] and [`StreamObserver`] look at each chunk once and
//! keep a few numbers. What they cannot read they report as such ([`UsageSource`]): a failure to account is never a
//! failure of the request.

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
