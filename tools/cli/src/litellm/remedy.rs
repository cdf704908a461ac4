//! What the operator can do about a configuration that is refused.

use std::path::Path;

use super::problem::{Problem, ReadError, error_lines};
use super::read::read_tolerant;
use super::tolerance::{ACCEPT_UNPROTECTED, Tolerance};
use crate::blueprint::Blueprint;
use crate::environment::{Environment, SecretPolicy};
use crate::prices::PriceList;

/// The option that leaves out deployments.
const LEAVE_OUT: &str = "--leave-out-unsupported";

/// [`read_tolerant`] for commands that print errors as lines.
///
/// # Errors
///
/// The errors. The last one ends with the remedies, on lines of their own.
pub fn read_or_explain(
    path: &Path,
    environment: &Environment,
    policy: SecretPolicy,
    prices: &PriceList,
    tolerance: &Tolerance,
) -> Result<Blueprint, Vec<String>> {
    read_tolerant(path, environment, policy, prices, tolerance).map_err(|errors| {
        let mut lines = error_lines(&errors);
        if let Some(last) = lines.last_mut() {
            for remedy in remedies(path, environment, policy, prices, tolerance, &errors) {
                last.push('\n');
                last.push_str(&remedy);
            }
        }
        lines
    })
}

/// The options with which a file with `errors` can be used. Options that do not help are left out,
/// except that protecting settings are always named.
pub fn remedies(
    path: &Path,
    environment: &Environment,
    policy: SecretPolicy,
    prices: &PriceList,
    tolerance: &Tolerance,
    errors: &[ReadError],
) -> Vec<String> {
    let read = |tolerance: &Tolerance| read_tolerant(path, environment, policy, prices, tolerance);
    let unprotected = unprotected(errors);
    let accept = format!("{ACCEPT_UNPROTECTED} {}", unprotected.join(","));
    let mut remedies = Vec::new();
    if !unprotected.is_empty() {
        remedies.push(format!("to start without these protections: {accept}"));
    }
    if tolerance.leave_out_unsupported {
        return remedies;
    }
    let accepting = tolerance.and_accepting(&unprotected);
    let accepting_suffices = !unprotected.is_empty() && read(&accepting).is_ok();
    let leaving_out = tolerance.and_leaving_out();
    // The protections that would also have to be given up.
    let remaining = match read(&leaving_out) {
        Ok(_) => Some(Vec::new()),
        Err(errors) if errors.iter().all(ReadError::is_unprotected) => {
            let names = self::unprotected(&errors);
            read(&leaving_out.and_accepting(&names)).is_ok().then_some(names)
        }
        Err(_) => None,
    };
    match remaining {
        // The reason is not a deployment, so leaving out does not help.
        Some(names) if accepting_suffices && names == unprotected => {}
        Some(names) => {
            if !accepting_suffices {
                // The protecting settings are not the only reason.
                remedies.clear();
            }
            let and_accept = if names.is_empty() {
                String::new()
            } else {
                format!(" {ACCEPT_UNPROTECTED} {}", names.join(","))
            };
            remedies.push(format!(
                "to start without the deployments that cannot be served: {LEAVE_OUT}{and_accept}"
            ));
        }
        None if !accepting_suffices
            && !unprotected.is_empty()
            && read(&accepting.and_leaving_out()).is_ok() =>
        {
            remedies = vec![format!(
                "to start without these protections and without the deployments that cannot be served: {LEAVE_OUT} \
                 {accept}"
            )];
        }
        None => {}
    }
    remedies
}

/// The protecting settings that `errors` are about, each once, in alphabetical order.
fn unprotected(errors: &[ReadError]) -> Vec<String> {
    let mut names: Vec<String> = errors
        .iter()
        .filter_map(|error| match &error.problem {
            Problem::Unprotected { name, .. } => Some(name.clone()),
            _ => None,
        })
        .collect();
    names.sort();
    names.dedup();
    names
}
