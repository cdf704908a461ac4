//! Reads values with their types: resolves references to variables, moves secrets out of the file,
//! and records what is wrong.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use envoy_bedrock::contract::settings::EnvName;
use envoy_bedrock::secret::Secret;

use super::field::{Section, YamlField};
use super::location::Location;
use super::problem::FileProblem;
use super::scalar::Scalar;
use super::variables::{Origin, REFERENCE, Variables};
use super::yaml::YamlValue;
use crate::environment::{Environment, SecretPolicy};

/// A secret that LiteLLM fetches from an identity provider.
const OIDC_REFERENCE: &str = "oidc/";

/// An error has been recorded, so there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reported;

/// A value, unless an error has been recorded.
pub(crate) type Read<T> = Result<T, Reported>;

/// Collects what a reader finds.
pub(crate) trait Findings {
    /// Records an error.
    fn error(&mut self, location: &Location, problem: FileProblem);

    /// Records something that the operator should know.
    fn note(&mut self, location: &Location, note: FileNote);
}

/// Something about a usable file that the operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileNote {
    /// A mapping has this key more than once.
    DuplicateKey(String),
    /// The secret at this location reaches Envoy through this variable.
    LiteralSecret {
        /// The name of the variable.
        variable: String,
    },
}

/// The state of reading one configuration.
pub(crate) struct ValueReader<'a, F> {
    /// What to do about secrets whose variables are not set.
    pub policy: SecretPolicy,
    /// The variables that the file can refer to.
    pub variables: Variables<'a>,
    /// Literal secrets of the file, each under the variable that Envoy will have it in.
    pub secrets: BTreeMap<EnvName, Secret>,
    /// Variables of secrets that are not set, where the policy allows that.
    pub missing: BTreeSet<EnvName>,
    /// What has been found.
    pub findings: F,
    /// Whether an unset variable is an error at each field that refers to it, not only at the
    /// first.
    pub repeats_unset_variables: bool,
    /// The unset variables that were reported.
    pub unset: BTreeSet<String>,
}

impl<'a, F: Findings> ValueReader<'a, F> {
    /// A reader of values that may refer to `environment`.
    pub(crate) fn new(environment: &'a Environment, policy: SecretPolicy, findings: F) -> Self {
        ValueReader {
            policy,
            variables: Variables::of(environment),
            secrets: BTreeMap::new(),
            missing: BTreeSet::new(),
            findings,
            repeats_unset_variables: false,
            unset: BTreeSet::new(),
        }
    }

    /// Records an error.
    pub(crate) fn file_error(&mut self, location: &Location, problem: FileProblem) -> Reported {
        self.findings.error(location, problem);
        Reported
    }

    /// Records that a value is `found` instead of `expected`. `found` must not contain a secret.
    pub(crate) fn unexpected(
        &mut self,
        location: &Location,
        expected: impl Into<Cow<'static, str>>,
        found: impl Into<String>,
    ) -> Reported {
        let problem = FileProblem::Unexpected {
            expected: expected.into(),
            found: found.into(),
        };
        self.file_error(location, problem)
    }

    /// Records that a required field is absent.
    pub(crate) fn missing_field(&mut self, location: &Location, what: &'static str) -> Reported {
        self.file_error(location, FileProblem::Missing { what })
    }

    /// A mapping.
    pub(crate) fn section(&mut self, field: &YamlField) -> Read<Section> {
        field
            .section()
            .ok_or_else(|| self.file_error(&field.location, field.not("a mapping")))
    }

    /// A string that is not secret. A reference is replaced by the value of its variable.
    pub(crate) fn text(&mut self, field: &YamlField) -> Read<String> {
        let Some(text) = field.text() else {
            return Err(self.file_error(&field.location, field.not("a string")));
        };
        let Some(name) = text.strip_prefix(REFERENCE) else {
            self.refuse_placeholder(&field.location, text)?;
            return Ok(text.to_owned());
        };
        let name = self.variable_name(&field.location, name)?;
        match self.variables.value(&name) {
            Some(value) => Ok(value.to_owned()),
            None => Err(self.not_set(&field.location, &name)),
        }
    }

    /// The string in `field`, if there is one.
    pub(crate) fn optional_text(&mut self, field: Option<YamlField>) -> Read<Option<String>> {
        field.map(|field| self.text(&field)).transpose()
    }

