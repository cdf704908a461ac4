//! Reads a changed configuration and publishes it, or reports why it cannot be used.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::SystemTime;

use envoy_bedrock::contract::settings::{ReloadFailure, ReloadStatus};

use super::error::ReloadError;
use super::opening::OpeningBalances;
use super::publisher::Publisher;
use crate::admin::Admin;
use crate::render::{DynamicConfig, Rendering};

/// Where the configuration comes from.
pub(crate) trait ConfigSource: Send + 'static {
    /// The files to watch. They need not exist.
    fn files(&self) -> Vec<PathBuf>;
    /// Reads the configuration.
    fn read(&mut self) -> impl Future<Output = Result<Rendering, ReloadError>> + Send;
}

/// What a reload has done.
#[derive(Debug)]
pub(crate) enum ReloadOutcome {
    /// The configuration is active.
    Reloaded,
    /// It is equivalent to the active one.
    Unchanged,
    /// It cannot be used. The previous one stays in use.
    Failed(ReloadError),
}

/// The active configuration and what happened to later ones.
pub(crate) struct Engine<S> {
    source: S,
    publisher: Publisher,
    /// The directory of the files, as Envoy sees it.
    directory: String,
    active: Rendering,
    published: DynamicConfig,
    status: ReloadStatus,
    /// `None` if this program does not know when Envoy has begun to serve.
    opening: Option<OpeningBalances>,
}

impl<S: ConfigSource> Engine<S> {
    /// Writes the first configuration, for an Envoy that is not running yet. `header` is the
    /// comment of the bootstrap file, and `restarts` how often Envoy was restarted, if this program
    /// runs it. `opening` knows what was spent before.
    pub(crate) fn start(
        source: S,
        rendering: Rendering,
        mut publisher: Publisher,
        directory: String,
        header: &str,
        restarts: Option<u64>,
        opening: Option<OpeningBalances>,
    ) -> Result<Self, ReloadError> {
        let status = ReloadStatus {
            loaded_at: now(),
            restarts,
            ..ReloadStatus::default()
        };
        let published = render(&rendering, &directory, &status, opening.as_ref());
        publisher.write_all(&published, header)?;
        Ok(Self {
            source,
            publisher,
            directory,
            active: rendering,
            published,
            status,
            opening,
        })
    }

    /// The files to watch.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.source.files()
    }

    /// Reads the configuration and makes it active if it can be used. `envoys` are the admin
    /// interfaces of the Envoys that are running.
    pub(crate) async fn reload(&mut self, envoys: &[Admin]) -> ReloadOutcome {
        match self.try_reload(envoys).await {
            Ok(true) => ReloadOutcome::Reloaded,
            Ok(false) => ReloadOutcome::Unchanged,
            Err(error) => {
                self.report(&error, envoys).await;
                ReloadOutcome::Failed(error)
            }
        }
    }

    /// Publishes how often Envoy was restarted, if that has changed.
    pub(crate) async fn restarted(&mut self, restarts: u64, envoys: &[Admin]) {
        if self.status.restarts == Some(restarts) {
            return;
        }
        self.status.restarts = Some(restarts);
        if let Some(opening) = &mut self.opening {
            opening.begin(&self.active.blueprint.settings);
        }
        if let Err(error) = self.publish_status(envoys).await {
            tracing::error!("the metrics cannot show the restart of Envoy: {error}");
        }
    }

    /// The publisher, for its clean-up.
    pub(crate) fn publisher(&mut self) -> &mut Publisher {
        &mut self.publisher
    }

    async fn try_reload(&mut self, envoys: &[Admin]) -> Result<bool, ReloadError> {
        let rendering = self.source.read().await?;
        if let Some(opening) = &mut self.opening {
            opening.cover(&rendering.blueprint.settings);
        }
        if self.status.failure.is_none() && self.render(&rendering, &self.status) == self.published {
            return Ok(false);
        }
        let status = ReloadStatus {
            loaded_at: now(),
            succeeded: self.status.succeeded + 1,
            failure: None,
            ..self.status
        };
        let config = self.render(&rendering, &status);
        self.refuse_what_needs_a_restart(&config)?;
        let linger = self.active.blueprint.request_timeout;
        self.publisher.update(&config, envoys, linger).await?;
        (self.published, self.active, self.status) = (config, rendering, status);
        Ok(true)
    }

    /// Publishes that the newest configuration cannot be used.
    async fn report(&mut self, error: &ReloadError, envoys: &[Admin]) {
        let since = self
            .status
            .failure
            .as_ref()
            .map_or_else(now, |failure| failure.since);
        self.status.failed += 1;
        self.status.failure = Some(ReloadFailure {
            error: error.to_string(),
            since,
        });
        if let Err(error) = self.publish_status(envoys).await {
            tracing::error!("readiness and metrics cannot show the failed reload: {error}");
        }
    }

    async fn publish_status(&mut self, envoys: &[Admin]) -> Result<(), ReloadError> {
        let config = self.render(&self.active, &self.status);
        let linger = self.active.blueprint.request_timeout;
        self.publisher.update(&config, envoys, linger).await?;
        self.published = config;
        Ok(())
    }

    fn render(&self, rendering: &Rendering, status: &ReloadStatus) -> DynamicConfig {
        render(rendering, &self.directory, status, self.opening.as_ref())
    }

    fn refuse_what_needs_a_restart(&self, config: &DynamicConfig) -> Result<(), ReloadError> {
        let names = |config: &DynamicConfig| config.variables().into_iter().collect::<BTreeSet<_>>();
        let (before, after) = (names(&self.published), names(config));
        if before != after {
            let changed: Vec<&str> = before.symmetric_difference(&after).map(String::as_str).collect();
            let changed = changed.join(", ");
            let problem = format!("Envoy's filter needs other environment variables ({changed})");
            return Err(ReloadError::NeedsRestart(problem));
        }
        let members = |config: &DynamicConfig| config.bootstrap.as_object().cloned().unwrap_or_default();
        let (before, after) = (members(&self.published), members(config));
        let changed = after
            .iter()
            .find(|(name, value)| before.get(*name) != Some(value));
        match changed {
            Some((name, _)) => Err(ReloadError::NeedsRestart(format!(
                "it changes {name} of Envoy's bootstrap configuration"
            ))),
            None => Ok(()),
        }
    }
}

fn render(
    rendering: &Rendering,
    directory: &str,
    status: &ReloadStatus,
    opening: Option<&OpeningBalances>,
) -> DynamicConfig {
    let mut blueprint = rendering.blueprint.clone();
    if let Some(opening) = opening {
        opening.apply(&mut blueprint.settings);
    }
    blueprint.settings.reload = Some(status.clone());
    DynamicConfig::of(&blueprint, &rendering.options, directory)
}

/// Seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
