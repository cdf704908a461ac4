//! The text of a response. It names the model and the region, and repeats the last user text.

use super::model_request::ModelRequest;

/// Longest part of the user's text that is repeated, in characters.
const ECHO_LIMIT_CHARACTERS: usize = 1024;
/// Pieces of a streamed text, unless a pace sets another number.
const EVENTS_DEFAULT: usize = 6;
const FILLER: &str = " and so on";

/// The response to `user_text`. It has the length that the pace demands, and at least one character
/// per piece.
pub(super) fn compose(request: &ModelRequest<'_>, user_text: &str) -> String {
    let echo: String = user_text.chars().take(ECHO_LIMIT_CHARACTERS).collect();
    let mut text = format!("{} in {} heard: {echo}", request.model_id, request.region);
    let missing_bytes = request
        .pace
        .response_bytes
        .unwrap_or(0)
        .saturating_sub(text.len());
    let missing_characters = request
        .pace
        .events
        .unwrap_or(0)
        .saturating_sub(text.chars().count());
    // In ASCII, bytes are characters.
    text.push_str(&FILLER.repeat(missing_bytes.max(missing_characters).div_ceil(FILLER.len())));
    text
}

/// `text`, cut into the number of pieces that the pace demands. None is empty.
pub(super) fn pieces<'a>(request: &ModelRequest<'_>, text: &'a str) -> Vec<&'a str> {
    let characters = text.chars().count();
    let count = request.pace.events.unwrap_or(EVENTS_DEFAULT).min(characters);
    let (mut pieces, mut rest, mut left) = (Vec::with_capacity(count), text, characters);
    for remaining in (1..=count).rev() {
        let take = left / remaining;
        let end = rest
            .char_indices()
            .nth(take)
            .map_or(rest.len(), |(index, _)| index);
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        (rest, left) = (after, left - take);
    }
    pieces
}
