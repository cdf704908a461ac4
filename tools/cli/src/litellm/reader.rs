//! What every part of the reading shares: the environment, what was found wrong, and what is to be told.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use envoy_bedrock::contract::settings::EnvName;

use super::environment::{Environment, Secrets};
use super::error::{ConfigError, Place, Problem};
use super::field::{Field, Section};
use super::note::{Class, Note};
use super::scalar::Scalar;
use super::tolerance::Tolerance;
use super::variables::{Origin, Variables};
use super::yaml::Value;
use crate::blueprint::Secret;

/// What LiteLLM writes in front of a variable's name.
const REFERENCE: &str = "os.environ/";

/// The state of one reading.
pub(crate) struct Reader<'a> {
    /// What the caller says about secrets that are not there.
    pub mode: Secrets,
    /// What the operator accepts.
    pub tolerance: &'a Tolerance,
    /// Where variables come from.
    pub variables: Variables<'a>,
    /// Literal secrets on their way out of the file.
    pub secrets: BTreeMap<EnvName, Secret>,
    /// Secrets that are not set, where the mode tolerates it.
    pub missing: BTreeSet<EnvName>,
    errors: Vec<ConfigError>,
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
    pub(crate) fn new(environment: &'a Environment, mode: Secrets, tolerance: &'a Tolerance) -> Self {
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
    pub(crate) fn wrong<T>(&mut self, place: &Place, problem: Problem) -> Option<T> {
        self.errors.push(ConfigError {
            place: place.clone(),
            problem,
        });
        None
    }

    /// Records that `expected` was wanted at `place` and `found` was there. `found` must be no secret.
    pub(crate) fn unexpected<T>(
        &mut self,
        place: &Place,
        expected: impl Into<Cow<'static, str>>,
        found: impl Into<String>,
    ) -> Option<T> {
        self.wrong(
            place,
            Problem::Unexpected {
                expected: expected.into(),
                found: found.into(),
            },
        )
    }

    /// Tells the operator something about `place`.
    pub(crate) fn note(&mut self, place: &Place, text: impl Into<String>) {
        self.note_of(Class::General, place, text, "");
    }

    /// Tells something that differs from place to place in its `detail` only: such notes are shown as one.
    pub(crate) fn note_with(&mut self, place: &Place, text: impl Into<String>, detail: impl Into<String>) {
        self.note_of(Class::General, place, text, detail);
    }

    /// A note of any class.
    pub(crate) fn note_of(
        &mut self,
        class: Class,
        place: &Place,
        text: impl Into<String>,
        detail: impl Into<String>,
    ) {
        let note = Note {
            place: place.clone(),
            class,
            text: text.into(),
            detail: detail.into(),
        };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// A setting of `section` protects and does not work here: an error, unless the operator accepts that.
    pub(crate) fn protects(&mut self, section: &str, name: &str, place: &Place, lost: &'static str) {
        match self.tolerance.accepting(section, name, place) {
            Some(entry) => {
                self.accepted.insert(entry.to_owned());
                self.note_of(Class::Accepted, place, lost, "");
            }
            None => {
                let name = name.to_owned();
                self.wrong::<()>(place, Problem::Unprotected { name, lost });
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
    pub(crate) fn take_back(&mut self, mark: Mark) -> Vec<ConfigError> {
        self.notes.truncate(mark.notes);
        self.errors.split_off(mark.errors.min(self.errors.len()))
    }

    /// Whether anything was found wrong since `mark`.
    pub(crate) fn has_errors_since(&self, mark: Mark) -> bool {
        self.errors.len() > mark.errors
    }

    /// The errors in the order of the files, and the notes likewise.
    pub(crate) fn finish(self) -> (Vec<ConfigError>, Vec<Note>) {
        let Reader {
            mut errors,
            mut notes,
            ..
        } = self;
        // Deployments can share a credential, and with it what is wrong there.
        let mut seen = BTreeSet::new();
        errors.retain(|error| seen.insert(error.to_string()));
        errors.sort_by_key(|error| order(&error.place));
        notes.sort_by_key(|note| order(&note.place));
        (errors, notes)
    }

    /// Whether anything was found wrong so far.
    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// A mapping.
    pub(crate) fn section(&mut self, field: &Field) -> Option<Section> {
        field
            .section()
            .or_else(|| self.wrong(&field.place, field.not("a mapping")))
    }

    /// A string that is no secret, with a reference in it resolved now.
    pub(crate) fn text(&mut self, field: &Field) -> Option<String> {
        let Value::Scalar(Scalar::Text(text)) = &field.node.value else {
            return self.wrong(&field.place, field.not("a string"));
        };
        let Some(name) = text.strip_prefix(REFERENCE) else {
            self.no_placeholder(&field.place, text)?;
            return Some(text.clone());
        };
        let name = self.variable_name(&field.place, name)?;
        match self.variables.value(&name) {
            Some(value) => Some(value.to_owned()),
            None => self.not_set(&field.place, &name),
        }
    }

    /// A number, or the text of one (LiteLLM takes both, and a reference gives text).
    pub(crate) fn number(&mut self, field: &Field) -> Option<f64> {
        let value = match &field.node.value {
            Value::Scalar(Scalar::Integer(value)) => Some(*value as f64),
            Value::Scalar(Scalar::Float(value)) => Some(*value),
            Value::Scalar(Scalar::Text(_)) => self.text(field)?.trim().parse().ok(),
            _ => None,
        };
        match value {
            Some(value) if value.is_finite() => Some(value),
            Some(value) => self.unexpected(&field.place, "a finite number", value.to_string()),
            None => self.wrong(&field.place, field.not("a number")),
        }
    }

    /// A whole number.
    pub(crate) fn integer(&mut self, field: &Field) -> Option<i64> {
        let value = self.number(field)?;
        if value.fract() != 0.0 || value.abs() >= 9e15 {
            return self.unexpected(&field.place, "a whole number", value.to_string());
        }
        Some(value as i64)
    }

    /// A whole number where one is written as such, without a complaint if it is something else.
    pub(crate) fn whole_number(&self, field: &Field) -> Option<i64> {
        match &field.node.value {
            Value::Scalar(Scalar::Integer(value)) => Some(*value),
            _ => None,
        }
    }

    /// True or false.
    pub(crate) fn flag(&mut self, field: &Field) -> Option<bool> {
        match &field.node.value {
            Value::Scalar(Scalar::Bool(value)) => Some(*value),
            Value::Scalar(Scalar::Text(_)) => match self.text(field)?.to_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(true),
                "false" | "no" | "off" | "0" => Some(false),
                _ => self.wrong(&field.place, field.not("true or false")),
            },
            _ => self.wrong(&field.place, field.not("true or false")),
        }
    }

    /// A secret: the variable of the Envoy process that holds it. A reference stays one; a literal is moved.
    pub(crate) fn secret(&mut self, field: &Field) -> Option<EnvName> {
        let Value::Scalar(Scalar::Text(text)) = &field.node.value else {
            return self.wrong(&field.place, field.not("a string"));
        };
        if let Some(name) = text.strip_prefix(REFERENCE) {
            let name = self.variable_name(&field.place, name)?;
            return self.secret_variable(&field.place, &name);
        }
        if text.starts_with("oidc/") {
            return self.wrong(
                &field.place,
                Problem::Unsupported {
                    setting: "an oidc/ reference".to_owned(),
                    instead: "a value or an os.environ/ reference",
                },
            );
        }
        self.no_placeholder(&field.place, text)?;
        self.fit_for_a_header(&field.place, "a secret", text)?;
        let name = self.moved(&field.place, text);
        self.note_literal(&field.place, &name.0);
        Some(name)
    }

    /// The secret in the variable `name`, which `place` asks for.
    pub(crate) fn secret_variable(&mut self, place: &Place, name: &str) -> Option<EnvName> {
        match self.variables.origin(name) {
            Some(Origin::Process { name, value }) => {
                let value = value.to_owned();
                self.fit_for_a_header(place, &format!("a secret in {name}"), &value)?;
                Some(EnvName(name))
            }
            Some(Origin::File {
                place: assigned,
                value,
            }) => {
                let (assigned, value) = (assigned.clone(), value.to_owned());
                self.fit_for_a_header(&assigned, "a secret", &value)?;
                self.secrets.insert(EnvName(name.to_owned()), Secret(value));
                self.note_literal(&assigned, name);
                Some(EnvName(name.to_owned()))
            }
            None if self.mode == Secrets::MustExist => self.not_set(place, name),
            None => {
                let name = EnvName(self.variables.behind(name));
                self.missing.insert(name.clone());
                Some(name)
            }
        }
    }

    /// Says which variable a literal secret is moved to.
    fn note_literal(&mut self, place: &Place, variable: &str) {
        let text = "literal secret: it reaches Envoy as a variable";
        self.note_with(place, text, variable);
    }

    /// The value of a secret, if it is known here.
    pub(crate) fn secret_value(&self, name: &EnvName) -> Option<&str> {
        match self.secrets.get(name) {
            Some(secret) => Some(&secret.0),
            None => self.variables.value(&name.0),
        }
    }

    /// Records once for each name that a variable is not set.
    fn not_set<T>(&mut self, place: &Place, name: &str) -> Option<T> {
        let name = self.variables.behind(name);
        // With deployments left out, each has to say why it is.
        if self.unset.insert(name.clone()) || self.tolerance.leave_out_unsupported {
            return self.wrong(place, Problem::VariableNotSet { name });
        }
        // The first who asked has failed for it, and with it the whole.
        None
    }

    /// The name in a reference.
    fn variable_name(&mut self, place: &Place, name: &str) -> Option<String> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(fits) {
            return self.unexpected(
                place,
                "os.environ/ and the name of a variable (letters, digits, underscores)",
                "another name",
            );
        }
        Some(name.to_owned())
    }

    /// Refuses a text that another program was to fill in. It is not quoted: it can hold a default.
    fn no_placeholder(&mut self, place: &Place, text: &str) -> Option<()> {
        let Some(name) = placeholder(text) else {
            return Some(());
        };
        let found = "a placeholder for it, which nothing replaces here";
        self.unexpected(place, format!("{REFERENCE}{name}"), found)
    }

    /// Secrets travel in headers. The value is not quoted: it is one.
    fn fit_for_a_header(&mut self, place: &Place, what: &str, value: &str) -> Option<()> {
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
            place,
            format!("{what} of printable characters without spaces"),
            found,
        )
    }

    /// A variable for a literal secret; equal ones share it.
    fn moved(&mut self, place: &Place, value: &str) -> EnvName {
        if let Some((name, _)) = self.secrets.iter().find(|(_, known)| known.0 == value) {
            return name.clone();
        }
        let derived = derived_name(&place.path);
        let mut name = EnvName(derived.clone());
        let mut count = 2;
        while self.secrets.contains_key(&name) || self.variables.origin(&name.0).is_some() {
            name = EnvName(format!("{derived}_{count}"));
            count += 1;
        }
        self.secrets.insert(name.clone(), Secret(value.to_owned()));
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

fn order(place: &Place) -> (usize, usize) {
    (place.file_index, place.line.unwrap_or(usize::MAX))
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
