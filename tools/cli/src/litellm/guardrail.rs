//! `guardrailConfig` of a deployment: the guardrail that Bedrock applies to each of its requests.
//!
//! A guardrail protects, so it is never ignored. An invalid one is an error, and so is one under
//! another name or where LiteLLM does not look for it.

use envoy_bedrock::contract::settings::{GuardrailSettings, GuardrailTrace, StreamProcessingMode};
use envoy_bedrock::guardrail::{IDENTIFIER_EXPECTED, VERSION_EXPECTED, is_identifier, is_version};

use super::entry::ModelListEntry;
use super::report::Reader;
use super::similar::most_similar;
use crate::document::field::{YamlField, quoted};
use crate::document::location::Location;
use crate::document::reader::{Read, Reported};

/// Its name in `litellm_params`.
pub(crate) const GUARDRAIL_CONFIG: &str = "guardrailConfig";
/// Its members.
const MEMBERS: [&str; 4] = [
    "guardrailIdentifier",
    "guardrailVersion",
    "trace",
    "streamProcessingMode",
];
/// Its name and common mistakes, in lower case and without punctuation. The last three are members
/// next to it.
const NAMES: [&str; 8] = [
    "guardrailconfig",
    "guardrailsconfig",
    "guardrailconfiguration",
    "bedrockguardrailconfig",
    "awsguardrailconfig",
    "guardrailidentifier",
    "guardrailversion",
    "guardrailid",
];
/// Similarity (0 to 1) from which a name counts as a misspelled member.
const SIMILARITY_MIN: f64 = 0.8;

/// The guardrail of a deployment and its location.
#[derive(Debug)]
pub(crate) struct PlacedGuardrail {
    /// Where it is.
    pub location: Location,
    /// What the filter needs.
    pub settings: GuardrailSettings,
}

/// Whether `name` looks like `guardrailConfig` or one of its members.
pub(crate) fn is_guardrail(name: &str) -> bool {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let plain: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    NAMES.contains(&plain.as_str())
}

impl ModelListEntry<'_, '_> {
    /// The guardrail of the deployment, if it has one.
    pub(crate) fn guardrail(&mut self) -> Read<Option<PlacedGuardrail>> {
        let field = self.parameters.field(GUARDRAIL_CONFIG);
        let names = self.refuse_other_guardrail_names();
        let Some(field) = field else {
            return names.map(|()| None);
        };
        let guardrail = self.reader.guardrail(field)?;
        names.map(|()| Some(guardrail))
    }

    /// Refuses parameters that look like a guardrail and have not been read.
    fn refuse_other_guardrail_names(&mut self) -> Read<()> {
        let mut sound = Ok(());
        for (name, field) in self.parameters.own().unused() {
            if is_guardrail(&name) {
                let expected = format!("{GUARDRAIL_CONFIG} with {} and {}", MEMBERS[0], MEMBERS[1]);
                let reported = self.reader.unexpected(&field.location, expected, quoted(&name));
                sound = Err(reported);
            }
        }
        sound
    }
}

impl Reader<'_> {
    fn guardrail(&mut self, field: YamlField) -> Read<PlacedGuardrail> {
        let section = self.section(&field)?;
        let [identifier, version, trace, mode] = MEMBERS.map(|name| section.field(name));
        let mut known = Ok(());
        for (name, unknown) in section.unused() {
            known = Err(self.refuse_member(&name, &unknown));
        }
        // All members are read before the first failure counts, so that one run reports all errors.
        let identifier = self.guardrail_identifier(identifier, &field.location);
        let version = self.guardrail_version(version, &field.location);
        let traces = GuardrailTrace::ALL.map(|trace| (trace.word(), trace));
        let trace = self.one_of(trace, &traces, "enabled, disabled or enabled_full");
        let modes = StreamProcessingMode::ALL.map(|mode| (mode.word(), mode));
        let mode = self.one_of(mode, &modes, "sync or async");
        let settings = GuardrailSettings {
            identifier: identifier?,
            version: version?,
            trace: trace?,
            stream_processing_mode: mode?,
        };
        known.map(|()| PlacedGuardrail {
            location: field.location,
            settings,
        })
    }

    fn refuse_member(&mut self, name: &str, field: &YamlField) -> Reported {
        let similarity = |member: &str| strsim::jaro_winkler(&member.to_lowercase(), &name.to_lowercase());
        let meant = most_similar(MEMBERS.into_iter(), SIMILARITY_MIN, similarity);
        let hint = meant.map(|meant| format!(" (did you mean {meant}?)"));
        let found = quoted(name) + &hint.unwrap_or_default();
        self.unexpected(&field.location, format!("one of {}", MEMBERS.join(", ")), found)
    }

    fn guardrail_identifier(&mut self, field: Option<YamlField>, guardrail: &Location) -> Read<String> {
        let Some(field) = field else {
            let what = "guardrailIdentifier, the id or ARN of the guardrail";
            return Err(self.missing_field(guardrail, what));
        };
        let identifier = self.text(&field)?;
        if !is_identifier(&identifier) {
            return Err(self.unexpected(&field.location, IDENTIFIER_EXPECTED, quoted(&identifier)));
        }
        let is_id = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if !identifier.starts_with("arn:") && !identifier.chars().all(is_id) {
            let shown = quoted(&identifier);
            let text = format!(
                "{shown} is neither an ARN nor an id (lower-case letters and digits): AWS will probably refuse every \
                 request"
            );
            self.note(&field.location, text);
        }
        Ok(identifier)
    }

    /// Text, or a whole number: YAML reads a version without quotes as a number.
    fn guardrail_version(&mut self, field: Option<YamlField>, guardrail: &Location) -> Read<String> {
        let Some(field) = field else {
            return Err(self.missing_field(guardrail, "guardrailVersion, DRAFT or a version number"));
        };
        let version = self.text_or_whole_number(&field)?;
        if is_version(&version) {
            return Ok(version);
        }
        Err(self.unexpected(&field.location, VERSION_EXPECTED, quoted(&version)))
    }

    /// The value of the word in `field`, if the field is present.
    fn one_of<T: Copy>(
        &mut self,
        field: Option<YamlField>,
        words: &[(&str, T)],
        expected: &'static str,
    ) -> Read<Option<T>> {
        let Some(field) = field else {
            return Ok(None);
        };
        let found = self.text(&field)?;
        match words.iter().find(|(word, _)| *word == found) {
            Some((_, value)) => Ok(Some(*value)),
            None => Err(self.unexpected(&field.location, expected, quoted(&found))),
        }
    }
}
