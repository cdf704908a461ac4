//! The content of a streaming Invoke's events: the model's own JSON, in base64, in a JSON document, in a frame.

use crate::encoding::base64::Base64;
use crate::json::Malformed;
use crate::usage::fields::{MODEL_EVENT, UsageField};
use crate::usage::observe::UnreadableReason;
use crate::usage::reading::Reading;
use crate::usage::scan::{Scanner, Visit};

/// The content of a `chunk` event, decoded as it comes.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    base64: Base64,
    content: Scanner<UsageField, Reading>,
    present: bool,
    wrong: Option<UnreadableReason>,
}

impl Default for Chunk {
    fn default() -> Self {
        Self {
            base64: Base64::default(),
            content: Scanner::new(&MODEL_EVENT, Reading::default()),
            present: false,
            wrong: None,
        }
    }
}

impl Chunk {
    /// What it said; `None` if the event has no content.
    pub(super) fn content(&self) -> Result<Option<&Reading>, UnreadableReason> {
        match self.wrong {
            Some(unreadable) => Err(unreadable),
            None if !self.present => Ok(None),
            None if self.content.is_complete() => Ok(Some(self.content.visitor())),
            None => Err(UnreadableReason::Json),
        }
    }
}

impl Visit<UsageField> for Chunk {
    fn enter(&mut self, field: UsageField) {
        if field == UsageField::Chunk {
            *self = Self {
                present: true,
                ..Self::default()
            };
        }
    }

    fn piece(&mut self, _field: UsageField, piece: &[u8]) {
        let Self {
            base64,
            content,
            wrong,
            ..
        } = self;
        let mut json = Ok(());
        let decoded = base64.push(piece, |bytes| json = json.and_then(|()| content.push(bytes)));
        if wrong.is_none() {
            // The JSON is wrong in front of the character that is no base64, if both are wrong.
            *wrong = match (json, decoded) {
                (Err(Malformed), _) => Some(UnreadableReason::Json),
                (_, Err(_)) => Some(UnreadableReason::Base64),
                _ => None,
            };
        }
    }
}
