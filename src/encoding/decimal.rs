//! Decimal numbers, written without `std::fmt`, which is too slow for every request.

/// Appends `number` in decimal.
pub(crate) fn push_decimal(text: &mut String, number: u64) {
    match u8::try_from(number) {
        Ok(digit @ 0..=9) => text.push(char::from(digit.saturating_add(b'0'))),
        _ => push_padded(text, number, 1),
    }
}

/// Appends `number` in decimal, padded with zeros to at least `width` digits, up to 20.
pub(crate) fn push_padded(text: &mut String, number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut left = number;
    let mut used = 0usize;
    for digit in digits.iter_mut().rev() {
        if left == 0 && used >= width {
            break;
        }
        *digit = u8::try_from(left % 10).map_or(b'0', |value| b'0'.saturating_add(value));
        left /= 10;
        used = used.saturating_add(1);
    }
    let from = digits.len().saturating_sub(used);
    text.push_str(
        digits
            .get(from..)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .unwrap_or_default(),
    );
}

/// Appends `number` thousandths in decimal, always with three decimals.
pub(crate) fn push_thousandths(text: &mut String, number: u64) {
    push_decimal(text, number / 1000);
    text.push('.');
    push_padded(text, number % 1000, 3);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_match_the_standard_library() {
        for number in [0, 1, 9, 10, 12_345, u64::MAX - 1, u64::MAX] {
            let (mut decimal, mut padded, mut thousandths) = (String::new(), String::new(), String::new());
            push_decimal(&mut decimal, number);
            push_padded(&mut padded, number, 12);
            push_thousandths(&mut thousandths, number);
            assert_eq!(decimal, number.to_string());
            assert_eq!(padded, format!("{number:012}"));
            assert_eq!(thousandths, format!("{}.{:03}", number / 1000, number % 1000));
        }
    }
}
