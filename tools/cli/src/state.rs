//! The directory for what `run` makes. Its files are for this user alone.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// An existing state directory.
pub(crate) struct StateDirectory {
    directory: PathBuf,
}

impl StateDirectory {
    /// Makes the directory if it is not there.
    pub(crate) fn open(directory: &Path) -> Result<Self, String> {
        let wrong = |error: std::io::Error| {
            format!(
                "expected a directory for state at {}, but found: {error}",
                directory.display()
            )
        };
        private_directory(directory).map_err(wrong)?;
        Ok(Self {
            directory: directory.canonicalize().map_err(wrong)?,
        })
    }

    /// A path in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Writes a file in the directory and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.path(name);
        private_file(&path, text)
            .map_err(|error| format!("expected to write {}, but found: {error}", path.display()))?;
        Ok(path)
    }
}

/// Makes a directory, with its parents, that only this user can look into.
pub(crate) fn private_directory(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Replaces a file by one that only this user can read.
pub(crate) fn private_file(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // The mode is only for new files; a name of its own because another `run` may be starting.
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}", std::process::id()));
    let new = PathBuf::from(new);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    options.open(&new)?.write_all(text.as_bytes())?;
    fs::rename(&new, path)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn files_and_directories_are_for_this_user_alone() {
        let root = tempfile::tempdir().unwrap();
        let state = StateDirectory::open(&root.path().join("a/b")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        fs::write(state.path("f"), "old").unwrap();
        let file = state.write("f", "new").unwrap();
        assert_eq!((mode(&state.directory), mode(&file)), (0o700, 0o600));
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::read_dir(&state.directory).unwrap().count(), 1);
    }
}
