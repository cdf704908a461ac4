//! What an operator can do about a file that is refused.

use std::path::Path;

use super::error::{ConfigError, error_lines};
use super::tolerance::{Tolerance, unprotected};
use super::{Environment, Secrets, read_tolerant};
use crate::blueprint::Blueprint;
use crate::prices::Catalogue;

/// [`read_tolerant`] for the commands that print errors as lines.
///
/// # Errors
///
/// The errors; what can be done about them is in the last one, on lines of its own.
pub fn read_or_explain(
    path: &Path,
    environment: &Environment,
    secrets: Secrets,
    prices: &Catalogue,
    tolerance: &Tolerance,
) -> Result<Blueprint, Vec<String>> {
    read_tolerant(path, environment, secrets, prices, tolerance).map_err(|errors| {
        let mut lines = error_lines(&errors);
        if let Some(last) = lines.last_mut() {
            for remedy in remedies(path, environment, secrets, prices, tolerance, &errors) {
                last.push('\n');
                last.push_str(&remedy);
            }
        }
        lines
    })
}

/// The flags that would make the file usable, after `errors` were found in it. Only what really helps.
pub fn remedies(
    path: &Path,
    environment: &Environment,
    secrets: Secrets,
    prices: &Catalogue,
    tolerance: &Tolerance,
    errors: &[ConfigError],
) -> Vec<String> {
    let problems = |errors: &[ConfigError]| unprotected(errors.iter().map(|error| &error.problem));
    let read = |tolerance: &Tolerance| read_tolerant(path, environment, secrets, prices, tolerance);
    let mut remedies = Vec::new();
    let names = problems(errors);
    if !names.is_empty() {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let flag = format!("--accept-unprotected {}", names.join(","));
        remedies.push(format!("to start without the settings that protect: {flag}"));
    }
    if tolerance.leave_out_unsupported {
        return remedies;
    }
    let mut without = Tolerance {
        leave_out_unsupported: true,
        ..tolerance.clone()
    };
    let remaining = match read(&without) {
        Ok(_) => Vec::new(),
        Err(errors) if errors.iter().all(ConfigError::is_unprotected) => {
            problems(&errors).into_iter().collect::<Vec<_>>()
        }
        Err(_) => return remedies,
    };
    if errors.iter().all(ConfigError::is_unprotected) && names.iter().eq(&remaining) {
        // No deployment is the reason, so leaving out would not help.
        return remedies;
    }
    let mut flags = "--leave-out-unsupported".to_owned();
    if !remaining.is_empty() {
        flags.push_str(&format!(" --accept-unprotected {}", remaining.join(",")));
        without.accept_unprotected.extend(remaining);
        if read(&without).is_err() {
            return remedies;
        }
    }
    remedies.push(format!(
        "to start without the deployments that cannot be served: {flags}"
    ));
    remedies
}
