//! What every part of the reading shares: the environment, what was found wrong, and what is to be told.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use envoy_bedrock::contract::settings::EnvName;

use super::error::{Problem, ReadError};
use super::note::{Class, Note};
use super::tolerance::Tolerance;
use crate::document::field::{Section, YamlField};
use crate::document::location::Location;
use crate::document::scalar::Scalar;
use crate::document::variables::{Origin, Variables};
use crate::document::yaml::YamlValue;
use crate::environment::SecretValue;
use crate::environment::{Environment, SecretPolicy};

/// What LiteLLM writes in front of a variable's name.
const REFERENCE: &str = "os.environ/";

/// The state of one reading.
pub(crate) struct Reader<'a> {
    /// What the caller says about secrets that are not there.
    pub mode: SecretPolicy,
    /// What the operator accepts.
    pub tolerance: &'a Tolerance,
    /// Where variables come from.
    pub variables: Variables<'a>,
    /// Literal secrets on their way out of the file.
    pub secrets: BTreeMap<EnvName, SecretValue>,
    /// SecretPolicy that are not set, where the mode tolerates it.
    pub missing: BTreeSet<EnvName>,
    errors: Vec<ReadError>,
    notes: Vec<Note>,
    unset: BTreeSet<String>,
    accepted: BTreeSet<String>,
}

/// How much had been found at a point of the reading.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    errors: usize,
    notes: usize,
}

impl<'a> Reader<'a> {
    /// A reading with nothing found yet.
    pub(crate) fn new(environment: &'a Environment, mode: SecretPolicy, tolerance: &'a Tolerance) -> Self {
        Reader {
            mode,
            tolerance,
            variables: Variables::of(environment),
            secrets: BTreeMap::new(),
            missing: BTreeSet::new(),
            errors: Vec::new(),
            notes: Vec::new(),
            unset: BTreeSet::new(),
            accepted: BTreeSet::new(),
        }
    }

    /// Records what is wrong at `place`. Always `None`, so that a reading function can end with it.
    pub(crate) fn wrong<T>(&mut self, location: &Location, problem: Problem) -> Option<T> {
        self.errors.push(ReadError {
            location: location.clone(),
            problem,
        });
        None
    }

    /// Records that `expected` was wanted at `place` and `found` was there. `found` must be no secret.
    pub(crate) fn unexpected<T>(
        &mut self,
        location: &Location,
        expected: impl Into<Cow<'static, str>>,
        found: impl Into<String>,
    ) -> Option<T> {
        self.wrong(
            location,
            Problem::Unexpected {
                expected: expected.into(),
                found: found.into(),
            },
        )
    }

    /// Tells the operator something about `place`.
    pub(crate) fn note(&mut self, location: &Location, text: impl Into<String>) {
        self.note_of(Class::General, location, text, "");
    }

    /// Tells something that differs from place to place in its `detail` only: such notes are shown as one.
    pub(crate) fn note_with(
        &mut self,
        location: &Location,
        text: impl Into<String>,
        detail: impl Into<String>,
    ) {
        self.note_of(Class::General, location, text, detail);
    }

