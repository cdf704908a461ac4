//! `litellm_params` of a deployment on top of the credential that its `litellm_credential_name` names.

use std::rc::Rc;

use super::credential_list::{Credential, Credentials};
use super::error::Problem;
use super::reader::Reader;
use crate::document::field::{Section, YamlField, quoted};
use crate::document::location::Location;

/// What a deployment is configured with.
pub(crate) struct Parameters {
    /// Where `litellm_params` stands.
    pub location: Location,
    own: Section,
    credential: Option<Rc<Credential>>,
    /// That there is no such credential.
    fault: Option<(Location, Problem)>,
}

impl Parameters {
    /// Takes `own` together with the credential that it names.
    pub(crate) fn new(own: Section, credentials: &Credentials, reader: &mut Reader<'_>) -> Option<Self> {
        let (mut credential, mut fault) = (None, None);
        if let Some(field) = own.field("litellm_credential_name") {
            let name = reader.text(&field)?;
            credential = credentials.named(&name);
            if credential.is_none() {
                let problem = Problem::Unexpected {
                    expected: "the name of a credential in credential_list".into(),
                    found: quoted(&name),
                };
                fault = Some((field.location, problem));
            }
        }
        Some(Parameters {
            location: own.location.clone(),
            own,
            credential,
            fault,
        })
    }

    /// Takes `own` by itself.
    pub(crate) fn of_own(own: Section) -> Self {
        Parameters {
            location: own.location.clone(),
            own,
            credential: None,
            fault: None,
        }
    }

    /// Reports what is wrong with the credential, which matters only where the deployment is to be served.
    pub(crate) fn check_credential(&self, reader: &mut Reader<'_>) -> Option<()> {
        let faults = self.credential.iter().flat_map(|credential| credential.faults());
        let mut sound = Some(());
        for (location, problem) in faults.chain(&self.fault) {
            sound = reader.wrong(location, problem.clone());
        }
        sound
    }

    /// A parameter: the deployment's own, else its credential's.
    pub(crate) fn field(&self, name: &str) -> Option<YamlField> {
        let shared = self.shared(name);
        self.own.field(name).or(shared)
    }

    /// A parameter of the credential.
    pub(crate) fn shared(&self, name: &str) -> Option<YamlField> {
        self.credential.as_ref()?.values().field(name)
    }

    /// A parameter, as [`Self::field`] gives it, that is not used because of this.
    pub(crate) fn peek(&self, name: &str) -> Option<&YamlField> {
        self.sections()
            .find_map(|section| section.present().find(|(known, _)| *known == name))
            .map(|(_, field)| field)
    }

    /// The deployment's own parameters, then its credential's.
    pub(crate) fn sections(&self) -> impl Iterator<Item = &Section> {
        let shared = self.credential.iter().map(|credential| credential.values());
        std::iter::once(&self.own).chain(shared)
    }

    /// The deployment's own parameters.
    pub(crate) fn own(&self) -> &Section {
        &self.own
    }
}
