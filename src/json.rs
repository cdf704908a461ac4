//! A resumable JSON tokenizer. It stores only its state, nothing of the document.
//!
//! The grammar is that of RFC 8259. Unlike serde_json, it accepts invalid UTF-8 and escaped lone
//! surrogates in strings, because a response that contains them still has readable usage.
//! `guardrail/editor.rs`, which reads requests, checks for both itself.

/// Deepest nesting accepted. It is serde_json's limit, so that both accept the same documents.
pub(crate) const MAX_DEPTH: u32 = 127;

/// The document is not JSON or is nested deeper than [`MAX_DEPTH`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Receives the tokens.
pub(crate) trait Tokens {
    /// The next token starts at this offset of the bytes being pushed.
    fn token_at(&mut self, _offset: usize) {}
    /// A comma between members or elements.
    fn comma(&mut self) {}
    /// The start of an object or, if `object` is false, an array.
    fn open(&mut self, object: bool);
    /// The end of the innermost object or array.
    fn close(&mut self);
    /// The start of a string, which is a key or a value. Returns whether its content is wanted.
    fn string(&mut self, key: bool) -> bool;
    /// A piece of a wanted string, unescaped, never empty. A character may be split between pieces.
    fn piece(&mut self, key: bool, piece: &[u8]);
    /// The next piece replaces a lone surrogate.
    fn unpaired(&mut self) {}
    /// The end of a wanted string.
    fn string_end(&mut self, key: bool);
    /// A number, with its value if it is written as a plain non-negative integer that fits `u64`.
    fn number(&mut self, value: Option<u64>);
}

#[derive(Clone, Debug)]
pub(crate) struct Tokenizer {
    state: TokenizerState,
    depth: u32,
    /// Bit n is set if the container at depth n + 1 is an object.
    objects: u128,
}

#[derive(Clone, Copy, Debug)]
enum TokenizerState {
    Value,
    /// After `[`.
    ValueOrEnd,
    /// After `{`.
    KeyOrEnd,
    /// After a comma in an object.
    Key,
    Colon,
    CommaOrEnd,
    /// After the document: only white space is allowed.
    End,
    String(StringState),
    Number(Number),
    /// Within `true`, `false` or `null`, with the bytes that must follow.
    Literal(&'static [u8]),
    Malformed,
}

#[derive(Clone, Copy, Debug)]
struct StringState {
    key: bool,
    wanted: bool,
    escape: Escape,
    /// The first half of a surrogate pair.
    high: Option<u16>,
}

#[derive(Clone, Copy, Debug)]
enum Escape {
    None,
    /// After a backslash.
    Begun,
    /// Within `\uXXXX`.
    Hex {
        digits: u8,
        value: u16,
    },
}

#[derive(Clone, Copy, Debug)]
struct Number {
    part: NumberPart,
    /// `None` if the number is not a plain integer or does not fit.
    value: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum NumberPart {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    ExponentMark,
    ExponentSign,
    Exponent,
}

impl Default for Tokenizer {
    fn default() -> Self {
        Self {
            state: TokenizerState::Value,
            depth: 0,
            objects: 0,
        }
    }
}

impl Tokenizer {
    /// Reads the next bytes.
    ///
    /// # Errors
    /// The document is malformed. Every later call returns the same error.
    pub(crate) fn push(&mut self, bytes: &[u8], tokens: &mut impl Tokens) -> Result<(), Malformed> {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            let next = match self.state {
                TokenizerState::String(text) => {
                    let (state, after) = string(text, rest, tokens);
                    rest = after;
                    self.state = state
                        .ok_or(Malformed)
                        .inspect_err(|_| self.state = TokenizerState::Malformed)?;
                    if let TokenizerState::CommaOrEnd = self.state {
                        self.state = self.after_value();
                    }
                    continue;
                }
                TokenizerState::Number(number) => match number.next(byte) {
                    Some(number) => number.map(TokenizerState::Number),
                    None => {
                        // This byte ends the number and is not part of it.
                        tokens.number(number.value);
                        self.state = self.after_value();
                        continue;
                    }
                },
                TokenizerState::Literal(left) => match left.split_first() {
                    Some((&expected, left)) if expected == byte => Some(if left.is_empty() {
                        self.after_value()
                    } else {
                        TokenizerState::Literal(left)
                    }),
                    _ => None,
                },
                TokenizerState::Malformed => None,
                _ if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') => Some(self.state),
                _ => {
                    tokens.token_at(bytes.len().saturating_sub(rest.len()));
                    self.structure(byte, tokens)
                }
            };
            self.state = next
                .ok_or(Malformed)
                .inspect_err(|_| self.state = TokenizerState::Malformed)?;
            rest = after;
        }
        match self.state {
            TokenizerState::Malformed => Err(Malformed),
            _ => Ok(()),
        }
    }

