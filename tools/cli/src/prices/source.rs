//! Where the price list comes from.

use std::borrow::Cow;
use std::path::Path;

use super::{Catalogue, import};

impl Catalogue {
    /// The list in the file, LiteLLM's own or one that `prices --import` wrote; without a file, the built-in one.
    ///
    /// # Errors
    /// The file and what is wrong with it, in one line.
    pub fn of_file(path: Option<&Path>) -> Result<Cow<'static, Self>, String> {
        let Some(path) = path else {
            return Ok(Cow::Borrowed(Self::built_in()));
        };
        let wrong = |error| format!("{}: {error}", path.display());
        let list = import_file(path)?;
        Self::parse(&list)
            .map(Cow::Owned)
            .map_err(|error| wrong(error.to_string()))
    }
}

/// The list in the file, in the form of the built-in one.
pub(super) fn import_file(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("expected a price file at {}, but found: {error}", path.display()))?;
    import(&text).map_err(|error| format!("{}: {error}", path.display()))
}
