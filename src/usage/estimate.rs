//! The guess for an answer whose account never came.
//!
//! AWS bills a request whose client has left, so a zero would be a lie that looks exact. The rule of thumb is the one
//! that model vendors publish for English: a token is about four characters. It is coarse on purpose (no tokenizer runs
//! at the edge) and always marked as [`crate::usage::UsageSource::Estimated`].

use crate::usage::tokens::Usage;

/// Characters of an answer per token.
pub const CHARACTERS_PER_TOKEN: u64 = 4;
/// Bytes of a request per token: JSON's own syntax is in them, so this errs on the high side.
pub const REQUEST_BYTES_PER_TOKEN: u64 = 4;
/// Most input tokens that are guessed: a common context window. A larger request is mostly an image or a document in
/// base64, whose bytes say nothing about tokens.
pub const ESTIMATED_INPUT_MAX_TOKENS: u64 = 200_000;

/// Completes what was reported (`seen`, as far as it came) by guesses.
pub(super) fn estimate(
    request_bytes: u64,
    characters: u64,
    input: Option<Usage>,
    output: Option<u64>,
) -> Usage {
    let guessed = Usage {
        input: request_bytes
            .div_ceil(REQUEST_BYTES_PER_TOKEN)
            .min(ESTIMATED_INPUT_MAX_TOKENS),
        ..Usage::default()
    };
    let output = output
        .unwrap_or_default()
        .max(characters.div_ceil(CHARACTERS_PER_TOKEN));
    Usage {
        output,
        ..input.unwrap_or(guessed)
    }
}
