//! A configuration inside a larger file: the values of a Helm chart, or a ConfigMap.

use super::problem::Problem;
use super::report::Reader;
use crate::document::field::YamlField;
use crate::document::include::ConfigDocument;
use crate::document::scalar::Scalar;
use crate::document::yaml::YamlValue;

/// How deep the configuration is searched for: no chart nests deeper, and the search stays fast.
const DEPTH_MAX: usize = 8;

impl Reader<'_> {
    /// Refuses a file with a `model_list` that is not at the top.
    pub(crate) fn refuse_nested(&mut self, document: &ConfigDocument) {
        let has_section = |name| document.section(name).is_some();
        if self.findings.has_errors() || has_section("model_list") {
            return;
        }
        let found = document
            .sections()
            .find_map(|(name, field)| find(field, step(name), DEPTH_MAX));
        if let Some((field, path)) = found {
            let looks_like = if has_section("apiVersion") && has_section("kind") {
                "a Kubernetes manifest"
            } else {
                "a Helm values file or the like"
            };
            self.error(&field.location, Problem::Nested { looks_like, path });
        }
    }
}

/// The mapping or text at or below `field` that has a `model_list`, and its path for `yq`.
fn find(field: &YamlField, path: String, depth: usize) -> Option<(YamlField, String)> {
    let depth = depth.checked_sub(1)?;
    match &field.node.value {
        YamlValue::Scalar(Scalar::Text(text)) => has_list(text).then(|| (field.clone(), path)),
        YamlValue::Scalar(_) => None,
        YamlValue::Sequence(_) => field
            .elements()?
            .iter()
            .enumerate()
            .find_map(|(index, element)| find(element, format!("{path}[{index}]"), depth)),
        YamlValue::Mapping(_) => {
            let section = field.section()?;
            let list = section.peek("model_list");
            if list.is_some_and(|list| list.elements().is_some()) {
                return Some((field.clone(), path));
            }
            section
                .fields()
                .iter()
                .find_map(|(name, field)| find(field, path.clone() + &step(name), depth))
        }
    }
}

/// Whether a text is a configuration: YAML with `model_list:` at the start of a line.
fn has_list(text: &str) -> bool {
    text.lines()
        .any(|line| line.trim_end() == "model_list:" || line.starts_with("model_list: "))
}

/// `.name`, or `."config.yaml"` if the name needs quotes.
fn step(name: &str) -> String {
    let is_plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_plain {
        format!(".{name}")
    } else {
        format!(".{name:?}")
    }
}
