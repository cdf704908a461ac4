//! Reads a Converse request as it arrives, hashes it as it is going to be sent, and notes what has to change.
//!
//! The member is inserted right after the opening brace. What the client put there under the same name goes: a
//! *segment* is what stands between two commas of the outermost object, and a segment goes whole, with the comma in
//! front of it (the first one has none, so there the comma of the insertion stays away):
//!
//! ```text
//! { "a": 1 , "guardrailConfig": {…} , "b": 2 }
//!  └──────┘└──────────────────────┘└───────┘
//!   first   goes                    stays
//! ```
//!
//! Whether a segment goes is known when its key ends. Until then it is hashed as if it stayed, and the hash before it
//! is kept, to go back to. So nothing of the body is held, however long white space, keys and values are.

use std::ops::Range;

use crate::guardrail::edit::Edit;
use crate::json::{Tokenizer, Tokens};
use crate::sigv4::{PayloadHash, PayloadHasher};

/// The member of a Converse request.
pub(super) const MEMBER: &str = "guardrailConfig";

/// Most separate places from which a client's own guardrails are removed. A client has one or none; more are an attempt
/// to get one through.
const DROPPED_MAX: usize = 8;

/// Why a body cannot get a guardrail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// The body is empty.
    Empty,
    /// It is JSON, but not an object.
    NotAnObject,
    /// It is not JSON, or nested too deep.
    Malformed,
    /// It ends too early.
    Incomplete,
    /// It is not UTF-8.
    NotUtf8,
    /// A member's name holds a NUL or half of a surrogate pair, which one reader keeps and another leaves out.
    BadName,
    /// The client's own guardrails are in too many places.
    TooManyGuardrails,
}

/// A body that was read to its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Edited {
    /// SHA-256 of the body as it is sent.
    pub payload: PayloadHash,
    /// Its length.
    pub bytes: u64,
    /// What makes it of the client's.
    pub edit: Edit,
}

/// See the module.
#[derive(Debug)]
pub struct Editor {
    tokenizer: Tokenizer,
    characters: Characters,
    body: Body,
}

/// What is known of the body so far.
#[derive(Debug)]
struct Body {
    /// What is inserted, without its comma.
    member: Vec<u8>,
    /// Bytes read before this chunk.
    read_bytes: u64,
    /// Where the token that is being read begins.
    token_at: u64,
    depth: u32,
    /// The body as it is sent, as far as it has been hashed.
    sent: Sent,
    /// As it was before the segment, until it is known whether that stays.
    before: Option<Sent>,
    segment: Segment,
    key: KeyMatch,
    insert_at: Option<u64>,
    /// Whether the first segment stays, and needs a comma in front of it.
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
    /// Where it begins: at its comma, or behind the opening brace.
    start: u64,
    has_key: bool,
    goes: bool,
}

/// How much of the member's name a key has matched.
#[derive(Debug)]
struct KeyMatch {
    /// What is left to match, `None` once it is another name.
    rest: Option<&'static [u8]>,
}

