//! The AWS pairs of virtual keys, as `keys new --aws` stores them.

use envoy_bedrock::contract::keys::AwsPairSettings;
use envoy_bedrock::contract::settings::EnvName;
use envoy_bedrock::sealing::{SEALING_KEY, SealingKey};

use super::report::Reader;
use crate::document::field::{YamlField, quoted};
use crate::document::location::Location;
use crate::document::reader::Read;
use crate::document::variables::Origin;
use crate::environment::SecretPolicy;

impl Reader<'_> {
    /// The pairs of a key, the oldest first.
    pub(super) fn aws_pairs(&mut self, field: Option<YamlField>) -> Read<Vec<AwsPairSettings>> {
        let Some(field) = field else { return Ok(Vec::new()) };
        let Some(elements) = field.elements() else {
            return Err(self.file_error(&field.location, field.not("a list")));
        };
        let pairs: Vec<_> = elements.iter().map(|element| self.aws_pair(element)).collect();
        pairs.into_iter().collect()
    }

    fn aws_pair(&mut self, element: &YamlField) -> Read<AwsPairSettings> {
        let entry = self.section(element)?;
        let (id, sealed) = (entry.field("access_key_id"), entry.field("sealed_secret"));
        let (Some(id), Some(sealed)) = (id, sealed) else {
            return Err(self.missing_field(&entry.location, "access_key_id and sealed_secret"));
        };
        let until = entry.field("valid_until");
        let pair = AwsPairSettings {
            access_key_id: self.text(&id)?,
            sealed_secret: self.text(&sealed)?,
            valid_until: until.map(|field| self.time(&field)).transpose()?,
        };
        if let Some((name, field)) = entry.unused().into_iter().next() {
            let expected = "access_key_id, sealed_secret or valid_until";
            return Err(self.unexpected(&field.location, expected, quoted(&name)));
        }
        self.check_sealed(&sealed.location, &pair)?;
        Ok(pair)
    }

    /// Checks that the key of the environment opens the secret, so that it does not turn out in
    /// Envoy that it does not.
    fn check_sealed(&mut self, location: &Location, pair: &AwsPairSettings) -> Read<()> {
        let digits = match self.variables.origin(SEALING_KEY) {
            Some(Origin::Process { name, value }) if name == SEALING_KEY => value.to_owned(),
            _ if self.policy == SecretPolicy::MayComeLater => {
                self.missing.insert(EnvName(SEALING_KEY.to_owned()));
                return Ok(());
            }
            _ => return Err(self.not_set(location, SEALING_KEY)),
        };
        let Some(key) = SealingKey::parse(&digits) else {
            let expected = format!("64 hexadecimal digits in {SEALING_KEY}");
            return Err(self.unexpected(location, expected, "something else"));
        };
        if key.open(&pair.access_key_id, &pair.sealed_secret).is_some() {
            return Ok(());
        }
        let expected = format!("a secret that was sealed with the key in {SEALING_KEY}");
        let found = "one that was sealed with another key, or changed: set the same key as for `envoy-bedrock keys`, \
                     or replace the pair with `keys rotate`";
        Err(self.unexpected(location, expected, found))
    }
}
