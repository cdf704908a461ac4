//! `credential_list`: credentials that deployments name, each with the settings under its `credential_values`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::document::Document;
use super::error::Problem;
use super::reader::Reader;
use super::slips;
use crate::document::field::{Section, YamlField, quoted};
use crate::document::location::Location;
use crate::document::yaml::YamlValue;

/// The entries.
pub(crate) struct Credentials {
    named: Vec<(String, Rc<Credential>)>,
}

/// An entry.
pub(crate) struct Credential {
    entry: Section,
    values: Section,
    faults: Vec<(Location, Problem)>,
    used: Cell<bool>,
}

impl Credential {
    /// What a deployment that names it gets.
    pub(crate) fn values(&self) -> &Section {
        &self.values
    }

    /// Why a deployment that names it would be served with other rights than the file says.
    pub(crate) fn faults(&self) -> &[(Location, Problem)] {
        &self.faults
    }
}

impl Credentials {
    /// Reads `credential_list`.
    pub(crate) fn read(document: &Document, reader: &mut Reader<'_>) -> Self {
        let mut named = Vec::new();
        let mut first_places: BTreeMap<String, String> = BTreeMap::new();
        for element in document.list("credential_list", reader) {
            let Some((name, credential)) = entry(&element, reader) else {
                continue;
            };
            if let Some(first) = first_places.get(&name).cloned() {
                let what = format!("credential_name {}", quoted(&name));
                reader.wrong::<()>(&element.location, Problem::Duplicate { what, first });
                continue;
            }
            first_places.insert(name.clone(), element.location.path.clone());
            named.push((name, Rc::new(credential)));
        }
        Credentials { named }
    }

    /// The credential `name`, which a deployment uses.
    pub(crate) fn named(&self, name: &str) -> Option<Rc<Credential>> {
        let (_, credential) = self.named.iter().find(|(known, _)| known == name)?;
        credential.used.set(true);
        Some(Rc::clone(credential))
    }

    /// Notes the faults of credentials that no deployment uses.
    pub(crate) fn note_faults(&self, reader: &mut Reader<'_>) {
        let unused = self.named.iter().filter(|(_, credential)| !credential.used.get());
        for (location, problem) in unused.flat_map(|(_, credential)| &credential.faults) {
            reader.note(
                location,
                format!("no deployment uses this credential, and none could: {problem}"),
            );
        }
    }

    /// The entries that have no faults, for what nobody asked of them.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Section> {
        let sound = self
            .named
            .iter()
            .filter(|(_, credential)| credential.faults.is_empty());
        sound.map(|(_, credential)| &credential.entry)
    }

    /// What deployments get, for what nobody asked of it, once the deployments are read.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Section> {
        self.named.iter().map(|(_, credential)| &credential.values)
    }
}

fn entry(element: &YamlField, reader: &mut Reader<'_>) -> Option<(String, Credential)> {
    let section = reader.section(element)?;
    let Some(name) = section.field("credential_name") else {
        return reader.wrong(
            &element.location,
            Problem::Missing {
                expected: "a credential_name",
            },
        );
    };
    let name = reader.text(&name)?;
    let values = match section.field("credential_values") {
        Some(values) => Some(reader.section(&values)?),
        None => None,
    };
    let info = section.field("credential_info").and_then(|field| field.section());
    let faults = faults(&section, values.as_ref(), info.as_ref());
    let credential = Credential {
        values: values.unwrap_or_else(|| Section::empty(element.location.field("credential_values"))),
        entry: section,
        faults,
        used: Cell::new(false),
    };
    Some((name, credential))
}

fn faults(entry: &Section, values: Option<&Section>, info: Option<&Section>) -> Vec<(Location, Problem)> {
    const OWN: [&str; 3] = ["credential_name", "credential_values", "credential_info"];
    let mut faults = Vec::new();
    let misplaced = |name: &str| Problem::Misplaced {
        setting: quoted(name),
        belongs: "credential_values",
    };
    for (name, field) in entry.present().filter(|(name, _)| !OWN.contains(name)) {
        if values.is_none() && matches!(field.node.value, YamlValue::Mapping(_)) {
            let (found, meant) = (quoted(name), "credential_values");
            faults.push((field.location.clone(), Problem::Slip { found, meant }));
        } else if slips::decides(name) {
            faults.push((field.location.clone(), misplaced(name)));
        }
    }
    let in_info = info.into_iter().flat_map(Section::present);
    // LiteLLM's own use of credential_info: for which provider it is.
    for (name, field) in in_info.filter(|(name, _)| *name != "custom_llm_provider" && slips::decides(name)) {
        faults.push((field.location.clone(), misplaced(name)));
    }
    if faults.is_empty() && values.is_none_or(|values| values.present().next().is_none()) {
        let expected = "credential_values with the keys, such as aws_access_key_id and aws_secret_access_key";
        faults.push((
            entry.location_of("credential_values"),
            Problem::Missing { expected },
        ));
    }
    faults
}
