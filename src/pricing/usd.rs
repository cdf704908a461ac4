//! Amounts of money.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::encoding::decimal::{push_decimal, push_padded};

/// Number of decimals of a pico-USD.
const DECIMALS: u32 = 12;
const PICO_PER_USD: u128 = 1_000_000_000_000;
const PICO_PER_USD_NARROW: u64 = 1_000_000_000_000;
/// Room for a typical amount in decimal.
const AMOUNT_BYTES: usize = 16;
/// Larger exponents are clamped to this: they are far outside the range of any amount.
const MAX_EXPONENT: i32 = 10_000;

/// A non-negative amount in pico-USD, up to 3.4 · 10²⁶ USD. Serialized as a decimal number of USD in
/// a string, because JSON readers round numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PicoUsd(u128);

/// An amount parsed from text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The amount.
    pub amount: PicoUsd,
    /// False if the amount was rounded because it had more than twelve decimals.
    pub exact: bool,
}

/// Why text is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsdError {
    /// The text is not a decimal number.
    NotANumber,
    /// The amount is below zero.
    Negative,
    /// The amount is too large.
    TooLarge,
}

impl fmt::Display for UsdError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NotANumber => "expected a decimal number of USD, but found something else",
            Self::Negative => "expected an amount of USD that is not negative, but found one below zero",
            Self::TooLarge => "expected an amount of USD, but found one that is too large",
        })
    }
}

impl std::error::Error for UsdError {}

impl TryFrom<String> for PicoUsd {
    type Error = UsdError;

    fn try_from(text: String) -> Result<Self, UsdError> {
        Self::parse(&text).map(|parsed| parsed.amount)
    }
}

impl From<PicoUsd> for String {
    fn from(amount: PicoUsd) -> Self {
        amount.to_string()
    }
}

impl PicoUsd {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// Creates an amount from pico-USD.
    pub const fn new(pico: u128) -> Self {
        Self(pico)
    }

    /// The amount in pico-USD.
    pub const fn pico(self) -> u128 {
        self.0
    }

    /// The sum, or `None` on overflow.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Rounds to the given number of decimals of a USD, up to twelve, with ties to even.
    pub fn rounded(self, decimals: u32) -> Self {
        let unit = 10u128.saturating_pow(DECIMALS.saturating_sub(decimals));
        Self(divide_rounding(self.0, unit).saturating_mul(unit))
    }

    /// Parses a JSON or YAML number such as `3e-06`, `0.000003` or `1.3125e-07`, without floats.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Parsed, UsdError> {
        let text = text.trim();
        if let Some(amount) = text.strip_prefix('-') {
            let parsed = Self::parse_unsigned(amount)?;
            return if parsed.amount.0 == 0 && parsed.exact {
                Ok(parsed)
            } else {
                Err(UsdError::Negative)
            };
        }
        Self::parse_unsigned(text.strip_prefix('+').unwrap_or(text))
    }

    fn parse_unsigned(text: &str) -> Result<Parsed, UsdError> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, parse_exponent(exponent)?),
            None => (text, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = || whole.bytes().chain(fraction.bytes());
        if digits().count() == 0 || !digits().all(|digit| digit.is_ascii_digit()) {
            return Err(UsdError::NotANumber);
        }
        let (mut mantissa, mut read, mut exact) = (0u128, 0usize, true);
        for digit in digits() {
            let value = u128::from(digit.wrapping_sub(b'0'));
            match mantissa.checked_mul(10).and_then(|tens| tens.checked_add(value)) {
                Some(next) => mantissa = next,
                // Decimals after 38 digits have no effect on the result.
                None if read >= whole.len() => {
                    exact = false;
                    break;
                }
                None => return Err(UsdError::TooLarge),
            }
            read = read.saturating_add(1);
        }
        if mantissa == 0 {
            return Ok(Parsed {
                amount: Self::ZERO,
                exact,
            });
        }
        let fraction = i32::try_from(read.saturating_sub(whole.len())).map_err(|_| UsdError::TooLarge)?;
        let decimals = i32::try_from(DECIMALS).map_err(|_| UsdError::TooLarge)?;
        let shift = exponent.saturating_sub(fraction).saturating_add(decimals);
        let power = 10u128.checked_pow(shift.unsigned_abs());
        if shift >= 0 {
            let amount = power
                .and_then(|power| mantissa.checked_mul(power))
                .ok_or(UsdError::TooLarge)?;
            return Ok(Parsed {
                amount: Self(amount),
                exact,
            });
        }
        // Less than any representable amount.
        let Some(power) = power else {
            return Ok(Parsed {
                amount: Self::ZERO,
                exact: false,
            });
        };
        let exact = exact && mantissa.checked_rem(power) == Some(0);
        Ok(Parsed {
            amount: Self(divide_rounding(mantissa, power)),
            exact,
        })
    }
}

fn parse_exponent(text: &str) -> Result<i32, UsdError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(UsdError::NotANumber);
    }
    let size: i32 = digits.parse().unwrap_or(i32::MAX);
    let size = size.min(MAX_EXPONENT);
    Ok(if text.starts_with('-') {
        size.saturating_neg()
    } else {
        size
    })
}

/// The only rounding: to nearest, ties to even, so that rounding errors do not accumulate.
fn divide_rounding(amount: u128, unit: u128) -> u128 {
    let (Some(whole), Some(rest)) = (amount.checked_div(unit), amount.checked_rem(unit)) else {
        return amount;
    };
    let up = match rest.cmp(&unit.saturating_sub(rest)) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => whole & 1,
        std::cmp::Ordering::Greater => 1,
    };
    whole.saturating_add(up)
}

impl PicoUsd {
    /// Appends the exact amount, in the format of [`Display`](fmt::Display).
    pub(crate) fn push_to(self, text: &mut String) {
        let narrow = u64::try_from(self.0).unwrap_or(u64::MAX);
        if u128::from(narrow) != self.0 {
            // More than eighteen million USD.
            text.push_str(&self.to_string());
            return;
        }
        text.reserve(AMOUNT_BYTES);
        push_decimal(text, narrow / PICO_PER_USD_NARROW);
        let (mut fraction, mut decimals) = (narrow % PICO_PER_USD_NARROW, 12usize);
        if fraction > 0 {
            while fraction.is_multiple_of(10) {
                fraction /= 10;
                decimals = decimals.saturating_sub(1);
            }
            text.push('.');
            push_padded(text, fraction, decimals);
        }
    }
}

/// USD as a decimal without an exponent: `0.00231`, `0`, `12.5`. Exact, or rounded to a precision
/// such as `{:.6}`.
impl fmt::Display for PicoUsd {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = out
            .precision()
            .and_then(|precision| u32::try_from(precision).ok());
        let amount = shown.map_or(*self, |decimals| self.rounded(decimals)).0;
        let (whole, fraction) = (amount.checked_div(PICO_PER_USD), amount.checked_rem(PICO_PER_USD));
        let fraction = format!("{:012}", fraction.unwrap_or_default());
        let fraction = match out.precision() {
            Some(precision) => format!("{fraction:0<precision$}")
                .get(..precision)
                .map(str::to_owned),
            None => Some(fraction.trim_end_matches('0').to_owned()),
        }
        .unwrap_or_default();
        let whole = whole.unwrap_or_default();
        if fraction.is_empty() {
            write!(out, "{whole}")
        } else {
            write!(out, "{whole}.{fraction}")
        }
    }
}
