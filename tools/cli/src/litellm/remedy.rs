//! What an operator can do about a file that is refused.

use std::path::Path;

use super::error::{ReadError, error_lines};
use super::tolerance::{Tolerance, unprotected};
use super::{Environment, SecretPolicy, read_tolerant};
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
    secrets: SecretPolicy,
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

/// The flags that would make the file usable, after `errors` were found in it. Only what helps, except that the settings
/// that protect are named in any case.
pub fn remedies(
    path: &Path,
    environment: &Environment,
    secrets: SecretPolicy,
    prices: &Catalogue,
    tolerance: &Tolerance,
    errors: &[ReadError],
) -> Vec<String> {
    let read = |tolerance: &Tolerance| read_tolerant(path, environment, secrets, prices, tolerance);
    let accepted = protecting(errors);
    let accept = format!("--accept-unprotected {}", accepted.join(","));
    let mut remedies = Vec::new();
    if !accepted.is_empty() {
        remedies.push(format!("to start without the settings that protect: {accept}"));
    }
    if tolerance.leave_out_unsupported {
        return remedies;
    }
    let accepting_all = accepting(tolerance, &accepted);
    let suffices = !accepted.is_empty() && read(&accepting_all).is_ok();
    let left_out = leaving_out(tolerance);
    let remaining = match read(&left_out) {
        Ok(_) => Some(Vec::new()),
        Err(errors) => Some(protecting(&errors)).filter(|_| errors.iter().all(ReadError::is_unprotected)),
    };
    let remaining = remaining.filter(|names| read(&accepting(&left_out, names)).is_ok());
    match remaining {
        // No deployment is the reason, so leaving out would not help.
        Some(names) if suffices && names == accepted => {}
        Some(names) => {
            if !suffices {
                // The settings that protect are not the only reason.
                remedies.clear();
            }
            let more = if names.is_empty() {
                String::new()
            } else {
                format!(" --accept-unprotected {}", names.join(","))
            };
            remedies.push(format!(
                "to start without the deployments that cannot be served: --leave-out-unsupported{more}"
            ));
        }
        None if !suffices && !accepted.is_empty() && read(&leaving_out(&accepting_all)).is_ok() => {
            remedies = vec![format!(
                "to start without the settings that protect and the deployments that cannot be served: \
                 --leave-out-unsupported {accept}"
            )];
        }
        None => {}
    }
    remedies
}

/// The names of the settings that protect which `errors` are about, each once.
fn protecting(errors: &[ReadError]) -> Vec<String> {
    unprotected(errors.iter().map(|error| &error.problem))
        .into_iter()
        .collect()
}

fn accepting(tolerance: &Tolerance, names: &[String]) -> Tolerance {
    let mut tolerance = tolerance.clone();
    tolerance.accept_unprotected.extend_from_slice(names);
    tolerance
}

fn leaving_out(tolerance: &Tolerance) -> Tolerance {
    Tolerance {
        leave_out_unsupported: true,
        ..tolerance.clone()
    }
}