    /// A string, or a whole number as its decimal digits.
    pub(crate) fn text_or_whole_number(&mut self, field: &YamlField) -> Read<String> {
        match &field.node.value {
            YamlValue::Scalar(Scalar::Integer(value)) => Ok(value.to_string()),
            _ => self.text(field),
        }
    }

    /// A number, or text that is one: LiteLLM accepts both, and references are text.
    pub(crate) fn number(&mut self, field: &YamlField) -> Read<f64> {
        let value = match &field.node.value {
            YamlValue::Scalar(Scalar::Integer(value)) => Some(*value as f64),
            YamlValue::Scalar(Scalar::Float(value)) => Some(*value),
            YamlValue::Scalar(Scalar::Text(_)) => self.text(field)?.trim().parse().ok(),
            _ => None,
        };
        match value {
            Some(value) if value.is_finite() => Ok(value),
            Some(value) => Err(self.unexpected(&field.location, "a finite number", value.to_string())),
            None => Err(self.file_error(&field.location, field.not("a number"))),
        }
    }

    /// A whole number.
    pub(crate) fn integer(&mut self, field: &YamlField) -> Read<i64> {
        let value = self.number(field)?;
        if value.fract() != 0.0 || value.abs() >= 9e15 {
            return Err(self.unexpected(&field.location, "a whole number", value.to_string()));
        }
        Ok(value as i64)
    }

    /// A boolean, or text that is one.
    pub(crate) fn flag(&mut self, field: &YamlField) -> Read<bool> {
        let value = match &field.node.value {
            YamlValue::Scalar(Scalar::Bool(value)) => Some(*value),
            YamlValue::Scalar(Scalar::Text(_)) => match self.text(field)?.to_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(true),
                "false" | "no" | "off" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        };
        value.ok_or_else(|| self.file_error(&field.location, field.not("true or false")))
    }

    /// A secret: the variable of the Envoy process that holds it. A reference keeps its variable,
    /// and a literal secret is moved to a new one.
    pub(crate) fn secret(&mut self, field: &YamlField) -> Read<EnvName> {
        let location = &field.location;
        let Some(text) = field.text() else {
            return Err(self.file_error(location, field.not("a string")));
        };
        if let Some(name) = text.strip_prefix(REFERENCE) {
            let name = self.variable_name(location, name)?;
            return self.secret_variable(location, &name);
        }
        if text.starts_with(OIDC_REFERENCE) {
            let prefix = OIDC_REFERENCE;
            return Err(self.file_error(location, FileProblem::UnsupportedReference { prefix }));
        }
        self.refuse_placeholder(location, text)?;
        self.check_header_value(location, "a secret", text)?;
        let name = self.moved(location, text);
        self.note_literal_secret(location, &name.0);
        Ok(name)
    }

    /// The secret in the variable `name`, which the field at `location` needs.
    pub(crate) fn secret_variable(&mut self, location: &Location, name: &str) -> Read<EnvName> {
        match self.variables.origin(name) {
            Some(Origin::Process { name, value }) => {
                let value = value.to_owned();
                self.check_header_value(location, &format!("a secret in {name}"), &value)?;
                Ok(EnvName(name))
            }
            Some(Origin::File {
                location: assigned_at,
                value,
            }) => {
                let (assigned_at, value) = (assigned_at.clone(), value.to_owned());
                self.check_header_value(&assigned_at, "a secret", &value)?;
                self.secrets.insert(EnvName(name.to_owned()), Secret::new(value));
                self.note_literal_secret(&assigned_at, name);
                Ok(EnvName(name.to_owned()))
            }
            None if self.policy == SecretPolicy::MustExist => Err(self.not_set(location, name)),
            None => {
                let name = EnvName(self.variables.source(name));
                self.missing.insert(name.clone());
                Ok(name)
            }
        }
    }

    fn note_literal_secret(&mut self, location: &Location, variable: &str) {
        let variable = variable.to_owned();
        self.findings.note(location, FileNote::LiteralSecret { variable });
    }

    /// The value of a secret, if it is known.
    pub(crate) fn secret_value(&self, name: &EnvName) -> Option<&str> {
        match self.secrets.get(name) {
            Some(secret) => Some(secret.expose()),
            None => self.variables.value(&name.0),
        }
    }

    /// Records that a variable is not set: once for each name, unless repetition is wanted.
    pub(crate) fn not_set(&mut self, location: &Location, name: &str) -> Reported {
        let name = self.variables.source(name);
        if self.unset.insert(name.clone()) || self.repeats_unset_variables {
            self.file_error(location, FileProblem::VariableNotSet { name });
        }
        Reported
    }

