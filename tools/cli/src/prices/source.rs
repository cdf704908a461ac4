//! Where the price list comes from.

use std::borrow::Cow;
use std::path::Path;

use super::error::{PriceError, PriceListError};
use super::import::import;
use super::price_list::PriceList;

impl PriceList {
    /// The list in the file: LiteLLM's own, or one that `prices --import` wrote. Without a file,
    /// the built-in list.
    ///
    /// # Errors
    /// The file cannot be read, or its first defect.
    pub fn of_file(path: Option<&Path>) -> Result<Cow<'static, Self>, PriceListError> {
        let Some(path) = path else {
            return Ok(Cow::Borrowed(Self::built_in()));
        };
        let list = import_file(path)?;
        Self::parse(&list)
            .map(Cow::Owned)
            .map_err(|error| invalid(path, error))
    }
}

/// The list in the file, in the form of the built-in one.
pub(super) fn import_file(path: &Path) -> Result<String, PriceListError> {
    let text = std::fs::read_to_string(path).map_err(|error| PriceListError::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    import(&text).map_err(|error| invalid(path, error))
}

fn invalid(path: &Path, error: PriceError) -> PriceListError {
    PriceListError::Invalid {
        path: path.to_owned(),
        error,
    }
}
