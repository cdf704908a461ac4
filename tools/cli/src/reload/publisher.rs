//! Writes a configuration into the directory that Envoy watches, in steps that break no request.
//!
//! A cluster exists before anything refers to it, and remains for a while after the last reference
//! is gone: a request that began under the previous configuration may still be retried on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::error::ReloadError;
use crate::admin::Admin;
use crate::render::{DynamicConfig, ResourceKind, Resources};
use crate::state::replace_file;

/// Time limit for Envoy to use a file. New clusters resolve their names first.
const CONFIRMATION_MAX: Duration = Duration::from_secs(15);
/// How long to wait for new clusters if Envoy's admin interface cannot be asked.
const UNCONFIRMED_WAIT: Duration = Duration::from_millis(500);
const POLL: Duration = Duration::from_millis(20);

/// The directory, and what it holds.
pub(crate) struct Publisher {
    directory: PathBuf,
    /// Mode of the files.
    mode: u32,
    /// The text of each file.
    written: BTreeMap<ResourceKind, String>,
    /// The newest configuration.
    newest: Option<DynamicConfig>,
    /// Clusters that are no longer configured, each with the time of its removal.
    lingering: Vec<(Value, Instant)>,
}

impl Publisher {
    /// A publisher for an existing directory. Its files get this mode.
    pub(crate) fn new(directory: &Path, mode: u32) -> Self {
        Self {
            directory: directory.to_owned(),
            mode,
            written: BTreeMap::new(),
            newest: None,
            lingering: Vec::new(),
        }
    }

    /// Writes all files for an Envoy that is not running yet.
    pub(crate) fn write_all(&mut self, config: &DynamicConfig, header: &str) -> Result<(), ReloadError> {
        let written = config.write(&self.directory, self.mode, header);
        written.map_err(|(path, error)| ReloadError::Unwritable { path, error })?;
        let texts = config.resources.iter();
        self.written = texts
            .map(|resources| (resources.kind, resources.file().0))
            .collect();
        self.newest = Some(config.clone());
        self.lingering.clear();
        Ok(())
    }

    /// Replaces the files that differ. Returns once the Envoys with these admin interfaces use
    /// them. `linger` is how long clusters remain that are no longer configured.
    ///
    /// # Errors
    /// If one refuses a file, the previous files are back.
    pub(crate) async fn update(
        &mut self,
        config: &DynamicConfig,
        envoys: &[Admin],
        linger: Duration,
    ) -> Result<(), ReloadError> {
        let previous = (self.written.clone(), self.newest.clone(), self.lingering.clone());
        self.retire(config, linger);
        let outcome = self.apply(config, envoys).await;
        if outcome.is_err() {
            let written;
            (written, self.newest, self.lingering) = previous;
            for (kind, text) in written.into_iter().rev() {
                self.write_if_new(kind, text)?;
            }
        }
        outcome
    }

    /// When to call [`remove_lingering`](Self::remove_lingering).
    pub(crate) fn next_removal(&self) -> Option<Instant> {
        self.lingering.iter().map(|(_, until)| *until).min()
    }

    /// Removes the clusters whose time is over at `now`.
    pub(crate) fn remove_lingering(&mut self, now: Instant) -> Result<(), ReloadError> {
        self.lingering.retain(|(_, until)| *until > now);
        let Some(newest) = &self.newest else { return Ok(()) };
        // Nothing may refer to a cluster that is gone.
        let files =
            [ResourceKind::Routes, ResourceKind::Clusters].map(|kind| (kind, self.resources(newest, kind)));
        for (kind, resources) in files {
            self.write_if_new(kind, resources.file().0)?;
        }
        Ok(())
    }

    /// Notes which clusters are no longer configured.
    fn retire(&mut self, config: &DynamicConfig, linger: Duration) {
        let clusters = &config.of_kind(ResourceKind::Clusters).resources;
        let is_configured = |cluster: &Value| clusters.iter().any(|other| other["name"] == cluster["name"]);
        let until = Instant::now() + linger;
        if let Some(previous) = self.newest.replace(config.clone()) {
            let gone = &previous.of_kind(ResourceKind::Clusters).resources;
            self.lingering
                .extend(gone.iter().map(|cluster| (cluster.clone(), until)));
        }
        self.lingering.retain(|(cluster, _)| !is_configured(cluster));
    }

    /// The resources of a kind, with those that linger.
    fn resources(&self, config: &DynamicConfig, kind: ResourceKind) -> Resources {
        let lingering = self.lingering.iter().map(|(cluster, _)| cluster);
        match kind {
            ResourceKind::Clusters => {
                let mut clusters = config.of_kind(kind).clone();
                clusters.resources.extend(lingering.cloned());
                clusters
            }
            ResourceKind::Routes => {
                let names = lingering.filter_map(|cluster| cluster["name"].as_str().map(str::to_owned));
                config.routes(names)
            }
            _ => config.of_kind(kind).clone(),
        }
    }

    async fn apply(&mut self, config: &DynamicConfig, envoys: &[Admin]) -> Result<(), ReloadError> {
        for kind in ResourceKind::ALL {
            let (text, version) = self.resources(config, kind).file();
            if self.written.get(&kind) == Some(&text) {
                continue;
            }
            let mut before = Vec::new();
            for &envoy in envoys {
                before.extend(Update::of(kind, envoy).await.map(|update| (envoy, update)));
            }
            self.write(kind, text)?;
            if before.is_empty() && kind == ResourceKind::Clusters {
                sleep(UNCONFIRMED_WAIT).await;
            }
            for (envoy, before) in before {
                confirm(kind, &version, envoy, before).await?;
            }
        }
        Ok(())
    }

