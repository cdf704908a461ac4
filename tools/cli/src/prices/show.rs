//! Price lists and looked-up prices, as text and as JSON.

use std::fmt::Write;

use anstyle::Style;
use comfy_table::{Cell, CellAlignment, Table, presets};
use envoy_bedrock::pricing::Rates;
use serde::Serialize;

use super::lookup::{Found, NoPrice, Source};
use super::per_million::{HEADINGS, RatesJson, condition, row};
use super::price_list::{ListedPrice, PriceList};
use crate::json::pretty;

const HEADING: Style = Style::new().bold();

/// A model and the price that was found for it.
pub(super) struct LookedUp<'a> {
    /// As given by the user.
    pub model: &'a str,
    /// Its region.
    pub region: &'a str,
    /// The price, or why it has none.
    pub found: Result<Found, NoPrice>,
}

/// The whole list, one entry per line, with its variants below it.
pub(super) fn list_text(prices: &PriceList) -> String {
    let mut table = table(&["MODEL", "MODE"]);
    for (key, entry) in prices.entries() {
        match &entry.price {
            ListedPrice::Tokens(rates) => add_rates(&mut table, [key, &entry.mode], rates),
            ListedPrice::OtherUnit(units) => {
                table.add_row([key, &entry.mode, &format!("not by tokens: {}", units.join(", "))]);
            }
        }
    }
    format!("{HEADING}USD per million tokens{HEADING:#}\n{}", lines(&table))
}

/// A paragraph for each model that has a price.
pub(super) fn lookup_text(models: &[LookedUp<'_>]) -> String {
    let mut out = String::new();
    for LookedUp { model, region, found } in models {
        let Ok(found) = found else { continue };
        let gap = if out.is_empty() { "" } else { "\n" };
        let mut table = table(&["USD PER MILLION TOKENS"]);
        add_rates(&mut table, ["standard"], &found.rates);
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "{gap}{HEADING}{model}{HEADING:#} in {region}: entry {}\n{}",
            entry(found).unwrap_or("none"),
            lines(&table)
        );
    }
    out
}

/// A row for the standard rates, and one for each variant with its condition in the first column.
fn add_rates<const N: usize>(table: &mut Table, names: [&str; N], rates: &Rates) {
    let names = names.map(str::to_owned);
    add_row(table, &names, row(&rates.base));
    for variant in &rates.variants {
        let mut names = [const { String::new() }; N];
        names[0] = format!("  {}", condition(variant));
        add_row(table, &names, row(&variant.rates));
    }
}

fn add_row(table: &mut Table, names: &[String], rates: [String; 5]) {
    let right = |rate: String| Cell::new(rate).set_alignment(CellAlignment::Right);
    table.add_row(names.iter().map(Cell::new).chain(rates.into_iter().map(right)));
}

fn table(names: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let right = |heading| Cell::new(heading).set_alignment(CellAlignment::Right);
    table.set_header(names.iter().map(Cell::new).chain(HEADINGS.map(right)));
    table
}

fn lines(table: &Table) -> String {
    table
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

fn entry(found: &Found) -> Option<&str> {
    match &found.source {
        Source::PriceList(key) => Some(key),
        Source::Configuration => None,
    }
}

#[derive(Serialize)]
struct LookupJson<'a> {
    models: Vec<ModelJson<'a>>,
}

#[derive(Serialize)]
struct ModelJson<'a> {
    model: &'a str,
    region: &'a str,
    /// The entry that matched; null if none did.
    entry: Option<&'a str>,
    usd_per_million_tokens: Option<RatesJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// The result of a lookup, as one object.
pub(super) fn lookup_json(models: &[LookedUp<'_>]) -> String {
    let model = |looked_up| -> ModelJson<'_> {
        let LookedUp { model, region, found }: &LookedUp<'_> = looked_up;
        let found = found.as_ref();
        ModelJson {
            model,
            region,
            entry: found.ok().and_then(entry),
            usd_per_million_tokens: found.ok().map(|found| RatesJson::of(&found.rates)),
            error: found.err().map(NoPrice::to_string),
        }
    };
    pretty(&LookupJson {
        models: models.iter().map(model).collect(),
    })
}

#[derive(Serialize)]
struct ListJson<'a> {
    entries: Vec<EntryJson<'a>>,
}

#[derive(Serialize)]
struct EntryJson<'a> {
    entry: &'a str,
    mode: &'a str,
    /// Null if the entry is not priced by tokens.
    usd_per_million_tokens: Option<RatesJson>,
    /// Names of the prices if the entry is not priced by tokens.
    other_units: &'a [String],
}

/// The whole list as one object.
pub(super) fn list_json(prices: &PriceList) -> String {
    let entries = prices.entries().map(|(key, entry)| {
        let (rates, other_units): (_, &[String]) = match &entry.price {
            ListedPrice::Tokens(rates) => (Some(RatesJson::of(rates)), &[]),
            ListedPrice::OtherUnit(units) => (None, units),
        };
        EntryJson {
            entry: key,
            mode: &entry.mode,
            usd_per_million_tokens: rates,
            other_units,
        }
    });
    pretty(&ListJson {
        entries: entries.collect(),
    })
}