impl Editor {
    /// Gets ready to insert `member`, a member of an object without a comma.
    pub(super) fn new(member: Vec<u8>) -> Self {
        Self {
            tokenizer: Tokenizer::default(),
            characters: Characters::default(),
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

    /// Reads the next bytes. Where the body is cut makes no difference.
    ///
    /// # Errors
    /// What is wrong with the body; it stays wrong.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), BodyFault> {
        let mut pass = Pass {
            body: &mut self.body,
            chunk,
            hashed: 0,
        };
        let tokens = self.tokenizer.push(chunk, &mut pass);
        pass.hash_to(chunk.len());
        self.body.read_bytes = self.body.read_bytes.saturating_add(length(chunk));
        // What the tokens said comes first: it is more precise.
        if let Some(fault) = self.body.fault {
            return Err(fault);
        }
        let outcome = match self.characters.push(chunk) {
            Err(NotUtf8) => Err(BodyFault::NotUtf8),
            Ok(()) => tokens.map_err(|_| BodyFault::Malformed),
        };
        self.body.fault = outcome.err();
        outcome
    }

    /// Ends the body.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn finish(self) -> Result<Edited, BodyFault> {
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
        // A literal has no token, so it is noticed here.
        let insert_at = body.insert_at.ok_or(BodyFault::NotAnObject)?;
        let mut insertion = body.member;
        if body.has_comma {
            insertion.push(b',');
        }
        Ok(Edited {
            payload: body.sent.hasher.finish(),
            bytes: body.sent.bytes,
            edit: Edit {
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

/// A chunk on its way through the tokenizer.
struct Pass<'a> {
    body: &'a mut Body,
    chunk: &'a [u8],
    /// How much of the chunk has been hashed or left out.
    hashed: usize,
}

impl Pass<'_> {
    /// Hashes the chunk up to `end`, or leaves it out if its segment goes.
    fn hash_to(&mut self, end: usize) {
        let bytes = self.chunk.get(self.hashed..end).unwrap_or_default();
        if !self.body.segment.goes {
            self.body.sent.update(bytes);
        }
        self.hashed = end;
    }

    /// The token that is being read, in the chunk.
    fn token(&self) -> usize {
        let offset = self.body.token_at.saturating_sub(self.body.read_bytes);
        usize::try_from(offset).unwrap_or(usize::MAX)
    }

    fn fail(&mut self, fault: BodyFault) {
        self.body.fault.get_or_insert(fault);
    }

    fn begin_object(&mut self) {
        self.hash_to(self.token().saturating_add(1));
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

    /// The segment goes: what was hashed of it is taken back.
    fn drop_segment(&mut self) {
        let body = &mut *self.body;
        body.segment.goes = true;
        if let Some(before) = body.before.take() {
            body.sent = before;
        }
        if Some(body.segment.start) == body.insert_at {
            body.has_comma = false;
        }
    }

    /// The segment ends before the token that is being read.
    fn end_segment(&mut self) {
        if !self.body.segment.has_key {
            // The object is empty: what is between its braces goes, as a segment without a member.
            self.drop_segment();
        }
        self.hash_to(self.token());
        let body = &mut *self.body;
        let (start, end) = (body.segment.start, body.token_at);
        if !body.segment.goes || start == end {
            return;
        }
        let places = body.dropped.len();
        match body.dropped.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ if places < DROPPED_MAX => body.dropped.push(start..end),
            _ => self.fail(BodyFault::TooManyGuardrails),
        }
    }
}

impl Tokens for Pass<'_> {
    fn at(&mut self, offset: usize) {
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
            Some([]) => self.drop_segment(),
            _ => self.body.before = None,
        }
    }

    fn number(&mut self, _value: Option<u64>) {
        if self.body.depth == 0 {
            self.fail(BodyFault::NotAnObject);
        }
    }
}

/// Checks that bytes are UTF-8, wherever they are cut. A decoder that is lenient with overlong forms would read another
/// name than the one that was compared here.
#[derive(Debug, Default)]
struct Characters {
    /// The beginning of a character whose rest has not come: at most three bytes.
    begun: Vec<u8>,
}

struct NotUtf8;

impl Characters {
    fn push(&mut self, chunk: &[u8]) -> Result<(), NotUtf8> {
        let mut rest = chunk;
        while let (false, Some((byte, behind))) = (self.begun.is_empty(), rest.split_first()) {
            self.begun.push(*byte);
            rest = behind;
            match std::str::from_utf8(&self.begun) {
                Ok(_) => self.begun.clear(),
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(NotUtf8),
            }
        }
        match std::str::from_utf8(rest) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_none() => {
                self.begun = rest.get(error.valid_up_to()..).unwrap_or_default().to_vec();
                Ok(())
            }
            Err(_) => Err(NotUtf8),
        }
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
