//! `litellm_params` of a deployment on top of the credential that its `litellm_credential_name` names.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::document::Document;
use super::error::{Place, Problem};
use super::field::{Field, Section, quoted};
use super::reader::Reader;

/// What a deployment is configured with.
pub(crate) struct Parameters {
    /// Where `litellm_params` stands.
    pub place: Place,
    own: Section,
    credential: Option<Rc<Section>>,
}

impl Parameters {
    /// Takes `own` together with the credential that it names.
    pub(crate) fn new(own: Section, credentials: &Credentials, reader: &mut Reader<'_>) -> Option<Self> {
        let credential = match own.field("litellm_credential_name") {
            Some(field) => Some(credentials.find(&field, reader)?),
            None => None,
        };
        Some(Parameters {
            place: own.place.clone(),
            own,
            credential,
        })
    }

    /// Takes `own` by itself.
    pub(crate) fn of_own(own: Section) -> Self {
        Parameters {
            place: own.place.clone(),
            own,
            credential: None,
        }
    }

    /// A parameter: the deployment's own, else its credential's.
    pub(crate) fn field(&self, name: &str) -> Option<Field> {
        let shared = self
            .credential
            .as_ref()
            .and_then(|credential| credential.field(name));
        self.own.field(name).or(shared)
    }

    /// The deployment's own parameters.
    pub(crate) fn own(&self) -> &Section {
        &self.own
    }
}

/// The entries of `credential_list`.
pub(crate) struct Credentials {
    named: Vec<(String, Rc<Section>)>,
}

impl Credentials {
    /// Reads `credential_list`.
    pub(crate) fn read(document: &Document, reader: &mut Reader<'_>) -> Self {
        let mut named = Vec::new();
        let mut first_places: BTreeMap<String, String> = BTreeMap::new();
        for element in document.list("credential_list", reader) {
            let Some((name, values)) = entry(&element, reader) else {
                continue;
            };
            if let Some(first) = first_places.get(&name).cloned() {
                let what = format!("credential_name {}", quoted(&name));
                reader.wrong::<()>(&element.place, Problem::Duplicate { what, first });
                continue;
            }
            first_places.insert(name.clone(), element.place.path.clone());
            named.push((name, Rc::new(values)));
        }
        Credentials { named }
    }

    fn find(&self, field: &Field, reader: &mut Reader<'_>) -> Option<Rc<Section>> {
        let name = reader.text(field)?;
        match self.named.iter().find(|(known, _)| *known == name) {
            Some((_, section)) => Some(Rc::clone(section)),
            None => reader.unexpected(
                &field.place,
                "the name of a credential in credential_list",
                quoted(&name),
            ),
        }
    }

    /// What the credentials hold and nobody asked for, once the deployments are read.
    pub(crate) fn sections(&self) -> impl Iterator<Item = &Section> {
        self.named.iter().map(|(_, section)| section.as_ref())
    }
}

fn entry(element: &Field, reader: &mut Reader<'_>) -> Option<(String, Section)> {
    let section = reader.section(element)?;
    let Some(name) = section.field("credential_name") else {
        return reader.wrong(
            &element.place,
            Problem::Missing {
                expected: "a credential_name",
            },
        );
    };
    let name = reader.text(&name)?;
    let values = match section.field("credential_values") {
        Some(values) => reader.section(&values)?,
        None => Section::empty(element.place.field("credential_values")),
    };
    Some((name, values))
}
