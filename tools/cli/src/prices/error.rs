//! What can be wrong with prices.

use std::fmt;
use std::io;
use std::path::PathBuf;

use envoy_bedrock::pricing::UsdError;
use thiserror::Error;

/// Why a price list cannot be used.
#[derive(Debug, Error)]
pub enum PriceListError {
    /// The file cannot be read.
    #[error("cannot read the price list {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is not a price list.
    #[error("{}: {error}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The first defect.
        error: PriceError,
    },
    /// The imported list cannot be written.
    #[error("cannot write {}: {error}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// A defect in a price list or in a configured price.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct PriceError {
    /// The model's key in the file; empty for a configured price or for the file as a whole.
    pub entry: String,
    /// The field; empty if the defect is not in one field.
    pub field: String,
    /// What is wrong.
    pub problem: PriceProblem,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PriceProblem {
    /// The file is not a JSON object of objects: the parser's message.
    Json(String),
    /// The value is not a price: its text, and why.
    Value(String, UsdError),
    /// The price of a token exceeds what can be represented.
    TooLarge(String),
    /// The file has no entry for Bedrock.
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
            Self::Json(error) => write!(out, "not a JSON object of models: {error}"),
            Self::Value(text, UsdError::Negative) => {
                write!(
                    out,
                    "expected a price in USD that is not negative, but found {text}"
                )
            }
            Self::Value(text, _) => write!(out, "expected a price in USD, but found {text}"),
            Self::TooLarge(text) => write!(
                out,
                "expected a price below 18 million USD per token, but found {text}"
            ),
            Self::NoBedrock => out.write_str("no entry has the litellm_provider bedrock or bedrock_converse"),
        }
    }
}
