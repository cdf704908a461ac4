//! Reads a Converse request while it arrives, computes the hash of the body to send and records the
//! necessary changes.
//!
//! The member is inserted right after the opening brace. The client's own members of the same name
//! are removed. A *segment* is the text between two commas of the outermost object; it is removed
//! with the comma before it. The first segment has none, so the comma after the insertion is left
//! out instead:
//!
//! ```text
//! { "a": 1 , "guardrailConfig": {…} , "b": 2 }
//!  └──────┘└──────────────────────┘└───────┘
//!    first   removed                 kept
//! ```
//!
//! Whether a segment is removed is known once its key ends. Until then it is hashed as if it were
//! kept, and the hash before the segment is saved so that it can be restored. This way, nothing of
//! the body is buffered, however long its white space, keys and values are.

use std::ops::Range;

use crate::guardrail::edit::BodyEdit;
use crate::json::{Tokenizer, Tokens};
use crate::sigv4::{PayloadHash, PayloadHasher};

/// The member of a Converse request that holds the guardrail.
pub(super) const MEMBER: &str = "guardrailConfig";

/// Maximum number of separate ranges to remove. Clients send at most one guardrail; more are an
/// attempt to smuggle one past the gateway.
const DROPPED_MAX: usize = 8;

/// Why a guardrail cannot be added to a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// The body is empty.
    Empty,
    /// The body is JSON, but not an object.
    NotAnObject,
    /// The body is not JSON or is nested too deeply.
    Malformed,
    /// The body is truncated.
    Incomplete,
    /// The body is not UTF-8.
    NotUtf8,
    /// The name of a member contains a NUL or a lone surrogate, which some JSON parsers keep and
    /// others drop.
    BadName,
    /// The client's guardrails are in too many places.
    TooManyGuardrails,
}

/// The result for a complete body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Edited {
    /// The SHA-256 of the body to send.
    pub payload: PayloadHash,
    /// The length of the body to send.
    pub bytes: u64,
    /// The change to the client's body.
    pub edit: BodyEdit,
}

/// Determines how to add a guardrail to a body. See the module documentation.
#[derive(Debug)]
pub(crate) struct Editor {
    tokenizer: Tokenizer,
    utf8: Utf8Validator,
    body: Body,
}

/// The state of the body so far.
#[derive(Debug)]
struct Body {
    /// The member to insert, without a comma.
    member: Vec<u8>,
    /// Bytes read before this chunk.
    read_bytes: u64,
    /// Offset of the current token.
    token_at: u64,
    depth: u32,
    /// The body to send, as far as it has been hashed.
    sent: Sent,
    /// The state of `sent` before the segment, until its key is known.
    before: Option<Sent>,
    segment: Segment,
    key: KeyMatch,
    insert_at: Option<u64>,
    /// Whether the first segment is kept and needs a comma before it.
    has_comma: bool,
    dropped: Vec<Range<u64>>,
    fault: Option<BodyFault>,
}

#[derive(Clone, Debug, Default)]
struct Sent {
    hasher: PayloadHasher,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Segment {
    /// Offset of the comma before it, or of what follows the opening brace.
    start: u64,
    has_key: bool,
    removed: bool,
}

/// How much of the member's name the current key has matched.
#[derive(Debug)]
struct KeyMatch {
    /// The rest of the name, or `None` if the key differs.
    rest: Option<&'static [u8]>,
}

impl Editor {
    /// Creates an editor that inserts `member`: a key and a value, without a comma.
    pub(super) fn new(member: Vec<u8>) -> Self {
        Self {
            tokenizer: Tokenizer::default(),
            utf8: Utf8Validator::default(),
            body: Body {
                member,
                read_bytes: 0,
                token_at: 0,
                depth: 0,
                sent: Sent::default(),
                before: None,
                segment: Segment::default(),
                key: KeyMatch { rest: None },
                insert_at: None,
                has_comma: false,
                dropped: Vec::new(),
                fault: None,
            },
        }
    }

    /// Reads the next bytes, in chunks of any size.
    ///
    /// # Errors
    /// What is wrong with the body. Later calls return an error too.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<(), BodyFault> {
        let mut pass = Pass {
            body: &mut self.body,
            chunk,
            hashed: 0,
        };
        let tokens = self.tokenizer.push(chunk, &mut pass);
        pass.hash_to(chunk.len());
        self.body.read_bytes = self.body.read_bytes.saturating_add(length(chunk));
        // A fault found by the tokens is more precise than those below.
        if let Some(fault) = self.body.fault {
            return Err(fault);
        }
        let outcome = match self.utf8.push(chunk) {
            Err(NotUtf8) => Err(BodyFault::NotUtf8),
            Ok(()) => tokens.map_err(|_| BodyFault::Malformed),
        };
        self.body.fault = outcome.err();
        outcome
    }

    /// Finishes the body.
    ///
    /// # Errors
    /// What is wrong with the body.
    pub(crate) fn finish(self) -> Result<Edited, BodyFault> {
        let body = self.body;
        if let Some(fault) = body.fault {
            return Err(fault);
        }
        if body.read_bytes == 0 {
            return Err(BodyFault::Empty);
        }
        if !self.tokenizer.is_complete() {
            return Err(BodyFault::Incomplete);
        }
        // `true`, `false` and `null` produce no token, so they are detected here.
        let insert_at = body.insert_at.ok_or(BodyFault::NotAnObject)?;
        let mut insertion = body.member;
        if body.has_comma {
            insertion.push(b',');
        }
        Ok(Edited {
            payload: body.sent.hasher.finish(),
            bytes: body.sent.bytes,
            edit: BodyEdit {
                insert_at,
                insertion,
                dropped: body.dropped,
            },
        })
    }
}

