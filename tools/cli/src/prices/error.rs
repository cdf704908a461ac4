//! What can be wrong with a price.

use std::fmt;

use envoy_bedrock::pricing::UsdError;

/// A defect in a price file or in a configured price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceError {
    /// The model's key in the file; empty for a configured price or for the file as a whole.
    pub entry: String,
    /// The field; empty where the defect is not one field's.
    pub field: String,
    /// What is wrong.
    pub problem: PriceProblem,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PriceProblem {
    /// The file is not a JSON object of objects: the reader's words for it.
    Json(String),
    /// The value is no price: its text, and why.
    Value(String, UsdError),
    /// The price of a token is above all that can be counted.
    TooLarge(String),
    /// A price file without any entry for Bedrock.
    NoBedrock,
}

impl fmt::Display for PriceError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in [&self.entry, &self.field] {
            if !place.is_empty() {
                write!(out, "{place}: ")?;
            }
        }
        write!(out, "{}", self.problem)
    }
}

impl fmt::Display for PriceProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(found) => write!(out, "expected a JSON object of models, but found {found}"),
            Self::Value(text, UsdError::Negative) => {
                write!(
                    out,
                    "expected a price in USD that is not negative, but found {text}"
                )
            }
            Self::Value(text, _) => write!(out, "expected a price in USD, but found {text}"),
            Self::TooLarge(text) => {
                write!(
                    out,
                    "expected a price below 18 million USD per token, but found {text}"
                )
            }
            Self::NoBedrock => out.write_str(
                "expected entries whose litellm_provider is bedrock or bedrock_converse, but found none",
            ),
        }
    }
}

impl std::error::Error for PriceError {}
