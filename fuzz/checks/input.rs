//! Helpers for inputs: how to cut them, and where serde_json is stricter.

/// Cuts `bytes` into pieces. The low seven bits of `recipe` seed their lengths; 0 means single
/// bytes.
pub(crate) fn cut(bytes: &[u8], recipe: u8) -> Vec<&[u8]> {
    let recipe = recipe & 0x7F;
    let (mut rest, mut pieces, mut state) = (bytes, Vec::new(), u32::from(recipe));
    while !rest.is_empty() {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        let length = if recipe == 0 {
            1
        } else {
            (state >> 16) as usize % (usize::from(recipe) + 1)
        };
        let (piece, left) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = left;
    }
    pieces
}

/// Whether the tokenizer accepts, on purpose, what serde_json rejects with `error`.
pub(crate) fn tolerated(error: &serde_json::Error) -> bool {
    let error = error.to_string();
    let tolerated = [
        "surrogate",
        "unexpected end of hex escape",
        "number out of range",
        "invalid unicode code point",
    ];
    tolerated.iter().any(|tolerated| error.contains(tolerated))
}
