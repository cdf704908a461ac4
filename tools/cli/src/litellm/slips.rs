//! Misspelled deciding settings.

use super::deciding::{self, Meant};
use super::entry::ModelListEntry;
use super::problem::Problem;
use super::report::Reader;
use crate::document::field::{YamlField, quoted};
use crate::document::reader::Read;
use crate::region;

/// The environment variables for some deciding settings.
const VARIABLES: [(&str, &str); 5] = [
    ("aws_region_name", "AWS_REGION_NAME"),
    ("aws_access_key_id", "AWS_ACCESS_KEY_ID"),
    ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"),
    ("aws_session_token", "AWS_SESSION_TOKEN"),
    ("aws_bedrock_runtime_endpoint", "AWS_BEDROCK_RUNTIME_ENDPOINT"),
];

impl ModelListEntry<'_, '_> {
    /// Refuses misspelled settings of the deployment and of its credential. A misspelled setting is
    /// accepted where the correct one is present with the same value.
    pub(crate) fn refuse_slips(&mut self) -> Read<()> {
        let mut sound = Ok(());
        for (name, field) in self.parameters.sections().flat_map(|section| section.present()) {
            let problem = match deciding::meant(name) {
                None => continue,
                Some(Meant::UnknownAws) => Problem::UnknownSetting {
                    setting: quoted(name),
                },
                Some(Meant::Setting(meant)) => {
                    let correct = self.parameters.peek(meant);
                    if correct.is_some_and(|correct| correct.is_same_scalar(field)) {
                        continue;
                    }
                    Problem::Slip {
                        found: quoted(name),
                        meant,
                    }
                }
            };
            sound = Err(self.reader.error(&field.location, problem));
        }
        sound
    }

    /// Refuses a `region_name` other than `region`. LiteLLM's chat routes read the region from it,
    /// its pass-through route does not. It can also name a geography.
    pub(crate) fn check_region_name(&mut self, region: &str) -> Read<()> {
        let Some(field) = self.parameters.peek("region_name") else {
            return Ok(());
        };
        match field.text() {
            Some(text) if region::is_region(text) && text != region => {
                let problem = Problem::Slip {
                    found: quoted("region_name"),
                    meant: "aws_region_name",
                };
                Err(self.reader.error(&field.location, problem))
            }
            _ => Ok(()),
        }
    }
}

impl Reader<'_> {
    /// Refuses a deciding setting among `environment_variables`, whose names are in capitals.
    pub(crate) fn refuse_lowercase_variable(&mut self, name: &str, field: &YamlField) {
        let variable = VARIABLES.into_iter().find(|(setting, _)| *setting == name);
        if let Some((_, meant)) = variable.filter(|_| !field.is_null()) {
            let found = quoted(name);
            self.error(&field.location, Problem::Slip { found, meant });
        }
    }
}
