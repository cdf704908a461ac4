//! The text of an answer: it names region and model, and repeats the last user text.

use super::model_request::ModelRequest;

/// Longest part of the user's text that is repeated, in characters.
const ECHO_LIMIT: usize = 1024;
/// Pieces of a streamed text, when the control API does not say otherwise.
const EVENTS_DEFAULT: usize = 6;
const FILLER: &str = " and so on";

/// The answer to `said`, as long as the pace asks for, and long enough for its number of pieces.
pub(super) fn compose(question: &ModelRequest<'_>, said: &str) -> String {
    let echo: String = said.chars().take(ECHO_LIMIT).collect();
    let mut text = format!("{} in {} heard: {echo}", question.model_id, question.region);
    let missing_bytes = question
        .pace
        .response_bytes
        .unwrap_or(0)
        .saturating_sub(text.len());
    let missing_characters = question
        .pace
        .events
        .unwrap_or(0)
        .saturating_sub(text.chars().count());
    // The filler is ASCII: as many bytes as characters.
    text.push_str(&FILLER.repeat(missing_bytes.max(missing_characters).div_ceil(FILLER.len())));
    text
}

/// `text` in as many pieces as the pace asks for, none of them empty.
pub(super) fn pieces<'a>(question: &ModelRequest<'_>, text: &'a str) -> Vec<&'a str> {
    let characters = text.chars().count();
    let count = question.pace.events.unwrap_or(EVENTS_DEFAULT).min(characters);
    let (mut pieces, mut rest, mut left) = (Vec::with_capacity(count), text, characters);
    for remaining in (1..=count).rev() {
        let take = left / remaining;
        let at = rest.char_indices().nth(take).map_or(rest.len(), |(at, _)| at);
        let (piece, after) = rest.split_at(at);
        pieces.push(piece);
        (rest, left) = (after, left - take);
    }
    pieces
}
