//! The directory with the files that Envoy reads, one for each `run`.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::RunError;
use crate::render::FilterRuntime;
use crate::state::{StateDirectory, StateError};

const PREFIX: &str = "envoy.";

/// A directory in the state directory, which several gateways may share. It is removed at the end.
pub(super) struct EnvoyDirectory(PathBuf);

impl EnvoyDirectory {
    /// Creates the directory of this process, and removes those of processes that were killed.
    pub(super) fn create(state: &StateDirectory) -> Result<Self, StateError> {
        for gone in abandoned(&state.path("")) {
            let _ = fs::remove_dir_all(gone);
        }
        let path = state.directory(&format!("{PREFIX}{}", std::process::id()))?;
        Ok(Self(path))
    }

    /// Copies the compiled filter into the directory and returns the path of the copy. Envoy reads
    /// the filter with each configuration, and another one, as after an upgrade, would run in
    /// another VM than the role that did not change.
    pub(super) fn keep_filter(&self, filter: &str, runtime: FilterRuntime) -> Result<PathBuf, RunError> {
        let copy = self.0.join(runtime.file_name());
        match fs::copy(filter, &copy) {
            Ok(_) => Ok(copy),
            Err(error) => Err(RunError::Filter {
                path: filter.into(),
                runtime,
                error,
            }),
        }
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for EnvoyDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The directories of processes that no longer exist.
fn abandoned(state: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(state).into_iter().flatten().flatten();
    let is_abandoned = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        let process = name.and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
        process.is_some_and(|process| {
            Path::new("/proc").is_dir() && !Path::new(&format!("/proc/{process}")).exists()
        })
    };
    entries.map(|entry| entry.path()).filter(is_abandoned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_dead_processes_are_removed_and_others_stay() {
        let root = tempfile::tempdir().unwrap();
        let state = StateDirectory::open(root.path()).unwrap();
        // Process ids are below 2^22.
        for name in ["envoy.4194304", "envoy.1", "envoy.x", "tls"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        let directory = EnvoyDirectory::create(&state).unwrap();
        assert!(directory.path().is_dir());
        let own = directory.path().to_owned();
        drop(directory);
        assert!(!own.exists() && !root.path().join("envoy.4194304").exists());
        for name in ["envoy.1", "envoy.x", "tls"] {
            assert!(root.path().join(name).exists(), "{name}");
        }
    }
}
