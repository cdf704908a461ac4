//! Estimated usage for a response that was cut before it reported its usage.
//!
//! AWS bills a request even if the client disconnects, so zero would be wrong and look exact. The
//! rule of thumb is the one that model vendors publish for English: a token is about four
//! characters. It is deliberately coarse, because no tokenizer runs at the edge, and always marked
//! as [`crate::usage::UsageSource::Estimated`].

use crate::usage::tokens::Usage;

/// Characters of a response per token.
pub(super) const CHARACTERS_PER_TOKEN: u64 = 4;
/// Bytes of a request per token. They include JSON syntax, so the estimate errs on the high side.
pub(super) const REQUEST_BYTES_PER_TOKEN: u64 = 4;
/// Upper bound on estimated input tokens: a common context window. Larger requests mostly carry an
/// image or a document in base64, whose size says nothing about tokens.
pub(super) const ESTIMATED_INPUT_MAX_TOKENS: u64 = 200_000;

/// The tokens of a request of this size.
pub(crate) fn estimated_input(request_bytes: u64) -> u64 {
    let tokens = request_bytes.div_ceil(REQUEST_BYTES_PER_TOKEN);
    tokens.min(ESTIMATED_INPUT_MAX_TOKENS)
}

/// Completes the partial counts that were reported. `input` and `output` come from the response;
/// what is missing is estimated from the size of the request and the characters received.
pub(super) fn estimate(
    request_bytes: u64,
    characters: u64,
    input: Option<Usage>,
    output: Option<u64>,
) -> Usage {
    let estimated = Usage {
        input: estimated_input(request_bytes),
        ..Usage::default()
    };
    let output = output
        .unwrap_or_default()
        .max(characters.div_ceil(CHARACTERS_PER_TOKEN));
    Usage {
        output,
        ..input.unwrap_or(estimated)
    }
}
