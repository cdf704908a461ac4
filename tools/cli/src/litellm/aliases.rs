//! `router_settings.model_group_alias`: other names of model groups.

use std::collections::BTreeMap;

use envoy_bedrock::contract::settings::ModelSettings;

use super::entry::name_fault;
use super::left_out::LeftOut;
use super::report::Reader;
use super::similar::nearest;
use crate::document::field::{Section, YamlField, quoted};
use crate::document::reader::Read;

/// The aliases, each with the name of its model group.
pub(crate) fn read(
    router: &Section,
    models: &[ModelSettings],
    left_out: &mut LeftOut,
    reader: &mut Reader<'_>,
) -> BTreeMap<String, String> {
    let mut aliases = BTreeMap::new();
    let Some(Ok(section)) = router
        .field("model_group_alias")
        .map(|field| reader.section(&field))
    else {
        return aliases;
    };
    for (alias, field) in section.fields() {
        let Ok(target) = alias_target(&field, reader) else {
            continue;
        };
        if alias == target {
            // LiteLLM finds the same name.
            continue;
        }
        let is_served = |name: &str| models.iter().any(|model| model.name == name);
        if let Some(found) = name_fault(&alias) {
            reader.unexpected(&field.location, "an alias of printable characters", found);
        } else if alias.contains('*') {
            reader.unexpected(&field.location, "an alias without *", quoted(&alias));
        } else if is_served(&alias) {
            let expected = "an alias that is not a model_name";
            reader.unexpected(&field.location, expected, quoted(&alias));
        } else if is_served(&target) {
            aliases.insert(alias, target);
        } else {
            let (text, detail) = reason(&target, models, left_out);
            reader.note_with(&field.location, text, detail);
            left_out.add_name(&alias);
        }
    }
    aliases
}

/// Why an alias cannot refer to `target`. Aliases with the same reason are shown together.
fn reason(target: &str, models: &[ModelSettings], left_out: &LeftOut) -> (&'static str, String) {
    let shown = quoted(target);
    if left_out.contains(target) {
        return ("left out: its model is not served", shown);
    }
    if models.iter().any(|model| matches(&model.name, target)) {
        let text = "left out: only a wildcard serves its model, and wildcards have no aliases";
        return (text, shown);
    }
    let names = models.iter().map(|model| model.name.as_str());
    let hint = nearest(target, names).map(|nearest| format!(" (did you mean {}?)", quoted(nearest)));
    let detail = shown + &hint.unwrap_or_default();
    ("left out: no deployment has this model_name", detail)
}

/// Whether `pattern`, in which each `*` matches any characters, matches `name`.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut left) = name.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match left.find(part) {
            Some(position) => left = &left[position + part.len()..],
            None => return false,
        }
    }
    left.ends_with(end)
}

/// A name, or a mapping with one. Its `hidden` concerns a list of models that this gateway does not
/// have.
fn alias_target(field: &YamlField, reader: &mut Reader<'_>) -> Read<String> {
    let Some(item) = field.section() else {
        return reader.text(field);
    };
    match item.field("model") {
        Some(model) => reader.text(&model),
        None => Err(reader.missing_field(&field.location, "model")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_any_characters() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*", "a/b", true),
            ("a*", "a", true),
            ("a*", "ba", false),
            ("*a", "ba", true),
            ("a*a", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("a**b", "ab", true),
            ("a", "a", true),
            ("a", "ab", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