impl Sent {
    fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes = self.bytes.saturating_add(length(bytes));
    }
}

/// Processes the tokens of one chunk.
struct Pass<'a> {
    body: &'a mut Body,
    chunk: &'a [u8],
    /// How much of the chunk has been hashed or skipped.
    hashed: usize,
}

impl Pass<'_> {
    /// Hashes the chunk up to `end`, or skips it if its segment is removed.
    fn hash_to(&mut self, end: usize) {
        let bytes = self.chunk.get(self.hashed..end).unwrap_or_default();
        if !self.body.segment.removed {
            self.body.sent.update(bytes);
        }
        self.hashed = end;
    }

    /// The offset of the current token in the chunk.
    fn token_offset(&self) -> usize {
        let offset = self.body.token_at.saturating_sub(self.body.read_bytes);
        usize::try_from(offset).unwrap_or(usize::MAX)
    }

    fn fail(&mut self, fault: BodyFault) {
        self.body.fault.get_or_insert(fault);
    }

    fn begin_object(&mut self) {
        self.hash_to(self.token_offset().saturating_add(1));
        let body = &mut *self.body;
        let start = body.token_at.saturating_add(1);
        body.insert_at = Some(start);
        body.sent.update(&body.member);
        body.before = Some(body.sent.clone());
        body.sent.update(b",");
        body.has_comma = true;
        body.segment = Segment {
            start,
            ..Segment::default()
        };
    }

    /// Removes the segment and restores the hash from before it.
    fn remove_segment(&mut self) {
        let body = &mut *self.body;
        body.segment.removed = true;
        if let Some(before) = body.before.take() {
            body.sent = before;
        }
        if Some(body.segment.start) == body.insert_at {
            body.has_comma = false;
        }
    }

    /// Ends the segment before the current token.
    fn end_segment(&mut self) {
        if !self.body.segment.has_key {
            // The object is empty: what is between its braces is removed.
            self.remove_segment();
        }
        self.hash_to(self.token_offset());
        let body = &mut *self.body;
        let (start, end) = (body.segment.start, body.token_at);
        if !body.segment.removed || start == end {
            return;
        }
        let count = body.dropped.len();
        match body.dropped.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ if count < DROPPED_MAX => body.dropped.push(start..end),
            _ => self.fail(BodyFault::TooManyGuardrails),
        }
    }
}

impl Tokens for Pass<'_> {
    fn token_at(&mut self, offset: usize) {
        let offset = u64::try_from(offset).unwrap_or(u64::MAX);
        self.body.token_at = self.body.read_bytes.saturating_add(offset);
    }

    fn comma(&mut self) {
        if self.body.depth != 1 {
            return;
        }
        self.end_segment();
        let body = &mut *self.body;
        body.before = Some(body.sent.clone());
        body.segment = Segment {
            start: body.token_at,
            ..Segment::default()
        };
    }

    fn open(&mut self, object: bool) {
        match (self.body.depth, object) {
            (0, true) => self.begin_object(),
            (0, false) => self.fail(BodyFault::NotAnObject),
            _ => {}
        }
        self.body.depth = self.body.depth.saturating_add(1);
    }

    fn close(&mut self) {
        self.body.depth = self.body.depth.saturating_sub(1);
        if self.body.depth == 0 {
            self.end_segment();
            self.body.segment = Segment::default();
        }
    }

    fn string(&mut self, key: bool) -> bool {
        let is_member = key && self.body.depth == 1;
        if is_member {
            self.body.segment.has_key = true;
            self.body.key.rest = Some(MEMBER.as_bytes());
        } else if self.body.depth == 0 {
            self.fail(BodyFault::NotAnObject);
        }
        is_member
    }

    fn piece(&mut self, _key: bool, piece: &[u8]) {
        if piece.contains(&0) {
            self.fail(BodyFault::BadName);
        }
        let key = &mut self.body.key;
        key.rest = key.rest.and_then(|rest| rest.strip_prefix(piece));
    }

    fn unpaired(&mut self) {
        self.fail(BodyFault::BadName);
    }

    fn string_end(&mut self, _key: bool) {
        match self.body.key.rest {
            Some([]) => self.remove_segment(),
            _ => self.body.before = None,
        }
    }

    fn number(&mut self, _value: Option<u64>) {
        if self.body.depth == 0 {
            self.fail(BodyFault::NotAnObject);
        }
    }
}

/// Validates UTF-8 in chunks of any size. A decoder that accepts overlong forms would otherwise
/// read a different key than the one compared here.
#[derive(Debug, Default)]
struct Utf8Validator {
    /// The start of an incomplete character: at most three bytes.
    partial: Vec<u8>,
}

struct NotUtf8;

impl Utf8Validator {
    fn push(&mut self, chunk: &[u8]) -> Result<(), NotUtf8> {
        let mut rest = chunk;
        while let (false, Some((byte, after))) = (self.partial.is_empty(), rest.split_first()) {
            self.partial.push(*byte);
            rest = after;
            match std::str::from_utf8(&self.partial) {
                Ok(_) => self.partial.clear(),
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(NotUtf8),
            }
        }
        match std::str::from_utf8(rest) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_none() => {
                self.partial = rest.get(error.valid_up_to()..).unwrap_or_default().to_vec();
                Ok(())
            }
            Err(_) => Err(NotUtf8),
        }
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
