//! The name of a stat, with its labels.

/// `metric;label=value;…`
#[derive(Clone, Debug)]
pub(super) struct SeriesName(String);

impl SeriesName {
    pub(super) fn new(metric: &str) -> Self {
        Self(metric.to_owned())
    }

    /// Adds a label. `;` is percent-encoded and control characters are replaced, because they would
    /// end the value or a line of Envoy's stats page.
    pub(super) fn with(mut self, label: &str, value: &str) -> Self {
        self.0.push(';');
        self.0.push_str(label);
        self.0.push('=');
        for character in value.chars() {
            match character {
                ';' => self.0.push_str("%3B"),
                character if character.is_control() => self.0.push('_'),
                character => self.0.push(character),
            }
        }
        self
    }

    /// Adds labels in the format of [`SeriesName::as_str`].
    pub(super) fn and(mut self, labels: &str) -> Self {
        self.0.push_str(labels);
        self
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}