    /// A note of any class.
    pub(crate) fn note_of(
        &mut self,
        class: Class,
        location: &Location,
        text: impl Into<String>,
        detail: impl Into<String>,
    ) {
        let note = Note {
            location: location.clone(),
            class,
            text: text.into(),
            detail: detail.into(),
        };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// A setting of `section` protects and does not work here: an error, unless the operator accepts that.
    pub(crate) fn protects(&mut self, section: &str, name: &str, location: &Location, lost: &'static str) {
        match self.tolerance.accepting(section, name, location) {
            Some(entry) => {
                self.accepted.insert(entry.to_owned());
                self.note_of(Class::Accepted, location, lost, "");
            }
            None => {
                let name = name.to_owned();
                self.wrong::<()>(location, Problem::Unprotected { name, lost });
            }
        }
    }

    /// Checks what the operator accepts without need.
    pub(crate) fn check_tolerance(&mut self) {
        let accepted = std::mem::take(&mut self.accepted);
        self.tolerance.check(&accepted, self);
    }

    /// This point of the reading.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            errors: self.errors.len(),
            notes: self.notes.len(),
        }
    }

    /// Takes back what was found since `mark`; its errors.
    pub(crate) fn take_back(&mut self, mark: Mark) -> Vec<ReadError> {
        self.notes.truncate(mark.notes);
        self.errors.split_off(mark.errors.min(self.errors.len()))
    }

    /// Whether anything was found wrong since `mark`.
    pub(crate) fn has_errors_since(&self, mark: Mark) -> bool {
        self.errors.len() > mark.errors
    }

    /// The errors in the order of the files, and the notes likewise.
    pub(crate) fn finish(self) -> (Vec<ReadError>, Vec<Note>) {
        let Reader {
            mut errors,
            mut notes,
            ..
        } = self;
        // Deployments can share a credential, and with it what is wrong there.
        let mut seen = BTreeSet::new();
        errors.retain(|error| seen.insert(error.to_string()));
        errors.sort_by_key(|error| order(&error.location));
        notes.sort_by_key(|note| order(&note.location));
        (errors, notes)
    }

    /// Whether anything was found wrong so far.
    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// A mapping.
    pub(crate) fn section(&mut self, field: &YamlField) -> Option<Section> {
        field
            .section()
            .or_else(|| self.wrong(&field.location, field.not("a mapping")))
    }

    /// A string that is no secret, with a reference in it resolved now.
    pub(crate) fn text(&mut self, field: &YamlField) -> Option<String> {
        let YamlValue::Scalar(Scalar::Text(text)) = &field.node.value else {
            return self.wrong(&field.location, field.not("a string"));
        };
        let Some(name) = text.strip_prefix(REFERENCE) else {
            self.no_placeholder(&field.location, text)?;
            return Some(text.clone());
        };
        let name = self.variable_name(&field.location, name)?;
        match self.variables.value(&name) {
            Some(value) => Some(value.to_owned()),
            None => self.not_set(&field.location, &name),
        }
    }

    /// A number, or the text of one (LiteLLM takes both, and a reference gives text).
    pub(crate) fn number(&mut self, field: &YamlField) -> Option<f64> {
        let value = match &field.node.value {
            YamlValue::Scalar(Scalar::Integer(value)) => Some(*value as f64),
            YamlValue::Scalar(Scalar::Float(value)) => Some(*value),
            YamlValue::Scalar(Scalar::Text(_)) => self.text(field)?.trim().parse().ok(),
            _ => None,
        };
        match value {
            Some(value) if value.is_finite() => Some(value),
            Some(value) => self.unexpected(&field.location, "a finite number", value.to_string()),
            None => self.wrong(&field.location, field.not("a number")),
        }
    }

    /// A whole number.
    pub(crate) fn integer(&mut self, field: &YamlField) -> Option<i64> {
        let value = self.number(field)?;
        if value.fract() != 0.0 || value.abs() >= 9e15 {
            return self.unexpected(&field.location, "a whole number", value.to_string());
        }
        Some(value as i64)
    }

    /// A whole number where one is written as such, without a complaint if it is something else.
    pub(crate) fn whole_number(&self, field: &YamlField) -> Option<i64> {
        match &field.node.value {
            YamlValue::Scalar(Scalar::Integer(value)) => Some(*value),
            _ => None,
        }
    }

    /// True or false.
    pub(crate) fn flag(&mut self, field: &YamlField) -> Option<bool> {
        match &field.node.value {
            YamlValue::Scalar(Scalar::Bool(value)) => Some(*value),
            YamlValue::Scalar(Scalar::Text(_)) => match self.text(field)?.to_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(true),
                "false" | "no" | "off" | "0" => Some(false),
                _ => self.wrong(&field.location, field.not("true or false")),
            },
            _ => self.wrong(&field.location, field.not("true or false")),
        }
    }

    /// A secret: the variable of the Envoy process that holds it. A reference stays one; a literal is moved.
    pub(crate) fn secret(&mut self, field: &YamlField) -> Option<EnvName> {
        let YamlValue::Scalar(Scalar::Text(text)) = &field.node.value else {
            return self.wrong(&field.location, field.not("a string"));
        };
        if let Some(name) = text.strip_prefix(REFERENCE) {
            let name = self.variable_name(&field.location, name)?;
            return self.secret_variable(&field.location, &name);
        }
        if text.starts_with("oidc/") {
            return self.wrong(
                &field.location,
                Problem::Unsupported {
                    setting: "an oidc/ reference".to_owned(),
                    instead: "a value or an os.environ/ reference",
                },
            );
        }
        self.no_placeholder(&field.location, text)?;
        self.fit_for_a_header(&field.location, "a secret", text)?;
        let name = self.moved(&field.location, text);
        self.note_literal(&field.location, &name.0);
        Some(name)
    }

    /// The secret in the variable `name`, which `place` asks for.
    pub(crate) fn secret_variable(&mut self, location: &Location, name: &str) -> Option<EnvName> {
        match self.variables.origin(name) {
            Some(Origin::Process { name, value }) => {
                let value = value.to_owned();
                self.fit_for_a_header(location, &format!("a secret in {name}"), &value)?;
                Some(EnvName(name))
            }
            Some(Origin::File {
                location: assigned,
                value,
            }) => {
                let (assigned, value) = (assigned.clone(), value.to_owned());
                self.fit_for_a_header(&assigned, "a secret", &value)?;
                self.secrets.insert(EnvName(name.to_owned()), SecretValue(value));
                self.note_literal(&assigned, name);
                Some(EnvName(name.to_owned()))
            }
            None if self.mode == SecretPolicy::MustExist => self.not_set(location, name),
            None => {
                let name = EnvName(self.variables.behind(name));
                self.missing.insert(name.clone());
                Some(name)
            }
        }
    }

    /// Says which variable a literal secret is moved to.
    fn note_literal(&mut self, location: &Location, variable: &str) {
        let text = "literal secret: it reaches Envoy as a variable";
        self.note_with(location, text, variable);
    }

    /// The value of a secret, if it is known here.
    pub(crate) fn secret_value(&self, name: &EnvName) -> Option<&str> {
        match self.secrets.get(name) {
            Some(secret) => Some(&secret.0),
            None => self.variables.value(&name.0),
        }
    }

    /// Records once for each name that a variable is not set.
    fn not_set<T>(&mut self, location: &Location, name: &str) -> Option<T> {
        let name = self.variables.behind(name);
        // With deployments left out, each has to say why it is.
        if self.unset.insert(name.clone()) || self.tolerance.leave_out_unsupported {
            return self.wrong(location, Problem::VariableNotSet { name });
        }
        // The first who asked has failed for it, and with it the whole.
        None
    }

    /// The name in a reference.
    fn variable_name(&mut self, location: &Location, name: &str) -> Option<String> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(fits) {
            return self.unexpected(
                location,
                "os.environ/ and the name of a variable (letters, digits, underscores)",
                "another name",
            );
        }
        Some(name.to_owned())
    }

    /// Refuses a text that another program was to fill in. It is not quoted: it can hold a default.
    fn no_placeholder(&mut self, location: &Location, text: &str) -> Option<()> {
        let Some(name) = placeholder(text) else {
            return Some(());
        };
        let found = "a placeholder for it, which nothing replaces here";
        self.unexpected(location, format!("{REFERENCE}{name}"), found)
    }

    /// SecretPolicy travel in headers. The value is not quoted: it is one.
    fn fit_for_a_header(&mut self, location: &Location, what: &str, value: &str) -> Option<()> {
        let found = if value.is_empty() {
            "an empty string: give it a value, or remove the line to use the environment's"
        } else if value.chars().any(char::is_whitespace) {
            "white space or a line break in it"
        } else if !value.chars().all(|c| c.is_ascii_graphic()) {
            "a character in it that is not printable ASCII"
        } else {
            return Some(());
        };
        self.unexpected(
            location,
            format!("{what} of printable characters without spaces"),
            found,
        )
    }

    /// A variable for a literal secret; equal ones share it.
    fn moved(&mut self, location: &Location, value: &str) -> EnvName {
        if let Some((name, _)) = self.secrets.iter().find(|(_, known)| known.0 == value) {
            return name.clone();
        }
        let derived = derived_name(&location.path);
        let mut name = EnvName(derived.clone());
        let mut count = 2;
        while self.secrets.contains_key(&name) || self.variables.origin(&name.0).is_some() {
            name = EnvName(format!("{derived}_{count}"));
            count += 1;
        }
        self.secrets.insert(name.clone(), SecretValue(value.to_owned()));
        name
    }
}

/// The variable that a text stands for in files that another program fills in: `${NAME}`, `${NAME:-default}`, `$(NAME)`,
/// `$THE_NAME`. Without an underscore the last could be a secret.
fn placeholder(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('$')?;
    let within = |open: char, close: char| rest.strip_prefix(open)?.strip_suffix(close);
    let name = match (within('{', '}'), within('(', ')')) {
        (Some(inner), _) => inner.split([':', '-', '?', '=']).next()?,
        (None, Some(inner)) => inner,
        (None, None) => rest.contains('_').then_some(rest)?,
    };
    let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let is_name = name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_') && name.chars().all(fits);
    is_name.then_some(name)
}

fn order(location: &Location) -> (usize, usize) {
    (location.file_index, location.line.unwrap_or(usize::MAX))
}

/// `model_list[0].litellm_params.api_key` → `ENVOY_BEDROCK_MODEL_LIST_0_API_KEY`.
fn derived_name(path: &str) -> String {
    let parts = path
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|part| !matches!(*part, "" | "litellm_params" | "credential_values"));
    let name: Vec<String> = parts.map(str::to_uppercase).collect();
    format!("ENVOY_BEDROCK_{}", name.join("_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_literal_secrets_are_named_by_their_field() {
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
