//! LiteLLM's policies: a number for each class of failures.

use std::collections::BTreeMap;

use envoy_bedrock::contract::routing::FailureClass;

use super::report::Reader;
use super::similar::nearest;
use crate::document::field::{YamlField, quoted};
use crate::document::reader::Read;

/// The most failures that a policy can allow.
pub(crate) const FAILS_MAX: u64 = 1_000_000;

/// LiteLLM's name for the failures of a class.
const fn exception(class: FailureClass) -> &'static str {
    match class {
        FailureClass::BadRequest => "BadRequestError",
        FailureClass::Authentication => "AuthenticationError",
        FailureClass::Timeout => "TimeoutError",
        FailureClass::RateLimit => "RateLimitError",
        FailureClass::ContentPolicy => "ContentPolicyViolationError",
        FailureClass::InternalServer => "InternalServerError",
    }
}

/// Settings of a policy, without its suffix, that are not named like a class: what they are for.
const OTHERS: [(&str, &[FailureClass]); 4] = [
    (
        DEFAULT,
        &[
            FailureClass::Authentication,
            FailureClass::Timeout,
            FailureClass::RateLimit,
            FailureClass::InternalServer,
        ],
    ),
    ("ServiceUnavailableError", &[FailureClass::InternalServer]),
    ("BadGatewayError", &[FailureClass::InternalServer]),
    ("NotFoundError", &[]),
];
/// Only retry policies have it.
const DEFAULT: &str = "Default";

/// Those of a policy whose settings end with `suffix`.
fn others_of(suffix: &str) -> impl Iterator<Item = &'static (&'static str, &'static [FailureClass])> {
    let has_default = suffix == "Retries";
    OTHERS
        .iter()
        .filter(move |(name, _)| has_default || *name != DEFAULT)
}

impl Reader<'_> {
    /// The numbers in a policy whose settings end with `suffix`, such as `RateLimitErrorRetries`.
    pub(crate) fn policy(
        &mut self,
        field: &YamlField,
        suffix: &str,
        most: u64,
    ) -> Read<BTreeMap<FailureClass, u32>> {
        let section = self.section(field)?;
        let mut policy = BTreeMap::new();
        let mut others: Vec<(&[FailureClass], u32)> = Vec::new();
        let mut sound = Ok(());
        for (name, field) in section.fields() {
            let class = FailureClass::ALL
                .into_iter()
                .find(|class| format!("{}{suffix}", exception(*class)) == name);
            if field.is_null() {
                continue;
            }
            let other = others_of(suffix).find(|(other, _)| format!("{other}{suffix}") == name);
            if let Some((_, classes)) = other {
                let number = self.whole_number(&field, 0, most)?;
                others.push((*classes, u32::try_from(number).unwrap_or(u32::MAX)));
                if classes.is_empty() {
                    self.note(
                        &field.location,
                        "never used: a model that does not exist is asked once, and then cools down",
                    );
                }
                continue;
            }
            match class {
                Some(class) => match self.whole_number(&field, 0, most) {
                    Ok(number) => drop(policy.insert(class, u32::try_from(number).unwrap_or(u32::MAX))),
                    Err(reported) => sound = Err(reported),
                },
                None => {
                    let classes = FailureClass::ALL.into_iter().map(exception);
                    let others = others_of(suffix).map(|(other, _)| *other);
                    let names: Vec<String> = classes
                        .chain(others)
                        .map(|name| name.to_owned() + suffix)
                        .collect();
                    let hint = nearest(&name, names.iter().map(String::as_str));
                    let hint = hint
                        .map(|name| format!(" (did you mean {name}?)"))
                        .unwrap_or_default();
                    let expected = format!("one of these settings: {}", names.join(", "));
                    sound = Err(self.unexpected(&field.location, expected, quoted(&name) + &hint));
                }
            }
        }
        // The more classes one is for, the less it counts.
        others.sort_by_key(|(classes, _)| classes.len());
        for (classes, number) in others {
            for class in classes {
                policy.entry(*class).or_insert(number);
            }
        }
        sound.map(|()| policy)
    }
}
