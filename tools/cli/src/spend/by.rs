//! The properties that group requests.

use super::row::SpendRow;

/// A property of requests to group them by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum By {
    /// The alias of the proxy key, or its hash
    Key,
    /// The model that responded
    Model,
    /// The model group that the client asked for
    ModelGroup,
    /// The deployment
    ModelId,
    /// The AWS region
    Region,
    /// The day on which the request started (UTC)
    Day,
    /// All tags of the request together
    Tag,
    /// The end user
    EndUser,
    /// success or failure
    Status,
    /// Where the token counts come from
    UsageSource,
}

impl By {
    /// Its name on the command line, in JSON and in CSV.
    pub fn name(self) -> &'static str {
        match self {
            By::Key => "key",
            By::Model => "model",
            By::ModelGroup => "model_group",
            By::ModelId => "model_id",
            By::Region => "region",
            By::Day => "day",
            By::Tag => "tag",
            By::EndUser => "end_user",
            By::Status => "status",
            By::UsageSource => "usage_source",
        }
    }

    /// Appends the label of `row` to its group's key. Different labels never give the same bytes.
    pub(super) fn write(self, row: &SpendRow<'_>, key: &mut Vec<u8>) {
        match self {
            By::Key => write(row.key_alias().or(row.api_key()), key),
            By::Model => write(row.model(), key),
            By::ModelGroup => write(row.model_group(), key),
            By::ModelId => write(row.model_id(), key),
            By::Region => write(row.model_region(), key),
            By::Day => write(Some(&row.day()), key),
            By::Tag => write(row.tags().as_deref(), key),
            By::EndUser => write(row.end_user(), key),
            By::Status => write(row.status(), key),
            By::UsageSource => write(row.usage_source(), key),
        }
    }
}

/// Writes whether there is a label (one byte), its length, and the label.
fn write(label: Option<&str>, key: &mut Vec<u8>) {
    key.push(u8::from(label.is_some()));
    if let Some(label) = label {
        key.extend(label.len().to_le_bytes());
        key.extend(label.as_bytes());
    }
}

/// The labels that [`By::write`] wrote to `key`.
pub(super) fn labels(mut key: &[u8]) -> Vec<Option<String>> {
    let mut labels = Vec::new();
    while let Some((present, rest)) = key.split_first() {
        key = rest;
        if *present == 0 {
            labels.push(None);
            continue;
        }
        let Some((length, rest)) = key.split_first_chunk() else {
            break;
        };
        let (label, rest) = rest.split_at(usize::from_le_bytes(*length).min(rest.len()));
        labels.push(Some(String::from_utf8_lossy(label).into_owned()));
        key = rest;
    }
    labels
}
