//! `credential_list`: credentials that deployments refer to by name, with their settings under
//! `credential_values`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::deciding;
use super::problem::{Placement, Problem};
use super::report::Reader;
use crate::document::field::{Section, YamlField, quoted};
use crate::document::include::ConfigDocument;
use crate::document::location::Location;
use crate::document::problem::FileProblem;
use crate::document::reader::Read;
use crate::document::yaml::YamlValue;

/// The entries of `credential_list`.
pub(crate) struct CredentialList {
    named: Vec<(String, Rc<ListedCredential>)>,
}

/// An entry of `credential_list`.
pub(crate) struct ListedCredential {
    entry: Section,
    values: Section,
    faults: Vec<(Location, Problem)>,
    used: Cell<bool>,
}

impl ListedCredential {
    /// The parameters that the credential adds to a deployment.
    pub(crate) fn values(&self) -> &Section {
        &self.values
    }

    /// Why a deployment with this credential would use other rights than the file says.
    pub(crate) fn faults(&self) -> &[(Location, Problem)] {
        &self.faults
    }
}

impl CredentialList {
    /// Reads `credential_list`.
    pub(crate) fn read(document: &ConfigDocument, reader: &mut Reader<'_>) -> Self {
        let mut named = Vec::new();
        let mut first_paths: BTreeMap<String, String> = BTreeMap::new();
        for element in document.list("credential_list", reader) {
            let Ok((name, credential)) = listed_credential(&element, reader) else {
                continue;
            };
            if let Some(first) = first_paths.get(&name).cloned() {
                let what = format!("credential_name {}", quoted(&name));
                reader.error(&element.location, Problem::Duplicate { what, first });
                continue;
            }
            first_paths.insert(name.clone(), element.location.path.clone());
            named.push((name, Rc::new(credential)));
        }
        CredentialList { named }
    }

    /// The credential `name`, for a deployment that uses it.
    pub(crate) fn named(&self, name: &str) -> Option<Rc<ListedCredential>> {
        let (_, credential) = self.named.iter().find(|(known, _)| known == name)?;
        credential.used.set(true);
        Some(Rc::clone(credential))
    }

    /// Notes what is wrong with credentials that no deployment uses.
    pub(crate) fn note_faults(&self, reader: &mut Reader<'_>) {
        let unused = self.named.iter().filter(|(_, credential)| !credential.used.get());
        for (location, problem) in unused.flat_map(|(_, credential)| &credential.faults) {
            let text = format!("no deployment uses this credential, and none can: {problem}");
            reader.note(location, text);
        }
    }

    /// The entries without faults.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Section> {
        self.named
            .iter()
            .filter(|(_, credential)| credential.faults.is_empty())
            .map(|(_, credential)| &credential.entry)
    }

    /// The parameters of all credentials.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Section> {
        self.named.iter().map(|(_, credential)| &credential.values)
    }
}

fn listed_credential(element: &YamlField, reader: &mut Reader<'_>) -> Read<(String, ListedCredential)> {
    let entry = reader.section(element)?;
    let Some(name) = entry.field("credential_name") else {
        return Err(reader.missing_field(&element.location, "credential_name"));
    };
    let name = reader.text(&name)?;
    let values = entry
        .field("credential_values")
        .map(|values| reader.section(&values))
        .transpose()?;
    let info = entry.field("credential_info").and_then(|field| field.section());
    let faults = faults(&entry, values.as_ref(), info.as_ref());
    let credential = ListedCredential {
        values: values.unwrap_or_else(|| Section::empty(element.location.field("credential_values"))),
        entry,
        faults,
        used: Cell::new(false),
    };
    Ok((name, credential))
}

fn faults(entry: &Section, values: Option<&Section>, info: Option<&Section>) -> Vec<(Location, Problem)> {
    const KNOWN: [&str; 3] = ["credential_name", "credential_values", "credential_info"];
    let mut faults = Vec::new();
    let misplaced = |name: &str| Problem::Misplaced {
        setting: quoted(name),
        instead: Placement::CredentialValues,
    };
    for (name, field) in entry.present().filter(|(name, _)| !KNOWN.contains(name)) {
        if values.is_none() && matches!(field.node.value, YamlValue::Mapping(_)) {
            let problem = Problem::Slip {
                found: quoted(name),
                meant: "credential_values",
            };
            faults.push((field.location.clone(), problem));
        } else if deciding::decides(name) {
            faults.push((field.location.clone(), misplaced(name)));
        }
    }
    for (name, field) in info.into_iter().flat_map(Section::present) {
        // LiteLLM's own use of credential_info is to name the provider.
        if name != "custom_llm_provider" && deciding::decides(name) {
            faults.push((field.location.clone(), misplaced(name)));
        }
    }
    if faults.is_empty() && values.is_none_or(|values| values.present().next().is_none()) {
        let what = "credential_values with the keys, such as aws_access_key_id and aws_secret_access_key";
        let location = entry.location_of("credential_values");
        faults.push((location, FileProblem::Missing { what }.into()));
    }
    faults
}
