//! The price of a model that only the request names, in the table that the plugin configuration has for wildcards.

use std::collections::BTreeMap;

use crate::pricing::catalogue_id::price_ids;
use crate::pricing::rates::Rates;

/// The rates of `model` (an id, a profile's id or an ARN, not percent-encoded) in `region`; `None`: its cost is unknown.
/// Keys of the table are ids, and those of [`regional_key`] where a region has a price of its own.
pub fn lookup_rates<'a>(table: &'a BTreeMap<String, Rates>, region: &str, model: &str) -> Option<&'a Rates> {
    price_ids(model).find_map(|id| table.get(&regional_key(region, id)).or_else(|| table.get(id)))
}

/// The key of an id's price that holds in one region only.
pub fn regional_key(region: &str, id: &str) -> String {
    format!("{region}/{id}")
}

#[cfg(test)]
mod tests {
    use super::super::{Rate, RateSet};
    use super::*;

    #[test]
    fn a_regions_own_price_goes_before_the_general_one_of_the_same_id() {
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
