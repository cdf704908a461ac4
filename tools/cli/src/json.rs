//! JSON that commands print.

use envoy_bedrock::pricing::PicoUsd;
use serde::Serialize;
use serde_json::value::RawValue;

/// An amount as a number with all its decimals.
pub(crate) fn number(amount: PicoUsd) -> Box<RawValue> {
    RawValue::from_string(amount.to_string()).expect("a decimal without an exponent is a JSON number")
}

/// `value` as indented text with a line break at its end.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("text and numbers are JSON") + "\n"
}
