//! A model's guardrail, ready to be added to its requests.

use serde_json::{Map, Value};

use crate::contract::operation::Operation;
use crate::contract::settings::{GuardrailSettings, GuardrailTrace};
use crate::guardrail::editor::{Editor, MEMBER};
use crate::routing::settings_error::SettingsError;

/// Longest identifier: that of Bedrock's model.
pub const IDENTIFIER_MAX_BYTES: usize = 2048;
/// Most digits of a version: that of Bedrock's model.
const VERSION_MAX_DIGITS: usize = 8;
/// What an identifier has to be.
pub const IDENTIFIER_EXPECTED: &str =
    "the id or ARN of a guardrail: 1 to 2048 printable ASCII characters without spaces";
/// What a version has to be.
pub const VERSION_EXPECTED: &str = "DRAFT or a version number from 1 to 99999999";

const HEADER_IDENTIFIER: &str = "x-amzn-bedrock-guardrailidentifier";
const HEADER_VERSION: &str = "x-amzn-bedrock-guardrailversion";
const HEADER_TRACE: &str = "x-amzn-bedrock-trace";
/// Every header that begins like this is about a guardrail.
const HEADER_PREFIX: &str = "x-amzn-bedrock-guardrail";

/// Headers of a request on its way to Bedrock.
pub type Forwarded = Vec<(Vec<u8>, Vec<u8>)>;

/// A guardrail in the forms that Bedrock takes.
#[derive(Debug, PartialEq, Eq)]
pub struct Guardrail {
    /// Headers of InvokeModel.
    headers: Vec<(&'static str, String)>,
    /// `"guardrailConfig":{…}` of Converse, which knows no `streamProcessingMode`.
    unary: String,
    /// The same of ConverseStream.
    stream: String,
}

/// Whether Bedrock can know a guardrail by `identifier`, and a header can carry it.
pub fn is_identifier(identifier: &str) -> bool {
    (1..=IDENTIFIER_MAX_BYTES).contains(&identifier.len())
        && identifier.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a guardrail can have this version.
pub fn is_version(version: &str) -> bool {
    let is_number = (1..=VERSION_MAX_DIGITS).contains(&version.len())
        && !version.starts_with('0')
        && version.bytes().all(|byte| byte.is_ascii_digit());
    is_number || version == "DRAFT"
}

impl Guardrail {
    /// The guardrail that `settings` describe. `field` is where they are, for the error.
    ///
    /// # Errors
    /// [`SettingsError::OutOfBounds`] for an identifier or a version that Bedrock cannot know.
    pub fn new(field: &str, settings: &GuardrailSettings) -> Result<Self, SettingsError> {
        let GuardrailSettings {
            identifier,
            version,
            trace,
            stream_processing_mode,
        } = settings;
        let wrong = |name: &str, expected, found: &str| SettingsError::OutOfBounds {
            field: format!("{field}.{name}"),
            expected,
            found: format!("{found:?}"),
        };
        if !is_identifier(identifier) {
            return Err(wrong("identifier", IDENTIFIER_EXPECTED, identifier));
        }
        if !is_version(version) {
            return Err(wrong("version", VERSION_EXPECTED, version));
        }
        let mut config = Map::new();
        let mut set = |name: &str, value: &str| drop(config.insert(name.into(), value.into()));
        set("guardrailIdentifier", identifier);
        set("guardrailVersion", version);
        let mut headers = vec![
            (HEADER_IDENTIFIER, identifier.clone()),
            (HEADER_VERSION, version.clone()),
        ];
        if let Some(trace) = trace.map(GuardrailTrace::word) {
            set("trace", trace);
            headers.push((HEADER_TRACE, trace.to_ascii_uppercase()));
        }
        let mut streamed = config.clone();
        if let Some(mode) = stream_processing_mode {
            streamed.insert("streamProcessingMode".into(), mode.word().into());
        }
        let member = |config| format!("\"{MEMBER}\":{}", Value::Object(config));
        Ok(Self {
            headers,
            unary: member(config),
            stream: member(streamed),
        })
    }

    /// Puts the guardrail into the headers of a request, in place of the client's. The editor for the body, if the
    /// operation takes its guardrail there.
    pub fn guard(&self, operation: Operation, headers: &mut Forwarded) -> Option<Editor> {
        let member = match operation {
            // It runs no model: there is nothing to guard.
            Operation::CountTokens => return None,
            Operation::Invoke | Operation::InvokeWithResponseStream => {
                headers.retain(|(name, _)| !is_about_guardrails(name));
                let own = self.headers.iter();
                headers
                    .extend(own.map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())));
                return None;
            }
            Operation::Converse => &self.unary,
            Operation::ConverseStream => &self.stream,
        };
        // The body is read as JSON in UTF-8. A charset of the client's must not have Bedrock read it as something else.
        headers.retain(|(name, _)| !is_about_guardrails(name) && name != b"content-type");
        headers.push((b"content-type".to_vec(), b"application/json".to_vec()));
        Some(Editor::new(member.clone().into_bytes()))
    }
}

fn is_about_guardrails(name: &[u8]) -> bool {
    name.starts_with(HEADER_PREFIX.as_bytes()) || name == HEADER_TRACE.as_bytes()
}
