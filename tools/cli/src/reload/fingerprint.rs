//! Whether files have changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The state of files at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fingerprint(Vec<FileState>);

/// What a program that replaces or rewrites a file cannot leave unchanged. `None` for a file that
/// cannot be read.
type FileState = (PathBuf, Option<(PathBuf, SystemTime, u64, u64)>);

impl Fingerprint {
    /// Of these files.
    pub(super) fn of(files: &[PathBuf]) -> Self {
        Self(files.iter().map(|file| (file.clone(), state(file))).collect())
    }
}

fn state(file: &Path) -> Option<(PathBuf, SystemTime, u64, u64)> {
    let metadata = fs::metadata(file).ok()?;
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    // The real path changes if a directory on the way is another one, as in Kubernetes.
    let real = file.canonicalize().ok()?;
    Some((real, metadata.modified().ok()?, metadata.len(), inode))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_way_to_change_a_file_is_noticed() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        let files = [path("a"), path("link/b")];
        let mut seen = Fingerprint::of(&files);
        let mut is_new = || {
            let now = Fingerprint::of(&files);
            std::mem::replace(&mut seen, now.clone()) != now
        };
        assert!(!is_new());
        fs::write(path("a"), "1").unwrap();
        assert!(is_new() && !is_new());
        fs::write(path("a"), "12").unwrap();
        assert!(is_new());
        fs::write(path("new"), "12").unwrap();
        fs::rename(path("new"), path("a")).unwrap();
        assert!(is_new());
        for release in ["one", "two"] {
            fs::create_dir(path(release)).unwrap();
            fs::write(path(release).join("b"), "x").unwrap();
            symlink(release, path("next")).unwrap();
            fs::rename(path("next"), path("link")).unwrap();
            assert!(is_new() && !is_new());
        }
        fs::remove_file(path("a")).unwrap();
        assert!(is_new() && !is_new());
    }
}
