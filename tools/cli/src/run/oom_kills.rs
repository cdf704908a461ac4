//! The kernel's count of processes that it killed because the cgroup had no memory left.

use std::path::{Path, PathBuf};

/// The file that has the count, if the kernel provides one.
#[derive(Clone, Debug)]
pub(super) struct OomKills(Option<PathBuf>);

impl OomKills {
    /// The count of the cgroup of this process, which Envoy shares.
    pub(super) fn of_this_cgroup() -> Self {
        let cgroups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self(files(&cgroups).find(|path| path.is_file()))
    }

    /// The number of kills so far; 0 if it is unknown.
    pub(super) fn count(&self) -> u64 {
        let text = self
            .0
            .as_ref()
            .and_then(|path| std::fs::read_to_string(path).ok());
        text.and_then(|text| count(&text)).unwrap_or_default()
    }
}

/// Where the count may be, given `/proc/self/cgroup`: cgroups of version 2, then of version 1. In a
/// container the path is often that of the host, and the file is at the root.
fn files(cgroups: &str) -> impl Iterator<Item = PathBuf> {
    let v2 = path_of(cgroups, "").unwrap_or_default();
    let v1 = path_of(cgroups, "memory").unwrap_or_default();
    let at =
        |root: &str, path: &str, file: &str| Path::new(root).join(path.trim_start_matches('/')).join(file);
    [
        at("/sys/fs/cgroup", v2, "memory.events"),
        at("/sys/fs/cgroup", "", "memory.events"),
        at("/sys/fs/cgroup/memory", v1, "memory.oom_control"),
        at("/sys/fs/cgroup/memory", "", "memory.oom_control"),
    ]
    .into_iter()
}

/// The path of the hierarchy with this controller: `9:memory:/docker/…`, `0::/user.slice`.
fn path_of<'a>(cgroups: &'a str, controller: &str) -> Option<&'a str> {
    cgroups.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers
            .split(',')
            .any(|name| name == controller)
            .then_some(path)
    })
}

/// The line `oom_kill 3`.
fn count(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_read_from_both_versions() {
        let v2 = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n";
        let v1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n";
        assert_eq!((count(v2), count(v1), count("oom 3\n")), (Some(2), Some(2), None));
    }

    #[test]
    fn the_files_are_those_of_this_cgroup() {
        let cgroups = "9:cpu,memory:/docker/a\n0::/user.slice/b\n";
        let files: Vec<_> = files(cgroups).collect();
        assert_eq!(files[0], Path::new("/sys/fs/cgroup/user.slice/b/memory.events"));
        assert_eq!(
            files[2],
            Path::new("/sys/fs/cgroup/memory/docker/a/memory.oom_control")
        );
    }
}
