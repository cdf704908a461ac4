//! `litellm_params` of a deployment, completed by the credential that its `litellm_credential_name`
//! names.

use std::rc::Rc;

use super::credential_list::{CredentialList, ListedCredential};
use super::problem::Problem;
use super::report::Reader;
use crate::document::field::{Section, YamlField, quoted};
use crate::document::location::Location;
use crate::document::problem::FileProblem;
use crate::document::reader::Read;

/// The parameters of a deployment.
pub(crate) struct Parameters {
    /// Where `litellm_params` is.
    pub location: Location,
    own: Section,
    credential: Option<Rc<ListedCredential>>,
    /// The problem that the named credential does not exist.
    unknown_credential: Option<(Location, Problem)>,
}

impl Parameters {
    /// `own` and the credential that it names.
    pub(crate) fn new(own: Section, credentials: &CredentialList, reader: &mut Reader<'_>) -> Read<Self> {
        let mut parameters = Parameters::without_credential(own);
        if let Some(field) = parameters.own.field("litellm_credential_name") {
            let name = reader.text(&field)?;
            parameters.credential = credentials.named(&name);
            if parameters.credential.is_none() {
                let problem = FileProblem::Unexpected {
                    expected: "the name of a credential in credential_list".into(),
                    found: quoted(&name),
                };
                parameters.unknown_credential = Some((field.location, problem.into()));
            }
        }
        Ok(parameters)
    }

    /// `own` alone.
    pub(crate) fn without_credential(own: Section) -> Self {
        Parameters {
            location: own.location.clone(),
            own,
            credential: None,
            unknown_credential: None,
        }
    }

    /// Reports what is wrong with the credential. It does not matter to a deployment that is not
    /// served.
    pub(crate) fn check_credential(&self, reader: &mut Reader<'_>) -> Read<()> {
        let faults = self.credential.iter().flat_map(|credential| credential.faults());
        let mut sound = Ok(());
        for (location, problem) in faults.chain(&self.unknown_credential) {
            sound = Err(reader.error(location, problem.clone()));
        }
        sound
    }

    /// Reads a parameter: the deployment's own, else that of the credential.
    pub(crate) fn field(&self, name: &str) -> Option<YamlField> {
        let shared = self.shared(name);
        self.own.field(name).or(shared)
    }

    /// Reads a parameter of the credential.
    pub(crate) fn shared(&self, name: &str) -> Option<YamlField> {
        self.credential.as_ref()?.values().field(name)
    }

    /// The parameter that [`Self::field`] would return. It does not count as read by this.
    pub(crate) fn peek(&self, name: &str) -> Option<&YamlField> {
        self.sections().find_map(|section| section.peek(name))
    }

    /// The deployment's own parameters, then those of the credential.
    pub(crate) fn sections(&self) -> impl Iterator<Item = &Section> {
        let shared = self.credential.iter().map(|credential| credential.values());
        std::iter::once(&self.own).chain(shared)
    }

    /// The deployment's own parameters.
    pub(crate) fn own(&self) -> &Section {
        &self.own
    }
}
