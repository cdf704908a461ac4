//! A stat's name with its labels in it.

/// `metric;label=value;…`
#[derive(Clone, Debug)]
pub(super) struct SeriesName(String);

impl SeriesName {
    pub(super) fn new(metric: &str) -> Self {
        Self(metric.to_owned())
    }

    /// Adds a label. What would end a value, or a line of Envoy's own pages, is percent-encoded.
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

    /// Adds labels as [`SeriesName::as_str`] has them.
    pub(super) fn and(mut self, labels: &str) -> Self {
        self.0.push_str(labels);
        self
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}
