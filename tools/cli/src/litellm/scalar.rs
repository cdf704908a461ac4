//! Which type a plain YAML scalar has: as PyYAML (YAML 1.1) decides, because that is what LiteLLM users write for.
//!
//! Deliberately not: numbers in base 60 and dates. PyYAML makes them numbers and dates, LiteLLM has a use for
//! neither, and whoever writes `12:30` means the text.

/// A value that is neither list nor mapping.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    /// `null`, `~`, or nothing at all.
    Null,
    /// `true`, `yes`, `on` and their opposites.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// Everything else, and everything in quotes.
    Text(String),
}

/// The type of `text` where it stands without quotes and without a tag.
pub(crate) fn plain(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Scalar::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Scalar::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        _ => number(text).unwrap_or_else(|| Scalar::Text(text.to_owned())),
    }
}

fn number(text: &str) -> Option<Scalar> {
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (if text.starts_with('-') { -1 } else { 1 }, rest),
        None => (1, text),
    };
    if matches!(digits, ".inf" | ".Inf" | ".INF") {
        return Some(Scalar::Float(f64::INFINITY * f64::from(sign)));
    }
    integer(digits)
        .and_then(|value| value.checked_mul(i64::from(sign)))
        .map(Scalar::Integer)
        .or_else(|| float(digits).map(|value| Scalar::Float(value * f64::from(sign))))
}

fn integer(digits: &str) -> Option<i64> {
    let (radix, digits) = if let Some(rest) = digits.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = digits.strip_prefix("0b") {
        (2, rest)
    } else if let Some(rest) = digits.strip_prefix('0').filter(|rest| !rest.is_empty()) {
        (8, rest)
    } else {
        (10, digits)
    };
    let starts_well =
        digits.starts_with(|first: char| first.is_digit(radix)) || (radix == 8 && digits != "_");
    if !starts_well || !digits.chars().all(|c| c == '_' || c.is_digit(radix)) {
        return None;
    }
    i64::from_str_radix(&digits.replace('_', ""), radix).ok()
}

/// A float of YAML 1.1 has a point, and its exponent a sign; digits alone come here when they exceed an `i64`.
fn float(digits: &str) -> Option<f64> {
    let all_digits = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let pointed = mantissa.matches('.').count() == 1
        && mantissa.chars().any(|c| c.is_ascii_digit())
        && mantissa
            .chars()
            .all(|c| c.is_ascii_digit() || c == '_' || c == '.')
        && !mantissa.starts_with('_');
    let exponent_fits = exponent.is_none_or(|exponent| {
        exponent
            .strip_prefix(['+', '-'])
            .is_some_and(|digits| !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()))
    });
    if (all_digits && !digits.starts_with('0')) || (pointed && exponent_fits) {
        return digits.replace('_', "").parse().ok();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_have_the_types_that_pyyaml_gives_them() {
        let text = |text: &str| Scalar::Text(text.to_owned());
        let cases = [
            ("", Scalar::Null),
            ("~", Scalar::Null),
            ("null", Scalar::Null),
            ("yes", Scalar::Bool(true)),
            ("Off", Scalar::Bool(false)),
            ("y", text("y")),
            ("0", Scalar::Integer(0)),
            ("-17", Scalar::Integer(-17)),
            ("+17", Scalar::Integer(17)),
            ("1_000", Scalar::Integer(1000)),
            ("017", Scalar::Integer(15)),
            ("0x1F", Scalar::Integer(31)),
            ("0b101", Scalar::Integer(5)),
            ("018", text("018")),
            ("0.5", Scalar::Float(0.5)),
            (".5", Scalar::Float(0.5)),
            ("5.", Scalar::Float(5.0)),
            ("1.5e+3", Scalar::Float(1500.0)),
            ("-.inf", Scalar::Float(f64::NEG_INFINITY)),
            ("1e3", text("1e3")),
            ("1.5e3", text("1.5e3")),
            ("1.2.3", text("1.2.3")),
            ("12:30", text("12:30")),
            ("2024-10-22", text("2024-10-22")),
            ("-", text("-")),
            (".", text(".")),
            ("99999999999999999999", Scalar::Float(1e20)),
            ("us-west-2", text("us-west-2")),
        ];
        for (source, expected) in cases {
            assert_eq!(plain(source), expected, "{source:?}");
        }
        assert!(matches!(plain(".nan"), Scalar::Float(value) if value.is_nan()));
    }
}
