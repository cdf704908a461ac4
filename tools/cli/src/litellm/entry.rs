//! An entry of `model_list` while it is read.

use super::credential_list::CredentialList;
use super::known;
use super::parameters::Parameters;
use super::problem::{Placement, Problem};
use super::report::Reader;
use crate::document::field::{Section, YamlField, quoted};
use crate::document::location::Location;
use crate::document::reader::{Read, Reported};

/// Longest `model_name` or model id: Bedrock accepts ids of up to this length.
pub(crate) const NAME_MAX_BYTES: usize = 2048;

/// An entry of `model_list` and the reader of its settings. Each group of settings has its methods
/// in its own file.
pub(crate) struct ModelListEntry<'e, 'a> {
    /// Where the entry is.
    pub location: &'e Location,
    /// The entry itself: `model_name`, `litellm_params`, `model_info`.
    pub entry: Section,
    /// `litellm_params`, with the credential that it names.
    pub parameters: Parameters,
    /// `model_info`.
    pub info: Section,
    /// The reader.
    pub reader: &'e mut Reader<'a>,
}

impl<'e, 'a> ModelListEntry<'e, 'a> {
    /// Opens the sections of `element`. `model_name` is returned next to the entry, so that one run
    /// reports what is wrong with either.
    pub(crate) fn open(
        element: &'e YamlField,
        credentials: &CredentialList,
        reader: &'e mut Reader<'a>,
    ) -> Read<(Self, Read<String>)> {
        let entry = reader.section(element)?;
        let info = match entry.field("model_info") {
            Some(info) => reader.section(&info)?,
            None => Section::empty(element.location.field("model_info")),
        };
        let model_name = model_name(&entry, reader);
        let Some(parameters) = entry.field("litellm_params") else {
            return Err(without_parameters(&entry, reader));
        };
        let parameters = Parameters::new(reader.section(&parameters)?, credentials, reader)?;
        let this = ModelListEntry {
            location: &element.location,
            entry,
            parameters,
            info,
            reader,
        };
        Ok((this, model_name))
    }

    /// The field that names the model id: `model_id`, else `model`.
    pub(crate) fn id_field(&self) -> Option<YamlField> {
        self.parameters
            .field("model_id")
            .or_else(|| self.parameters.field("model"))
    }

    /// Where the model id is.
    pub(crate) fn id_location(&self) -> Location {
        let field = self.id_field();
        field.map_or_else(|| self.parameters.location.clone(), |field| field.location)
    }

    /// The string parameter `name`, if it is present.
    pub(crate) fn text(&mut self, name: &str) -> Read<Option<String>> {
        self.reader.optional_text(self.parameters.field(name))
    }

    /// Records that `model` is absent.
    pub(crate) fn without_model(&mut self) -> Reported {
        if self.entry.peek("model").is_some() {
            let problem = Problem::Misplaced {
                setting: quoted("model"),
                instead: Placement::LitellmParams,
            };
            return self.reader.error(&self.entry.location_of("model"), problem);
        }
        self.reader.missing_field(&self.parameters.location, "model")
    }
}

/// `model_name`, which names the model group.
pub(crate) fn model_name(entry: &Section, reader: &mut Reader<'_>) -> Read<String> {
    let Some(field) = entry.field("model_name") else {
        return Err(reader.missing_field(&entry.location, "model_name"));
    };
    let name = reader.text(&field)?;
    match name_fault(&name) {
        None => Ok(name),
        Some(found) => {
            let expected = format!("a name of 1 to {NAME_MAX_BYTES} printable characters");
            Err(reader.unexpected(&field.location, expected, found))
        }
    }
}

/// Why `name` cannot be the name of a model.
pub(crate) fn name_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("an empty string")
    } else if name.len() > NAME_MAX_BYTES {
        Some("a longer string")
    } else if name.chars().any(char::is_control) {
        Some("a control character")
    } else {
        None
    }
}

/// Records that `litellm_params` is absent. Most often, the settings lack indentation.
fn without_parameters(entry: &Section, reader: &mut Reader<'_>) -> Reported {
    let is_parameter = |name: &str| known::LITELLM_PARAMS.fate(name).is_some();
    let Some((name, field)) = entry.present().find(|(name, _)| is_parameter(name)) else {
        return reader.missing_field(&entry.location, "litellm_params");
    };
    let found = format!(
        "{} next to model_name: indent it under litellm_params",
        quoted(name)
    );
    let expected = "litellm_params with the settings of the deployment";
    reader.unexpected(&field.location, expected, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_length_and_printable_characters() {
        assert_eq!(name_fault(&"a".repeat(NAME_MAX_BYTES)), None);
        assert_eq!(
            name_fault(&"a".repeat(NAME_MAX_BYTES + 1)),
            Some("a longer string")
        );
        assert_eq!(name_fault(""), Some("an empty string"));
        assert_eq!(name_fault("a\nb"), Some("a control character"));
        assert_eq!(name_fault("my model"), None);
    }
}