    fn write_if_new(&mut self, kind: ResourceKind, text: String) -> Result<(), ReloadError> {
        if self.written.get(&kind) == Some(&text) {
            return Ok(());
        }
        self.write(kind, text)
    }

    fn write(&mut self, kind: ResourceKind, text: String) -> Result<(), ReloadError> {
        let path = self.directory.join(kind.file_name());
        replace_file(&path, &text, self.mode).map_err(|error| ReloadError::Unwritable { path, error })?;
        self.written.insert(kind, text);
        Ok(())
    }
}

/// What Envoy reports about its updates of one kind.
#[derive(Debug, PartialEq, Eq)]
struct Update {
    version: String,
    rejected: u64,
    /// Clusters or listeners that are being prepared.
    warming: u64,
}

impl Update {
    /// `None` if the kind has no stats, or if Envoy does not answer.
    async fn of(kind: ResourceKind, admin: Admin) -> Option<Self> {
        let prefix = kind.stats()?;
        let names = format!("{prefix}.(version_text|update_rejected)");
        let warming = "cluster_manager.warming_clusters|listener_manager.total_listeners_warming";
        let filter = format!("^({names}|{warming})$");
        Some(Self::parse(&admin.stats(&filter).await?))
    }

    fn parse(stats: &str) -> Self {
        let mut update = Self {
            version: String::new(),
            rejected: 0,
            warming: 0,
        };
        for (name, value) in stats.lines().filter_map(|line| line.split_once(": ")) {
            let number = || value.parse().unwrap_or(0);
            if name.ends_with(".version_text") {
                update.version = value.trim_matches('"').to_owned();
            } else if name.ends_with(".update_rejected") {
                update.rejected = number();
            } else {
                update.warming += number();
            }
        }
        update
    }
}

/// Waits until Envoy uses a file. If it takes too long or Envoy does not answer, the file is taken
/// to be in use: Envoy reads it when it starts again.
async fn confirm(kind: ResourceKind, version: &str, admin: Admin, before: Update) -> Result<(), ReloadError> {
    let deadline = Instant::now() + CONFIRMATION_MAX;
    while Instant::now() < deadline {
        let Some(update) = Update::of(kind, admin).await else {
            return Ok(());
        };
        if update.rejected > before.rejected {
            return Err(ReloadError::Refused {
                file: kind.file_name(),
            });
        }
        if update.version == version && update.warming == 0 {
            return Ok(());
        }
        sleep(POLL).await;
    }
    tracing::warn!("Envoy does not use the rendered {} yet", kind.file_name());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    fn config(clusters: &[&str], filter: &str) -> DynamicConfig {
        let resources = ResourceKind::ALL.map(|kind| Resources {
            kind,
            resources: match kind {
                ResourceKind::Clusters => clusters.iter().map(|name| json!({ "name": name })).collect(),
                ResourceKind::Filters => vec![json!({ "name": filter })],
                _ => Vec::new(),
            },
        });
        DynamicConfig {
            bootstrap: json!({}),
            resources: resources.into(),
            ..DynamicConfig::default()
        }
    }

    fn clusters(directory: &Path) -> Vec<String> {
        let text = fs::read_to_string(directory.join("clusters.yaml")).unwrap();
        let names = text
            .lines()
            .filter_map(|line| line.trim_start_matches("- ").trim().strip_prefix("name: "));
        names.map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn a_cluster_outlives_its_last_reference_for_a_while() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let mut publisher = Publisher::new(directory, 0o600);
        publisher.write_all(&config(&["a", "b"], "one"), "").unwrap();
        let linger = Duration::from_secs(60);
        publisher
            .update(&config(&["b", "c"], "two"), &[], linger)
            .await
            .unwrap();
        assert_eq!(clusters(directory), ["b", "c", "a"]);
        assert!(
            fs::read_to_string(directory.join("filters.yaml"))
                .unwrap()
                .contains("two")
        );
        publisher.remove_lingering(Instant::now()).unwrap();
        assert_eq!(clusters(directory), ["b", "c", "a"]);
        let removal = publisher.next_removal().unwrap();
        publisher.remove_lingering(removal).unwrap();
        assert_eq!(clusters(directory), ["b", "c"]);
        assert_eq!(publisher.next_removal(), None);
    }

    #[tokio::test]
    async fn a_cluster_that_comes_back_is_not_removed() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let mut publisher = Publisher::new(directory, 0o600);
        publisher.write_all(&config(&["a", "b"], "one"), "").unwrap();
        let linger = Duration::from_secs(60);
        publisher
            .update(&config(&["b"], "one"), &[], linger)
            .await
            .unwrap();
        publisher
            .update(&config(&["a", "b"], "one"), &[], linger)
            .await
            .unwrap();
        publisher.remove_lingering(Instant::now() + linger * 2).unwrap();
        assert_eq!(clusters(directory), ["a", "b"]);
    }

    #[test]
    fn the_version_of_a_file_depends_on_its_resources_only() {
        let version = |config: &DynamicConfig| config.of_kind(ResourceKind::Filters).file().1;
        assert_eq!(version(&config(&["a"], "one")), version(&config(&["b"], "one")));
        assert_ne!(version(&config(&["a"], "one")), version(&config(&["a"], "two")));
    }

    #[test]
    fn stats_are_read_whatever_their_order() {
        let stats = "cluster_manager.cds.version_text: \"ab12\"\ncluster_manager.cds.update_rejected: 3
cluster_manager.warming_clusters: 2\nlistener_manager.total_listeners_warming: 1\n";
        let expected = Update {
            version: "ab12".into(),
            rejected: 3,
            warming: 3,
        };
        assert_eq!(Update::parse(stats), expected);
    }
}
