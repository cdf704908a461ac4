//! When deployments cool down: `cooldown_time`, `allowed_fails`, `allowed_fails_policy` and
//! `disable_cooldowns`.

use std::collections::BTreeMap;

use envoy_bedrock::contract::routing::{CooldownSettings, FailureClass};

use super::policies::FAILS_MAX;
use super::report::Reader;
use crate::document::field::{Section, YamlField};
use crate::document::reader::Read;

/// The longest cooldown: a day.
const COOLDOWN_MAX_SECONDS: f64 = 86_400.0;

/// What a file says about the cooldowns of one deployment, or of all.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct StatedCooldown {
    milliseconds: Option<u64>,
    allowed_fails: Option<u32>,
    allowed_fails_policy: BTreeMap<FailureClass, u32>,
}

impl StatedCooldown {
    /// The cooldowns of a deployment that overrides those of `all` deployments with these settings;
    /// `None` if it overrides nothing.
    pub(crate) fn instead_of(&self, all: &CooldownSettings) -> Option<CooldownSettings> {
        if *self == Self::default() {
            return None;
        }
        let mut policy = all.allowed_fails_policy.clone();
        policy.extend(&self.allowed_fails_policy);
        Some(CooldownSettings {
            disabled: all.disabled,
            milliseconds: self.milliseconds.unwrap_or(all.milliseconds),
            ignores_retry_after: self.milliseconds.is_some(),
            allowed_fails: self.allowed_fails.or(all.allowed_fails),
            allowed_fails_policy: policy,
        })
    }
}

impl Reader<'_> {
    /// The cooldowns of all deployments.
    pub(crate) fn cooldowns(&mut self, router: &Section, litellm: &Section) -> Read<CooldownSettings> {
        let disabled = router
            .field("disable_cooldowns")
            .map(|field| self.flag(&field))
            .transpose();
        let time = self.first_of([router.field("cooldown_time"), litellm.field("cooldown_time")]);
        let fails = self.first_of([router.field("allowed_fails"), litellm.field("allowed_fails")]);
        let stated = self.stated_cooldown(time, fails, router.field("allowed_fails_policy"));
        let all = CooldownSettings {
            disabled: disabled?.unwrap_or_default(),
            ..CooldownSettings::default()
        };
        let stated = stated?.instead_of(&all).unwrap_or(all);
        Ok(CooldownSettings {
            ignores_retry_after: false,
            ..stated
        })
    }

    /// What these settings say.
    pub(crate) fn stated_cooldown(
        &mut self,
        time: Option<YamlField>,
        fails: Option<YamlField>,
        policy: Option<YamlField>,
    ) -> Read<StatedCooldown> {
        let milliseconds = time.map(|field| self.milliseconds(&field, 0.0, COOLDOWN_MAX_SECONDS));
        let fails = fails.map(|field| self.whole_number(&field, 0, FAILS_MAX));
        let policy = policy.map(|field| self.policy(&field, "AllowedFails", FAILS_MAX));
        let fails = fails.transpose()?;
        Ok(StatedCooldown {
            milliseconds: milliseconds.transpose()?,
            allowed_fails: fails.map(|fails| u32::try_from(fails).unwrap_or(u32::MAX)),
            allowed_fails_policy: policy.transpose()?.unwrap_or_default(),
        })
    }
}
