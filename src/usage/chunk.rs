//! The `chunk` events of InvokeModelWithResponseStream: the model's own JSON, as base64 within the
//! JSON payload of a frame.

use crate::encoding::base64::Base64;
use crate::json::Malformed;
use crate::usage::fields::{MODEL_EVENT, UsageField};
use crate::usage::observe::UnreadableReason;
use crate::usage::reading::Reading;
use crate::usage::scan::{Scanner, Visit};

/// The content of a `chunk` event, decoded as it arrives.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    base64: Base64,
    content: Scanner<UsageField, Reading>,
    present: bool,
    error: Option<UnreadableReason>,
}

impl Default for Chunk {
    fn default() -> Self {
        Self {
            base64: Base64::default(),
            content: Scanner::new(&MODEL_EVENT, Reading::default()),
            present: false,
            error: None,
        }
    }
}

impl Chunk {
    /// Returns the decoded content, or `None` if the event has none.
    pub(super) fn content(&self) -> Result<Option<&Reading>, UnreadableReason> {
        match self.error {
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
            error,
            ..
        } = self;
        let mut json = Ok(());
        let decoded = base64.push(piece, |bytes| json = json.and_then(|()| content.push(bytes)));
        if error.is_none() {
            // If both failed, the JSON error precedes the invalid base64 character.
            *error = match (json, decoded) {
                (Err(Malformed), _) => Some(UnreadableReason::Json),
                (_, Err(_)) => Some(UnreadableReason::Base64),
                _ => None,
            };
        }
    }
}
