//! A configuration inside a larger file: the values of a Helm chart, a ConfigMap, given whole.

use super::document::Document;
use super::error::Problem;
use super::reader::Reader;
use crate::document::field::YamlField;
use crate::document::scalar::Scalar;
use crate::document::yaml::YamlValue;

/// How deep the configuration is looked for: deeper than any chart has it, and no file makes it slow.
const DEPTH_MAX: usize = 8;

/// Complains if there is no `model_list` at the top of the file and one further down.
pub(crate) fn check(document: &Document, reader: &mut Reader<'_>) {
    if reader.has_errors() || document.section("model_list").is_some() {
        return;
    }
    let is_manifest = document.section("apiVersion").is_some() && document.section("kind").is_some();
    let found = document
        .names()
        .find_map(|(name, field)| find(field, step(name), DEPTH_MAX));
    if let Some((field, path)) = found {
        let seems = if is_manifest {
            "a Kubernetes manifest given whole"
        } else {
            "a Helm values file or another file around it"
        };
        reader.wrong::<()>(&field.location, Problem::Nested { seems, path });
    }
}

/// What a file seems to be whose `line` is no YAML, or begins a second document; nothing if it is like any other.
pub(crate) fn hint(text: &str, line: usize) -> &'static str {
    let is_template = |line: &str| line.contains("{{");
    let has = |start: &str| text.lines().any(|line| line.starts_with(start));
    if line
        .checked_sub(1)
        .and_then(|index| text.lines().nth(index))
        .is_some_and(is_template)
    {
        ": {{ }} is for a template engine such as Helm's, so give the file that it makes"
    } else if has("apiVersion:") && has("kind:") {
        ": this seems to be a Kubernetes manifest, so give only the configuration, the text under data in its ConfigMap"
    } else {
        ""
    }
}

/// The mapping or text at or below `field` that holds a `model_list`, and its path as `yq` takes it.
fn find(field: &YamlField, path: String, depth: usize) -> Option<(YamlField, String)> {
    let depth = depth.checked_sub(1)?;
    match &field.node.value {
        YamlValue::Scalar(Scalar::Text(text)) => holds_list(text).then(|| (field.clone(), path)),
        YamlValue::Scalar(_) => None,
        YamlValue::Sequence(_) => (0..)
            .zip(field.elements()?)
            .find_map(|(index, element): (usize, _)| find(&element, format!("{path}[{index}]"), depth)),
        YamlValue::Mapping(_) => {
            let section = field.section()?;
            if section
                .field("model_list")
                .is_some_and(|list| list.elements().is_some())
            {
                return Some((field.clone(), path));
            }
            let fields = section.fields().into_iter();
            fields
                .into_iter()
                .find_map(|(name, field)| find(&field, path.clone() + &step(&name), depth))
        }
    }
}

/// Whether a text is a configuration: YAML with `model_list:` at the beginning of a line.
fn holds_list(text: &str) -> bool {
    text.lines()
        .any(|line| line.trim_end() == "model_list:" || line.starts_with("model_list: "))
}

/// `.name`, or `."config.yaml"` where the name needs quotes.
fn step(name: &str) -> String {
    let is_plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_plain {
        format!(".{name}")
    } else {
        format!(".{name:?}")
    }
}
