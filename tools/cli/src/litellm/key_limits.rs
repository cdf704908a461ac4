//! The limits of virtual keys and teams, under LiteLLM's names.

use std::collections::{BTreeMap, BTreeSet};

use envoy_bedrock::contract::keys::{
    BudgetSettings, KeySettings, LimitSettings, OpeningSettings, TeamSettings,
};
use envoy_bedrock::contract::settings::ModelSettings;
use envoy_bedrock::limits::period::{Period, window_of};
use envoy_bedrock::pricing::PicoUsd;
use envoy_bedrock::time::UnixTime;

use super::report::Reader;
use crate::document::field::{Section, YamlField, quoted};
use crate::document::reader::Read;
use crate::document::scalar::Scalar;
use crate::document::yaml::YamlValue;

/// Every field that this reads, for messages.
pub(super) const LIMIT_FIELDS: &str = "max_budget, soft_budget, budget_duration, budget_reset_at, spend, spend_at, \
                                       rpm_limit, tpm_limit, model_rpm_limit, model_tpm_limit, max_parallel_requests";

/// Names that a note shows.
const SHOWN_MAX: usize = 5;

/// The first of these names, and how many more there are.
pub(super) fn some_of(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(SHOWN_MAX).map(String::as_str).collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(SHOWN_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

impl Reader<'_> {
    /// The limits in an element of `keys` or `teams`.
    pub(super) fn limits(&mut self, entry: &Section) -> Read<LimitSettings> {
        let rpm_limit = self.limit(entry.field("rpm_limit"));
        let tpm_limit = self.limit(entry.field("tpm_limit"));
        let model_rpm_limit = self.limits_of_models(entry.field("model_rpm_limit"));
        let model_tpm_limit = self.limits_of_models(entry.field("model_tpm_limit"));
        let max_parallel_requests = self.limit(entry.field("max_parallel_requests"));
        let budget = self.budget(entry);
        Ok(LimitSettings {
            rpm_limit: rpm_limit?,
            tpm_limit: tpm_limit?,
            model_rpm_limit: model_rpm_limit?,
            model_tpm_limit: model_tpm_limit?,
            max_parallel_requests: max_parallel_requests?,
            budget: budget?,
        })
    }

    /// Notes limits of models that do not exist, which limit nothing.
    pub(super) fn note_limits_of_unknown_models(
        &mut self,
        keys: &[KeySettings],
        teams: &[TeamSettings],
        models: &[ModelSettings],
        own: &Section,
    ) {
        let known: BTreeSet<&str> = models.iter().map(|model| model.name.as_str()).collect();
        let of_keys = keys.iter().map(|key| &key.limits);
        let limits = of_keys.chain(teams.iter().map(|team| &team.limits));
        let named =
            limits.flat_map(|limits| limits.model_rpm_limit.keys().chain(limits.model_tpm_limit.keys()));
        let named: BTreeSet<&str> = named.map(String::as_str).collect();
        let unknown: Vec<_> = named.difference(&known).map(|name| quoted(name)).collect();
        if !unknown.is_empty() {
            let some = some_of(&unknown);
            let text = format!(
                "model_rpm_limit and model_tpm_limit limit nothing for names that are not a model_name: {some}"
            );
            self.note(&own.location, text);
        }
    }

    fn budget(&mut self, entry: &Section) -> Read<Option<Box<BudgetSettings>>> {
        let max_budget = self.amount(entry.field("max_budget"));
        let soft_budget = self.amount(entry.field("soft_budget"));
        let period = entry.field("budget_duration").map(|field| self.period(&field));
        let reset_at = entry.field("budget_reset_at").map(|field| self.time(&field));
        let spend = self.amount(entry.field("spend"));
        let spend_at = entry.field("spend_at").map(|field| self.time(&field));
        let (period, reset_at) = (period.transpose()?, reset_at.transpose()?);
        let (spend, spend_at) = (spend?, spend_at.transpose()?);
        let opening = match (spend, spend_at) {
            (None, None) => None,
            (Some(spend), Some(as_of)) => {
                let window = window_of(period, reset_at, UnixTime::from_seconds(as_of));
                Some(OpeningSettings {
                    window_start: window.start,
                    as_of,
                    spend,
                })
            }
            (Some(_), None) => return Err(self.missing_field(&entry.location, "spend_at, the time of spend")),
            (None, Some(_)) => {
                return Err(self.missing_field(&entry.location, "spend, the amount at spend_at"));
            }
        };
        let budget = BudgetSettings {
            max_budget: max_budget?,
            soft_budget: soft_budget?,
            budget_duration: period,
            budget_reset_at: reset_at,
            opening,
        };
        Ok((budget != BudgetSettings::default()).then(|| Box::new(budget)))
    }

    fn limit(&mut self, field: Option<YamlField>) -> Read<Option<u64>> {
        let Some(field) = field else { return Ok(None) };
        let limit = self.integer(&field)?;
        let whole = u64::try_from(limit).map_err(|_| {
            let expected = "a whole number that is not negative";
            self.unexpected(&field.location, expected, limit.to_string())
        });
        whole.map(Some)
    }

    fn limits_of_models(&mut self, field: Option<YamlField>) -> Read<BTreeMap<String, u64>> {
        let Some(field) = field else {
            return Ok(BTreeMap::new());
        };
        let fields = self.section(&field)?.fields().into_iter();
        let limits: Vec<_> = fields
            .map(|(model, limit)| Ok((model, self.limit(Some(limit))?)))
            .collect();
        let limits: Vec<_> = limits.into_iter().collect::<Read<_>>()?;
        Ok(limits
            .into_iter()
            .filter_map(|(model, limit)| Some((model, limit?)))
            .collect())
    }

    fn amount(&mut self, field: Option<YamlField>) -> Read<Option<PicoUsd>> {
        let Some(field) = field else { return Ok(None) };
        let text = match &field.node.value {
            YamlValue::Scalar(Scalar::Integer(value)) => value.to_string(),
            YamlValue::Scalar(Scalar::Float(value)) => value.to_string(),
            _ => self.text(&field)?,
        };
        match PicoUsd::parse(&text) {
            Ok(parsed) => Ok(Some(parsed.amount)),
            Err(_) => {
                let expected = "an amount in USD that is not negative, such as 50 or 0.25";
                Err(self.unexpected(&field.location, expected, quoted(&text)))
            }
        }
    }

    fn period(&mut self, field: &YamlField) -> Read<Period> {
        let text = self.text(field)?;
        Period::parse(&text).map_err(|_| {
            let expected = "a whole number with a unit: s, m, h, d, w or mo, such as 30d";
            self.unexpected(&field.location, expected, quoted(&text))
        })
    }
}