    /// The variable name in a reference.
    fn variable_name(&mut self, location: &Location, name: &str) -> Read<String> {
        let is_valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let starts_with_digit = name.starts_with(|c: char| c.is_ascii_digit());
        if name.is_empty() || starts_with_digit || !name.chars().all(is_valid) {
            let expected = "os.environ/ and a variable name (letters, digits and underscores)";
            return Err(self.unexpected(location, expected, "an invalid name"));
        }
        Ok(name.to_owned())
    }

    /// Refuses text that another program was to replace. It is not quoted, since it can contain a
    /// default value.
    fn refuse_placeholder(&mut self, location: &Location, text: &str) -> Read<()> {
        match placeholder(text) {
            None => Ok(()),
            Some(name) => {
                let found = "a placeholder, which is not expanded here";
                Err(self.unexpected(location, format!("{REFERENCE}{name}"), found))
            }
        }
    }

    /// Secrets are sent in headers. The value is not quoted: it is a secret.
    fn check_header_value(&mut self, location: &Location, what: &str, value: &str) -> Read<()> {
        let found = if value.is_empty() {
            "an empty string: set a value, or remove the line to use the environment variable"
        } else if value.chars().any(char::is_whitespace) {
            "white space or a line break"
        } else if !value.chars().all(|c| c.is_ascii_graphic()) {
            "a character that is not printable ASCII"
        } else {
            return Ok(());
        };
        let expected = format!("{what} of printable ASCII characters without spaces");
        Err(self.unexpected(location, expected, found))
    }

    /// A variable for a literal secret. Equal secrets share one.
    fn moved(&mut self, location: &Location, value: &str) -> EnvName {
        if let Some((name, _)) = self.secrets.iter().find(|(_, known)| known.expose() == value) {
            return name.clone();
        }
        let derived = derived_name(&location.path);
        let mut name = EnvName(derived.clone());
        let mut count = 2;
        while self.secrets.contains_key(&name) || self.variables.is_set(&name.0) {
            name = EnvName(format!("{derived}_{count}"));
            count += 1;
        }
        self.secrets.insert(name.clone(), Secret::new(value));
        name
    }
}

/// Whether a string is neither a reference nor a placeholder.
pub(crate) fn is_plain_text(text: &str) -> bool {
    !text.starts_with(REFERENCE) && placeholder(text).is_none()
}

/// The variable in a placeholder of another program: `${NAME}`, `${NAME:-default}`, `$(NAME)`,
/// `$THE_NAME`. The last form needs an underscore, because other text could be a secret.
fn placeholder(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('$')?;
    let within = |open: char, close: char| rest.strip_prefix(open)?.strip_suffix(close);
    let name = match (within('{', '}'), within('(', ')')) {
        (Some(inner), _) => inner.split([':', '-', '?', '=']).next()?,
        (None, Some(inner)) => inner,
        (None, None) => rest.contains('_').then_some(rest)?,
    };
    let is_valid = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let starts_well = name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_');
    (starts_well && name.chars().all(is_valid)).then_some(name)
}

/// The variable for a secret at `path`. The mappings between a list element and the field are left
/// out: `list[0].settings.api_key` → `ENVOY_BEDROCK_LIST_0_API_KEY`.
fn derived_name(path: &str) -> String {
    let (element, field) = match path.split_once("].") {
        Some((element, rest)) => (element, rest.rsplit('.').next().unwrap_or(rest)),
        None => ("", path),
    };
    let parts = [element, field]
        .into_iter()
        .flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
        .filter(|part| !part.is_empty())
        .map(str::to_uppercase);
    let name: Vec<String> = parts.collect();
    format!("ENVOY_BEDROCK_{}", name.join("_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_literal_secrets_are_named_after_their_field() {
        assert_eq!(
            derived_name("model_list[0].litellm_params.aws_secret_access_key"),
            "ENVOY_BEDROCK_MODEL_LIST_0_AWS_SECRET_ACCESS_KEY"
        );
        assert_eq!(
            derived_name("credential_list[12].credential_values.api_key"),
            "ENVOY_BEDROCK_CREDENTIAL_LIST_12_API_KEY"
        );
        assert_eq!(
            derived_name("general_settings.master_key"),
            "ENVOY_BEDROCK_GENERAL_SETTINGS_MASTER_KEY"
        );
    }
}
