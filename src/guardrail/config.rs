//! The configured guardrail of a model, in the forms that requests need.

use serde_json::{Map, Value};

use crate::contract::operation::Operation;
use crate::contract::settings::{GuardrailSettings, GuardrailTrace};
use crate::guardrail::editor::{Editor, MEMBER};
use crate::routing::settings_error::SettingsError;

/// Longest identifier, from the Bedrock API.
const IDENTIFIER_MAX_BYTES: usize = 2048;
/// Maximum number of digits in a version, from the Bedrock API.
const VERSION_MAX_DIGITS: usize = 8;
/// Describes a valid identifier, for error messages.
pub const IDENTIFIER_EXPECTED: &str =
    "the id or ARN of a guardrail: 1 to 2048 printable ASCII characters without spaces";
/// Describes a valid version, for error messages.
pub const VERSION_EXPECTED: &str = "DRAFT or a version number from 1 to 99999999";

const HEADER_IDENTIFIER: &str = "x-amzn-bedrock-guardrailidentifier";
const HEADER_VERSION: &str = "x-amzn-bedrock-guardrailversion";
const HEADER_TRACE: &str = "x-amzn-bedrock-trace";
/// Prefix of all guardrail headers except [`HEADER_TRACE`].
const HEADER_PREFIX: &str = "x-amzn-bedrock-guardrail";

/// The headers of a request to Bedrock.
pub(crate) type Forwarded = Vec<(Vec<u8>, Vec<u8>)>;

/// A guardrail in the forms that Bedrock accepts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Guardrail {
    /// The headers for InvokeModel.
    headers: Vec<(&'static str, String)>,
    /// `"guardrailConfig":{…}` for Converse, which does not accept `streamProcessingMode`.
    unary: String,
    /// The same for ConverseStream.
    stream: String,
}

/// Whether `identifier` may identify a guardrail and is safe in a header.
pub fn is_identifier(identifier: &str) -> bool {
    (1..=IDENTIFIER_MAX_BYTES).contains(&identifier.len())
        && identifier.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether `version` may be a guardrail's version.
pub fn is_version(version: &str) -> bool {
    let is_number = (1..=VERSION_MAX_DIGITS).contains(&version.len())
        && !version.starts_with('0')
        && version.bytes().all(|byte| byte.is_ascii_digit());
    is_number || version == "DRAFT"
}

impl Guardrail {
    /// Creates the guardrail from its settings. `field` is their path, for error messages.
    ///
    /// # Errors
    /// [`SettingsError::OutOfBounds`] if the identifier or version is invalid.
    pub(crate) fn new(field: &str, settings: &GuardrailSettings) -> Result<Self, SettingsError> {
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

    /// Replaces the client's guardrail headers with the configured ones. Returns the editor for the
    /// body if the operation expects its guardrail there.
    pub(crate) fn guard(&self, operation: Operation, headers: &mut Forwarded) -> Option<Editor> {
        let member = match operation {
            // CountTokens runs no model, so there is nothing to guard.
            Operation::CountTokens => return None,
            Operation::Invoke | Operation::InvokeWithResponseStream => {
                headers.retain(|(name, _)| !is_guardrail_header(name));
                let own = self.headers.iter();
                headers
                    .extend(own.map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())));
                return None;
            }
            Operation::Converse => &self.unary,
            Operation::ConverseStream => &self.stream,
        };
        // The gateway reads the body as JSON in UTF-8, and a client's `charset` must not make
        // Bedrock read it differently.
        headers.retain(|(name, _)| !is_guardrail_header(name) && name != b"content-type");
        headers.push((b"content-type".to_vec(), b"application/json".to_vec()));
        Some(Editor::new(member.clone().into_bytes()))
    }
}

fn is_guardrail_header(name: &[u8]) -> bool {
    name.starts_with(HEADER_PREFIX.as_bytes()) || name == HEADER_TRACE.as_bytes()
}
