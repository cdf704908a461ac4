//! Waits until a file changes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::fingerprint::Fingerprint;

/// How long files must be unchanged before they are read: an editor may write in several steps.
const QUIET: Duration = Duration::from_millis(100);
/// How long changes may delay a reload. A file that changes all the time is read anyway.
const DELAY_MAX: Duration = Duration::from_millis(1000);
/// How often the files are checked without an event. Network file systems send none, nor does a
/// directory that is replaced by a symbolic link.
const POLL: Duration = Duration::from_millis(1000);

/// Watches files. It watches their directories, because editors and Kubernetes replace files.
pub(crate) struct FileWatcher {
    files: Vec<PathBuf>,
    seen: Fingerprint,
    /// `None` if the kernel refuses: then the files are only checked regularly.
    events: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    receiver: mpsc::Receiver<()>,
    /// Keeps the channel open even without events.
    _sender: mpsc::Sender<()>,
}

impl FileWatcher {
    /// Starts to watch `files`. Changes from now on are noticed.
    pub(crate) fn start(files: Vec<PathBuf>) -> Self {
        let (sender, receiver) = mpsc::channel(1);
        let news = sender.clone();
        let events = notify::recommended_watcher(move |_| {
            // A full channel already has an event.
            let _ = news.try_send(());
        });
        let mut watcher = Self {
            seen: Fingerprint::of(&files),
            files: Vec::new(),
            events: events.ok(),
            watched: BTreeSet::new(),
            receiver,
            _sender: sender,
        };
        watcher.watch(files);
        watcher
    }

    /// Watches other files from now on.
    pub(crate) fn watch(&mut self, files: Vec<PathBuf>) {
        let directories: BTreeSet<PathBuf> = files.iter().flat_map(|file| directories(file)).collect();
        if let Some(events) = &mut self.events {
            for gone in self.watched.difference(&directories) {
                let _ = events.unwatch(gone);
            }
            for new in directories.difference(&self.watched) {
                let _ = events.watch(new, RecursiveMode::NonRecursive);
            }
        }
        self.watched = directories;
        self.files = files;
    }

    /// Takes the present state of the files as known. Call it before they are read.
    pub(crate) fn mark(&mut self) {
        self.seen = Fingerprint::of(&self.files);
    }

    /// Returns once a file has changed and is quiet.
    pub(crate) async fn changed(&mut self) {
        loop {
            let _ = timeout(POLL, self.receiver.recv()).await;
            if Fingerprint::of(&self.files) != self.seen {
                return self.settle().await;
            }
        }
    }

    async fn settle(&mut self) {
        let deadline = Instant::now() + DELAY_MAX;
        let mut before = Fingerprint::of(&self.files);
        while Instant::now() < deadline {
            sleep(QUIET).await;
            let now = Fingerprint::of(&self.files);
            if now == before {
                return;
            }
            before = now;
        }
    }
}

/// The directories of a file: as named, and after symbolic links.
fn directories(file: &Path) -> impl Iterator<Item = PathBuf> {
    let of = |file: &Path| {
        let parent = file.parent()?;
        let is_here = parent.as_os_str().is_empty();
        Some(if is_here {
            PathBuf::from(".")
        } else {
            parent.to_owned()
        })
    };
    let real = file.canonicalize().ok().and_then(|real| of(&real));
    of(file).into_iter().chain(real)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    async fn is_noticed(watcher: &mut FileWatcher) -> bool {
        let noticed = timeout(SOON, watcher.changed()).await.is_ok();
        watcher.mark();
        noticed
    }

    #[tokio::test]
    async fn a_rewritten_a_replaced_and_a_new_file_are_noticed() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::write(path("a"), "1").unwrap();
        let mut watcher = FileWatcher::start(vec![path("a")]);
        fs::write(path("a"), "2").unwrap();
        assert!(is_noticed(&mut watcher).await);
        fs::write(path("a.new"), "3").unwrap();
        fs::rename(path("a.new"), path("a")).unwrap();
        assert!(is_noticed(&mut watcher).await);
        watcher.watch(vec![path("a"), path("b")]);
        watcher.mark();
        fs::write(path("b"), "1").unwrap();
        assert!(is_noticed(&mut watcher).await);
    }

    #[tokio::test]
    async fn a_config_map_of_kubernetes_is_noticed() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        let publish = |version: &str| {
            fs::create_dir(path(version)).unwrap();
            fs::write(path(version).join("config.yaml"), "same size").unwrap();
            symlink(version, path("..data_tmp")).unwrap();
            fs::rename(path("..data_tmp"), path("..data")).unwrap();
        };
        publish("..2026_1");
        symlink("..data/config.yaml", path("config.yaml")).unwrap();
        let mut watcher = FileWatcher::start(vec![path("config.yaml")]);
        for version in ["..2026_2", "..2026_3"] {
            publish(version);
            assert!(is_noticed(&mut watcher).await, "{version}");
        }
    }

    #[tokio::test]
    async fn other_files_of_the_directory_do_not_matter() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a"), "1").unwrap();
        let mut watcher = FileWatcher::start(vec![root.path().join("a")]);
        fs::write(root.path().join("spend.jsonl"), "row").unwrap();
        assert!(timeout(POLL * 2, watcher.changed()).await.is_err());
    }
}
