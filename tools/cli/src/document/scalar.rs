//! The type of a plain YAML scalar, as PyYAML (YAML 1.1) decides it, because LiteLLM's users write
//! for PyYAML.
//!
//! Base-60 numbers and dates are deliberately text. LiteLLM has a use for neither, and a person who
//! writes `12:30` means text.

/// A value that is neither a list nor a mapping.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    /// `null`, `~`, or no text.
    Null,
    /// `true`, `yes`, `on` and their opposites.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// Any other value, and any value in quotes.
    Text(String),
}

/// The value of `text` without quotes and without a tag.
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
        // A number that starts with its point cannot have a sign, except infinity.
        Some(rest) if rest.starts_with('.') && !is_infinity(rest) => return None,
        Some(rest) => (if text.starts_with('-') { -1 } else { 1 }, rest),
        None => (1, text),
    };
    if is_infinity(digits) {
        return Some(Scalar::Float(f64::INFINITY * f64::from(sign)));
    }
    integer(digits)
        .and_then(|value| value.checked_mul(i64::from(sign)))
        .map(Scalar::Integer)
        .or_else(|| float(digits).map(|value| Scalar::Float(value * f64::from(sign))))
}

fn is_infinity(digits: &str) -> bool {
    matches!(digits, ".inf" | ".Inf" | ".INF")
}

/// Underscores are allowed anywhere except at the start of a decimal number.
fn integer(digits: &str) -> Option<i64> {
    let (radix, digits) = if let Some(rest) = digits.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = digits.strip_prefix("0b") {
        (2, rest)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (8, digits)
    } else {
        (10, digits)
    };
    let is_digit = |c: char| c.is_digit(radix);
    if (radix == 10 && digits.starts_with('_')) || !digits.chars().all(|c| c == '_' || is_digit(c)) {
        return None;
    }
    i64::from_str_radix(&digits.replace('_', ""), radix).ok()
}

/// A YAML 1.1 float has a point, and its exponent a sign. Digits alone are an integer that exceeds
/// an `i64`.
fn float(digits: &str) -> Option<f64> {
    let is_digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    if is_digits(digits) && !digits.starts_with('0') {
        return digits.parse().ok();
    }
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let (whole, fraction) = mantissa.split_once('.')?;
    let with_underscores = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == '_');
    let starts_with_digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    let starts_well = starts_with_digit(whole) || (whole.is_empty() && starts_with_digit(fraction));
    let exponent_fits =
        exponent.is_none_or(|exponent| exponent.strip_prefix(['+', '-']).is_some_and(is_digits));
    if !starts_well || !with_underscores(whole) || !with_underscores(fraction) || !exponent_fits {
        return None;
    }
    digits.replace('_', "").parse().ok()
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
            ("1__0", Scalar::Integer(10)),
            ("0_", Scalar::Integer(0)),
            ("_1", text("_1")),
            ("0o17", text("0o17")),
            ("0x", text("0x")),
            ("0x_", text("0x_")),
            ("0x_0A_74", Scalar::Integer(0x0A74)),
            ("0b_1", Scalar::Integer(1)),
            ("00", Scalar::Integer(0)),
            ("+.5", text("+.5")),
            ("._5", text("._5")),
            (".e+1", text(".e+1")),
            ("1_0.5_0", Scalar::Float(10.5)),
            ("1.e+1", Scalar::Float(10.0)),
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
