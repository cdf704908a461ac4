//! Looks up rates in the price list. The filter does this for models that match a wildcard.

use std::collections::BTreeMap;

use crate::pricing::catalogue_id::price_ids;
use crate::pricing::rates::Rates;

/// Returns the rates of `model` in `region`, or `None` if they are unknown. `model` is a model id,
/// inference profile id or ARN, not percent-encoded. The keys of `table` are ids, or
/// [`regional_key`]s if the price differs by region.
pub fn lookup_rates<'a>(table: &'a BTreeMap<String, Rates>, region: &str, model: &str) -> Option<&'a Rates> {
    price_ids(model).find_map(|id| table.get(&regional_key(region, id)).or_else(|| table.get(id)))
}

/// The key for a price that is specific to a region.
pub fn regional_key(region: &str, id: &str) -> String {
    format!("{region}/{id}")
}

#[cfg(test)]
mod tests {
    use super::super::{Rate, RateSet};
    use super::*;

    #[test]
    fn a_regional_price_takes_precedence_over_the_general_one() {
        let rates = |pico| Rates {
            base: RateSet {
                input: Some(Rate(pico)),
                ..RateSet::default()
            },
            ..Rates::default()
        };
        let table: BTreeMap<String, Rates> = [("a.b", 1), ("us-gov-west-1/a.b", 2), ("us.a.b", 3)]
            .map(|(key, pico)| (key.to_owned(), rates(pico)))
            .into();
        for (region, model, expected) in [
            ("us-east-1", "a.b", Some(1)),
            ("us-gov-west-1", "a.b", Some(2)),
            ("us-gov-west-1", "us.a.b", Some(3)),
            ("us-gov-west-1", "eu.a.b", Some(2)),
            (
                "us-east-1",
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.a.b",
                Some(3),
            ),
            (
                "us-east-1",
                "arn:aws:bedrock:us-east-1:1:imported-model/a.b",
                None,
            ),
            ("us-east-1", "zz.c", None),
        ] {
            let found = lookup_rates(&table, region, model).and_then(|rates| rates.base.input);
            assert_eq!(found, expected.map(Rate), "{model} in {region}");
        }
    }
}