    /// Whether the document may end here.
    pub(crate) fn is_complete(&self) -> bool {
        match self.state {
            TokenizerState::End => true,
            TokenizerState::Number(number) => self.depth == 0 && number.is_whole(),
            _ => false,
        }
    }

    fn structure(&mut self, byte: u8, tokens: &mut impl Tokens) -> Option<TokenizerState> {
        match (self.state, byte) {
            (TokenizerState::KeyOrEnd, b'}') | (TokenizerState::ValueOrEnd, b']') => Some(self.close(tokens)),
            (TokenizerState::KeyOrEnd | TokenizerState::Key, b'"') => Some(begin_string(true, tokens)),
            (TokenizerState::Value | TokenizerState::ValueOrEnd, _) => self.value(byte, tokens),
            (TokenizerState::Colon, b':') => Some(TokenizerState::Value),
            (TokenizerState::CommaOrEnd, b',') => {
                tokens.comma();
                Some(if self.in_object() {
                    TokenizerState::Key
                } else {
                    TokenizerState::Value
                })
            }
            (TokenizerState::CommaOrEnd, b'}') if self.in_object() => Some(self.close(tokens)),
            (TokenizerState::CommaOrEnd, b']') if !self.in_object() => Some(self.close(tokens)),
            _ => None,
        }
    }

    fn value(&mut self, byte: u8, tokens: &mut impl Tokens) -> Option<TokenizerState> {
        match byte {
            b'{' | b'[' => {
                if self.depth >= MAX_DEPTH {
                    return None;
                }
                let object = byte == b'{';
                let bit = 1u128.checked_shl(self.depth)?;
                self.objects = if object {
                    self.objects | bit
                } else {
                    self.objects & !bit
                };
                self.depth = self.depth.saturating_add(1);
                tokens.open(object);
                Some(if object {
                    TokenizerState::KeyOrEnd
                } else {
                    TokenizerState::ValueOrEnd
                })
            }
            b'"' => Some(begin_string(false, tokens)),
            b'-' => Some(TokenizerState::Number(Number {
                part: NumberPart::Minus,
                value: None,
            })),
            b'0' => Some(TokenizerState::Number(Number {
                part: NumberPart::Zero,
                value: Some(0),
            })),
            b'1'..=b'9' => Some(TokenizerState::Number(Number {
                part: NumberPart::Integer,
                value: Some(digit(byte)),
            })),
            b't' => Some(TokenizerState::Literal(b"rue")),
            b'f' => Some(TokenizerState::Literal(b"alse")),
            b'n' => Some(TokenizerState::Literal(b"ull")),
            _ => None,
        }
    }

    fn close(&mut self, tokens: &mut impl Tokens) -> TokenizerState {
        self.depth = self.depth.saturating_sub(1);
        tokens.close();
        self.after_value()
    }

    fn after_value(&self) -> TokenizerState {
        if self.depth == 0 {
            TokenizerState::End
        } else {
            TokenizerState::CommaOrEnd
        }
    }

    fn in_object(&self) -> bool {
        let innermost = self.depth.saturating_sub(1);
        self.objects
            .checked_shr(innermost)
            .is_some_and(|bits| bits & 1 == 1)
    }
}

fn begin_string(key: bool, tokens: &mut impl Tokens) -> TokenizerState {
    let wanted = tokens.string(key);
    TokenizerState::String(StringState {
        key,
        wanted,
        escape: Escape::None,
        high: None,
    })
}

/// Continues a string. Returns the next state and the rest of `bytes`. The state is `CommaOrEnd`
/// after a value and `None` if the string is malformed.
fn string<'a>(
    mut text: StringState,
    bytes: &'a [u8],
    tokens: &mut impl Tokens,
) -> (Option<TokenizerState>, &'a [u8]) {
    let mut rest = bytes;
    loop {
        if let Escape::None = text.escape {
            let (plain, after) = rest.split_at(plain_length(rest).min(rest.len()));
            if !plain.is_empty() {
                text.lone_surrogate(tokens);
                text.emit(plain, tokens);
            }
            rest = after;
        }
        let Some((&byte, after)) = rest.split_first() else {
            return (Some(TokenizerState::String(text)), rest);
        };
        rest = after;
        text.escape = match (text.escape, byte) {
            (Escape::None, b'"') => {
                text.lone_surrogate(tokens);
                if text.wanted {
                    tokens.string_end(text.key);
                }
                return (
                    Some(if text.key {
                        TokenizerState::Colon
                    } else {
                        TokenizerState::CommaOrEnd
                    }),
                    rest,
                );
            }
            (Escape::None, b'\\') => Escape::Begun,
            (Escape::Begun, b'u') => Escape::Hex { digits: 0, value: 0 },
            (Escape::Begun, _) => {
                let Some(character) = short_escape(byte) else {
                    return (None, rest);
                };
                text.lone_surrogate(tokens);
                text.emit(&[character], tokens);
                Escape::None
            }
            (Escape::Hex { digits, value }, _) => {
                let Some(nibble) = char::from(byte).to_digit(16) else {
                    return (None, rest);
                };
                let value = (value << 4) | u16::try_from(nibble).unwrap_or_default();
                if digits < 3 {
                    Escape::Hex {
                        digits: digits.saturating_add(1),
                        value,
                    }
                } else {
                    text.unit(value, tokens);
                    Escape::None
                }
            }
            // A control character.
            (Escape::None, _) => return (None, rest),
        };
    }
}

