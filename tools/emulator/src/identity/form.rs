//! The body of a query-protocol request.

use std::collections::BTreeMap;

use super::error::IdentityError;
use crate::percent;

/// The parameters of a request.
#[derive(Debug, Default)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    /// Parses `application/x-www-form-urlencoded`.
    pub(super) fn parse(body: &[u8]) -> Result<Self, IdentityError> {
        let malformed = || IdentityError::of_code("MalformedInput", Some("The request body is not a form"));
        let text = std::str::from_utf8(body).map_err(|_| malformed())?;
        let mut form = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text: &str| percent::decode(&text.replace('+', " ")).ok_or_else(malformed);
            form.insert(decode(name)?, decode(value)?);
        }
        Ok(Self(form))
    }

    pub(super) fn find(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that must be present. AWS's messages name it in camel case.
    pub(super) fn require(&self, name: &str) -> Result<&str, IdentityError> {
        self.find(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            IdentityError::validation(format!(
                "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null",
                camel_case(name)
            ))
        })
    }
}

fn camel_case(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_decoded() {
        let form = Form::parse(b"Action=AssumeRole&RoleArn=arn%3Aaws&Note=a+b%2B&Empty=").unwrap();
        assert_eq!(form.find("RoleArn"), Some("arn:aws"));
        assert_eq!(form.find("Note"), Some("a b+"));
        assert_eq!(form.find("Other"), None);
        let error = form.require("Empty").unwrap_err();
        assert!(error.message.contains("at 'empty' failed"), "{}", error.message);
    }

    #[test]
    fn a_body_that_is_not_a_form_is_malformed() {
        for body in [b"\xff".as_slice(), b"a=%", b"a=%ff"] {
            assert_eq!(Form::parse(body).unwrap_err().code, "MalformedInput");
        }
    }
}
