//! Finds Envoy's binary and checks its version.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::EnvoyError;
use crate::environment::Environment;

/// The oldest version that can choose another cluster for a retry (`refresh_cluster_on_retry`). Tests
/// run with Envoy 1.40.
const VERSION_MIN: &str = "1.39";

/// The named binary, or `.venv/bin/envoy`, or the one on the `PATH`.
pub(super) fn find(named: Option<&Path>, environment: &Environment) -> Result<PathBuf, EnvoyError> {
    let path = match named {
        Some(path) => path.to_owned(),
        None => candidates(environment)
            .find(|path| path.is_file())
            .ok_or(EnvoyError::NotFound)?,
    };
    let found = version(&path)?;
    if is_too_old(&found) {
        return Err(EnvoyError::TooOld {
            minimum: VERSION_MIN,
            found,
            path,
        });
    }
    Ok(path)
}

fn candidates(environment: &Environment) -> impl Iterator<Item = PathBuf> {
    let on_path: Vec<PathBuf> = std::env::split_paths(environment.value("PATH").unwrap_or_default())
        .map(|directory| directory.join("envoy"))
        .collect();
    std::iter::once(PathBuf::from(".venv/bin/envoy")).chain(on_path)
}

/// The version that the binary reports: `1.40.0`.
fn version(path: &Path) -> Result<String, EnvoyError> {
    let output = Command::new(path)
        .arg("--version")
        .output()
        .map_err(|error| EnvoyError::NotRunnable {
            path: path.to_owned(),
            error,
        })?;
    let text = String::from_utf8_lossy(&output.stdout);
    // envoy  version: 9e5580…/1.40.0/Clean/RELEASE/BoringSSL
    text.rsplit(" version: ")
        .next()
        .and_then(|version| version.split('/').nth(1))
        .map(str::to_owned)
        .ok_or_else(|| EnvoyError::NotEnvoy(path.to_owned()))
}

/// Whether a version is older than [`VERSION_MIN`]. A development version without numbers is
/// accepted.
fn is_too_old(version: &str) -> bool {
    numbers(version).is_some_and(|version| Some(version) < numbers(VERSION_MIN))
}

/// Major and minor number.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(is_too_old("1.9.1") && is_too_old("1.36.4"));
        for version in [VERSION_MIN, "1.39.0", "1.40.0", "1.100.0", "2.0.0", "dev"] {
            assert!(!is_too_old(version), "{version}");
        }
    }
}