impl StringState {
    fn emit(&self, piece: &[u8], tokens: &mut impl Tokens) {
        if self.wanted {
            tokens.piece(self.key, piece);
        }
    }

    /// Handles a UTF-16 code unit from an escape.
    fn unit(&mut self, unit: u16, tokens: &mut impl Tokens) {
        if let (Some(high), 0xDC00..=0xDFFF) = (self.high, unit) {
            self.high = None;
            return self.units([high, unit], tokens);
        }
        self.lone_surrogate(tokens);
        match unit {
            0xD800..=0xDBFF => self.high = Some(unit),
            _ => self.units([unit], tokens),
        }
    }

    fn units<const N: usize>(&self, units: [u16; N], tokens: &mut impl Tokens) {
        for decoded in char::decode_utf16(units) {
            let character = decoded.unwrap_or_else(|_| {
                self.unpaired(tokens);
                char::REPLACEMENT_CHARACTER
            });
            self.emit(character.encode_utf8(&mut [0; 4]).as_bytes(), tokens);
        }
    }

    /// Replaces a pending first half of a surrogate pair that no second half follows.
    fn lone_surrogate(&mut self, tokens: &mut impl Tokens) {
        if self.high.take().is_some() {
            self.unpaired(tokens);
            self.emit("\u{FFFD}".as_bytes(), tokens);
        }
    }

    fn unpaired(&self, tokens: &mut impl Tokens) {
        if self.wanted {
            tokens.unpaired();
        }
    }
}

fn short_escape(byte: u8) -> Option<u8> {
    Some(match byte {
        b'"' | b'\\' | b'/' => byte,
        b'b' => 0x08,
        b'f' => 0x0C,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => return None,
    })
}

/// Number of bytes before the next quote, backslash or control character. Reads eight bytes at a
/// time, because most of a response is plain text.
fn plain_length(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks::<8>();
    let whole = words
        .iter()
        .take_while(|word| !has_special(u64::from_le_bytes(**word)))
        .count();
    let start = whole.saturating_mul(8);
    let rest = if whole == words.len() {
        tail
    } else {
        bytes.get(start..).unwrap_or_default()
    };
    let special = rest
        .iter()
        .position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\');
    start.saturating_add(special.unwrap_or(rest.len()))
}

/// Whether one of the eight bytes may be a quote, a backslash or below 0x20. Only `false` is exact.
fn has_special(word: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES.wrapping_mul(u64::from(bound))) & !word & HIGHS;
    let quote = word ^ ONES.wrapping_mul(u64::from(b'"'));
    let backslash = word ^ ONES.wrapping_mul(u64::from(b'\\'));
    (below(word, 0x20) | below(quote, 1) | below(backslash, 1)) != 0
}

fn digit(byte: u8) -> u64 {
    u64::from(byte.wrapping_sub(b'0'))
}

impl Number {
    fn is_whole(self) -> bool {
        matches!(
            self.part,
            NumberPart::Zero | NumberPart::Integer | NumberPart::Fraction | NumberPart::Exponent
        )
    }

    /// Continues the number with the next byte. Returns `None` if the number ends before it and
    /// `Some(None)` if the byte is invalid here.
    fn next(self, byte: u8) -> Option<Option<Self>> {
        use NumberPart::*;
        let part = match (self.part, byte) {
            (Minus, b'0') => Zero,
            (Minus, b'1'..=b'9') | (Integer, b'0'..=b'9') => Integer,
            (Zero | Integer, b'.') => Point,
            (Point | Fraction, b'0'..=b'9') => Fraction,
            (Zero | Integer | Fraction, b'e' | b'E') => ExponentMark,
            (ExponentMark, b'+' | b'-') => ExponentSign,
            (ExponentMark | ExponentSign | Exponent, b'0'..=b'9') => Exponent,
            // A leading zero.
            (Zero, b'0'..=b'9') => return Some(None),
            _ if self.is_whole() => return None,
            _ => return Some(None),
        };
        let value = match part {
            Integer => self
                .value
                .and_then(|value| value.checked_mul(10)?.checked_add(digit(byte))),
            _ => None,
        };
        Some(Some(Self { part, value }))
    }
}
