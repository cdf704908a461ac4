//! Settings of deployments in sections where LiteLLM does not read them.

use super::credential_list::CredentialList;
use super::deciding;
use super::entry::ModelListEntry;
use super::guardrail::{GUARDRAIL_CONFIG, is_guardrail};
use super::problem::{Placement, Problem};
use super::report::Reader;
use crate::document::field::{Section, YamlField, quoted};
use crate::document::reader::{Read, Reported};

impl ModelListEntry<'_, '_> {
    /// Refuses settings next to `litellm_params` or in `model_info`. A deciding setting is accepted
    /// where `litellm_params` has it with the same value. Only a deciding setting makes this fail.
    pub(crate) fn refuse_misplaced(&mut self) -> Read<()> {
        let beside = self
            .entry
            .present()
            .map(|(name, field)| (name, field, deciding::decides(name)));
        // Other names in model_info can be remarks.
        let is_deciding = |name: &str| {
            deciding::is_of_aws(name) || matches!(name, "api_key" | "api_base" | "litellm_credential_name")
        };
        let info = self
            .info
            .present()
            .map(|(name, field)| (name, field, is_deciding(name)));
        let mut sound = Ok(());
        for (name, field, is_deciding) in beside.chain(info) {
            let correct = self.parameters.peek(name);
            let is_repeated = correct.is_some_and(|correct| correct.is_same_scalar(field));
            if is_deciding && !is_repeated {
                sound = Err(self.reader.misplaced(name, field, Placement::LitellmParams));
            } else {
                self.reader.refuse_guardrail(name, field);
            }
        }
        sound
    }
}

impl Reader<'_> {
    /// Refuses settings of deployments in a section that applies to all of them.
    pub(crate) fn refuse_misplaced_in(&mut self, section: &Section) {
        for (name, field) in section.present() {
            self.refuse_misplaced(name, field);
        }
    }

    /// Refuses the setting `name` if it belongs to a deployment. A null has no effect, but a null
    /// guardrail is probably one whose members lack indentation.
    pub(crate) fn refuse_misplaced(&mut self, name: &str, field: &YamlField) {
        if deciding::is_of_aws(name) && !field.is_null() {
            self.misplaced(name, field, Placement::EachDeployment);
        } else {
            self.refuse_guardrail(name, field);
        }
    }

    /// Refuses guardrails in `credential_list` that are outside `credential_values` or under
    /// another name. Those that a deployment has read are correct.
    pub(crate) fn refuse_misplaced_guardrails(&mut self, credentials: &CredentialList) {
        let values = credentials.values().flat_map(Section::unused);
        for (name, field) in values.filter(|(name, _)| name != GUARDRAIL_CONFIG) {
            self.refuse_guardrail(&name, &field);
        }
        for (name, field) in credentials.entries().flat_map(Section::unused) {
            self.refuse_guardrail(&name, &field);
        }
    }

    /// Refuses the setting `name` if it looks like a guardrail.
    fn refuse_guardrail(&mut self, name: &str, field: &YamlField) {
        if is_guardrail(name) {
            self.misplaced(name, field, Placement::GuardrailOfEachDeployment);
        }
    }

    /// Refuses deciding settings in `router_settings.default_litellm_params`, which LiteLLM adds to
    /// every deployment and this gateway does not.
    pub(crate) fn refuse_deciding_defaults(&mut self, router: &Section) {
        let defaults = router.peek("default_litellm_params").and_then(YamlField::section);
        for (name, field) in defaults.iter().flat_map(Section::present) {
            if deciding::decides(name) {
                self.misplaced(name, field, Placement::EachDeployment);
            }
        }
    }

    fn misplaced(&mut self, name: &str, field: &YamlField, instead: Placement) -> Reported {
        let setting = quoted(name);
        self.error(&field.location, Problem::Misplaced { setting, instead })
    }
}
