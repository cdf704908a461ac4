//! The folder in which cargo has unpacked a dev-dependency: AWS's crates contain test vectors.

use std::path::PathBuf;
use std::process::Command;

/// The folder of the package `name`.
pub(crate) fn folder(name: &str) -> PathBuf {
    // `--offline` fails if a dependency for another platform was never downloaded.
    let metadata = metadata(&["--offline"])
        .or_else(|_| metadata(&[]))
        .unwrap_or_else(|error| panic!("cargo metadata: {error}"));
    let packages = metadata["packages"].as_array().expect("cargo lists packages");
    let manifest = packages
        .iter()
        .find(|package| package["name"] == name)
        .and_then(|package| package["manifest_path"].as_str())
        .unwrap_or_else(|| panic!("{name} is not a dependency of the tests"));
    PathBuf::from(manifest).with_file_name("")
}

fn metadata(arguments: &[&str]) -> Result<serde_json::Value, String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .args(arguments)
        .output()
        .map_err(|error| error.to_string())?;
    match output.status.success() {
        true => serde_json::from_slice(&output.stdout).map_err(|error| error.to_string()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}
