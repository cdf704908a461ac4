//! A resumable JSON tokenizer. It stores only its state, nothing of the document.
//!
//! The grammar is that of RFC 8259. Unlike serde_json, it accepts invalid UTF-8 and escaped lone
//! surrogates in strings, because a response that contains them still has readable usage.
//! `guardrail/editor.rs`, which reads requests, checks for both itself.

mod plain;

pub(crate) use plain::{characters, plain_length};

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
    /// A whole wanted string instead of its pieces and end, if it has no escapes and is not split.
    fn plain_string(&mut self, key: bool, text: &[u8]) {
        if !text.is_empty() {
            self.piece(key, text);
        }
        self.string_end(key);
    }
    /// A number, with its value if it is written as a plain non-negative integer that fits `u64`.
    fn number(&mut self, value: Option<u64>);
}

#[derive(Clone, Debug)]
pub(crate) struct Tokenizer {
    state: TokenizerState,
    depth: u32,
    /// The open containers, the innermost in the lowest bit: set for an object.
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
        while !rest.is_empty() {
            let read = match self.state {
                TokenizerState::String(text) => self.string(text, &mut rest, tokens),
                TokenizerState::Number(number) => self.number(number, &mut rest, tokens),
                TokenizerState::Literal(left) => self.literal(left, &mut rest),
                TokenizerState::Malformed => None,
                _ => {
                    rest = rest.get(space_length(rest)..).unwrap_or_default();
                    let Some((&byte, after)) = rest.split_first() else {
                        break;
                    };
                    tokens.token_at(bytes.len().saturating_sub(rest.len()));
                    rest = after;
                    self.structure(byte, &mut rest, tokens)
                }
            };
            if read.is_none() {
                self.state = TokenizerState::Malformed;
                break;
            }
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

    /// Reads a token that begins with `byte`. `None` here and below means that it is malformed.
    fn structure(&mut self, byte: u8, rest: &mut &[u8], tokens: &mut impl Tokens) -> Option<()> {
        match (self.state, byte) {
            (TokenizerState::KeyOrEnd, b'}') | (TokenizerState::ValueOrEnd, b']') => self.close(tokens),
            (TokenizerState::KeyOrEnd | TokenizerState::Key, b'"') => self.begin_string(true, rest, tokens),
            (TokenizerState::Value | TokenizerState::ValueOrEnd, _) => self.value(byte, rest, tokens)?,
            (TokenizerState::Colon, b':') => self.state = TokenizerState::Value,
            (TokenizerState::CommaOrEnd, b',') => {
                tokens.comma();
                self.state = if self.in_object() {
                    TokenizerState::Key
                } else {
                    TokenizerState::Value
                };
            }
            (TokenizerState::CommaOrEnd, b'}') if self.in_object() => self.close(tokens),
            (TokenizerState::CommaOrEnd, b']') if !self.in_object() => self.close(tokens),
            _ => return None,
        }
        Some(())
    }

    fn value(&mut self, byte: u8, rest: &mut &[u8], tokens: &mut impl Tokens) -> Option<()> {
        self.state = match byte {
            b'{' | b'[' => {
                if self.depth >= MAX_DEPTH {
                    return None;
                }
                let object = byte == b'{';
                self.objects = (self.objects << 1) | u128::from(object);
                self.depth = self.depth.saturating_add(1);
                tokens.open(object);
                if object {
                    TokenizerState::KeyOrEnd
                } else {
                    TokenizerState::ValueOrEnd
                }
            }
            b'"' => {
                self.begin_string(false, rest, tokens);
                return Some(());
            }
            b'-' => TokenizerState::Number(Number {
                part: NumberPart::Minus,
                value: None,
            }),
            b'0' => TokenizerState::Number(Number {
                part: NumberPart::Zero,
                value: Some(0),
            }),
            b'1'..=b'9' => TokenizerState::Number(Number {
                part: NumberPart::Integer,
                value: Some(digit(byte)),
            }),
            b't' => TokenizerState::Literal(b"rue"),
            b'f' => TokenizerState::Literal(b"alse"),
            b'n' => TokenizerState::Literal(b"ull"),
            _ => return None,
        };
        Some(())
    }

    fn close(&mut self, tokens: &mut impl Tokens) {
        self.depth = self.depth.saturating_sub(1);
        self.objects >>= 1;
        tokens.close();
        self.state = self.after_value();
    }

    /// Reads a string after its opening quote. Most have no escape and end within the same chunk.
    fn begin_string(&mut self, key: bool, rest: &mut &[u8], tokens: &mut impl Tokens) {
        let wanted = tokens.string(key);
        let (plain, after) = rest.split_at(plain_length(rest).min(rest.len()));
        *rest = after;
        if let Some((b'"', after)) = after.split_first() {
            *rest = after;
            if wanted {
                tokens.plain_string(key, plain);
            }
            self.end_string(key);
            return;
        }
        let text = StringState {
            key,
            wanted,
            escape: Escape::None,
            high: None,
        };
        if !plain.is_empty() {
            text.emit(plain, tokens);
        }
        self.state = TokenizerState::String(text);
    }

    fn end_string(&mut self, key: bool) {
        self.state = if key {
            TokenizerState::Colon
        } else {
            self.after_value()
        };
    }

    /// Continues a string.
    fn string(&mut self, mut text: StringState, rest: &mut &[u8], tokens: &mut impl Tokens) -> Option<()> {
        if text.read(rest, tokens)? {
            self.end_string(text.key);
        } else {
            self.state = TokenizerState::String(text);
        }
        Some(())
    }

    /// Continues a number. The byte that ends it is not part of it.
    fn number(&mut self, mut number: Number, rest: &mut &[u8], tokens: &mut impl Tokens) -> Option<()> {
        while let Some((&byte, after)) = rest.split_first() {
            let Some(next) = number.next(byte) else {
                tokens.number(number.value);
                self.state = self.after_value();
                return Some(());
            };
            number = next?;
            *rest = after;
        }
        self.state = TokenizerState::Number(number);
        Some(())
    }

    /// Continues `true`, `false` or `null`, of which `left` must follow.
    fn literal(&mut self, left: &'static [u8], rest: &mut &[u8]) -> Option<()> {
        let (expected, left) = left.split_at(left.len().min(rest.len()));
        *rest = rest.strip_prefix(expected)?;
        self.state = if left.is_empty() {
            self.after_value()
        } else {
            TokenizerState::Literal(left)
        };
        Some(())
    }

    fn after_value(&self) -> TokenizerState {
        if self.depth == 0 {
            TokenizerState::End
        } else {
            TokenizerState::CommaOrEnd
        }
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }
}

impl StringState {
    /// Reads on. Returns whether the string has ended or `None` if it is malformed.
    fn read(&mut self, rest: &mut &[u8], tokens: &mut impl Tokens) -> Option<bool> {
        loop {
            if let Escape::None = self.escape {
                let (plain, after) = rest.split_at(plain_length(rest).min(rest.len()));
                if !plain.is_empty() {
                    self.lone_surrogate(tokens);
                    self.emit(plain, tokens);
                }
                *rest = after;
            }
            let Some((&byte, after)) = rest.split_first() else {
                return Some(false);
            };
            *rest = after;
            self.escape = match (self.escape, byte) {
                (Escape::None, b'"') => {
                    self.lone_surrogate(tokens);
                    if self.wanted {
                        tokens.string_end(self.key);
                    }
                    return Some(true);
                }
                (Escape::None, b'\\') => Escape::Begun,
                (Escape::Begun, b'u') => Escape::Hex { digits: 0, value: 0 },
                (Escape::Begun, _) => {
                    let character = short_escape(byte)?;
                    self.lone_surrogate(tokens);
                    self.emit(&[character], tokens);
                    Escape::None
                }
                (Escape::Hex { digits, value }, _) => {
                    let nibble = char::from(byte).to_digit(16)?;
                    let value = (value << 4) | u16::try_from(nibble).unwrap_or_default();
                    if digits < 3 {
                        Escape::Hex {
                            digits: digits.saturating_add(1),
                            value,
                        }
                    } else {
                        self.unit(value, tokens);
                        Escape::None
                    }
                }
                // A control character.
                (Escape::None, _) => return None,
            };
        }
    }

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

/// Number of bytes before the next token.
fn space_length(bytes: &[u8]) -> usize {
    let token = bytes
        .iter()
        .position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    token.unwrap_or(bytes.len())
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
