//! The directory for files that `run` creates. Only this user can read them.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The file with the URL of the admin interface of the Envoy that serves.
pub(crate) const ADMIN_URL_FILE: &str = "admin-url";

/// Why the state directory cannot be used.
#[derive(Debug, Error)]
pub(crate) enum StateError {
    #[error("cannot use {} as the state directory: {error}", path.display())]
    Directory { path: PathBuf, error: io::Error },
    #[error("cannot write {}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
}

/// An existing state directory.
pub(crate) struct StateDirectory {
    directory: PathBuf,
}

impl StateDirectory {
    /// Opens the directory and creates it if necessary.
    pub(crate) fn open(directory: &Path) -> Result<Self, StateError> {
        let unusable = |error| StateError::Directory {
            path: directory.to_owned(),
            error,
        };
        private_directory(directory).map_err(unusable)?;
        Ok(Self {
            directory: directory.canonicalize().map_err(unusable)?,
        })
    }

    /// The path of a file in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Creates a directory in the directory and returns its path.
    pub(crate) fn directory(&self, name: &str) -> Result<PathBuf, StateError> {
        let path = self.path(name);
        match private_directory(&path) {
            Ok(()) => Ok(path),
            Err(error) => Err(StateError::Directory { path, error }),
        }
    }
}

/// Replaces a file with one that only this user can read.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), StateError> {
    private_file(path, text).map_err(|error| StateError::File {
        path: path.to_owned(),
        error,
    })
}

/// Creates a directory, with its parents, that only this user can read.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Replaces a file with one that only this user can read.
pub(crate) fn private_file(path: &Path, text: &str) -> io::Result<()> {
    replace_file(path, text, 0o600)
}

/// Replaces a file with one of this mode. Readers see the old file or the new one.
pub(crate) fn replace_file(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    // The mode applies only to new files. The name is unique because another `run` may be starting.
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}", std::process::id()));
    let new = PathBuf::from(new);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
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
    fn only_this_user_can_read_files_and_directories() {
        let root = tempfile::tempdir().unwrap();
        let state = StateDirectory::open(&root.path().join("a/b")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        fs::write(state.path("f"), "old").unwrap();
        let file = state.path("f");
        write_private(&file, "new").unwrap();
        assert_eq!((mode(&state.directory), mode(&file)), (0o700, 0o600));
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::read_dir(&state.directory).unwrap().count(), 1);
    }
}
