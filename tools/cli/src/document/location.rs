//! Locations in the files of a configuration.

use std::fmt;
use std::sync::Arc;

/// A location in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file, as the caller named it, or as `include` did.
    pub file: Arc<str>,
    /// The position of the file among all files, in reading order. Errors and notes are sorted by
    /// it.
    pub file_index: usize,
    /// Line, from 1; `None` for the whole file.
    pub line: Option<usize>,
    /// The field, such as `model_list[1].litellm_params.model`; empty for the whole file.
    pub path: String,
}

impl Location {
    /// A whole file. Control characters in its name are replaced, because a message has one line.
    pub fn file(name: &str) -> Self {
        let name = name.replace(char::is_control, "\u{fffd}");
        Location {
            file: Arc::from(name),
            file_index: 0,
            line: None,
            path: String::new(),
        }
    }

    /// The field `name` of this mapping, on the same line until its own is known.
    pub fn field(&self, name: &str) -> Self {
        let separator = if self.path.is_empty() { "" } else { "." };
        Location {
            path: format!("{}{separator}{name}", self.path),
            ..self.clone()
        }
    }

    /// The element `index` of this list.
    pub fn element(&self, index: usize) -> Self {
        Location {
            path: format!("{}[{index}]", self.path),
            ..self.clone()
        }
    }

    /// The file that contains this location.
    pub(crate) fn whole_file(&self) -> Self {
        Location {
            line: None,
            path: String::new(),
            ..self.clone()
        }
    }

    /// The same field on `line`.
    pub fn on_line(self, line: usize) -> Self {
        Location {
            line: Some(line),
            ..self
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(out, ":{line}")?;
        }
        if !self.path.is_empty() {
            write!(out, ": {}", self.path)?;
        }
        Ok(())
    }
}

/// `model_list[3].model_name` → `model_list[].model_name`.
pub(crate) fn without_indices(path: &str) -> String {
    let mut is_index = false;
    path.chars()
        .filter(|&c| {
            is_index = (is_index && c != ']') || c == '[';
            c == '[' || !is_index
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_shows_what_is_known_of_file_line_and_field() {
        let file = Location::file("config.yaml");
        assert_eq!(file.to_string(), "config.yaml");
        let field = file.field("model_list").element(1).field("model_name");
        assert_eq!(field.to_string(), "config.yaml: model_list[1].model_name");
        assert_eq!(
            field.on_line(7).to_string(),
            "config.yaml:7: model_list[1].model_name"
        );
    }
}
