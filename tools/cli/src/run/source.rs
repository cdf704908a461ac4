//! The configuration of `run`: what the file says, for the Envoy that this process started.

use std::path::PathBuf;
use std::sync::Arc;

use envoy_bedrock::sealing::SealingKey;
use tokio::sync::Mutex;

use super::backend::{self, Backend, Reason};
use super::demo::Demo;
use super::error::RunError;
use super::memory;
use super::options::{Bedrock, RunArguments};
use super::prepare::{self, Prepared};
use super::run_broker::RunBroker;
use super::tls_pair::TlsPair;
use crate::blueprint::Blueprint;
use crate::environment::Environment;
use crate::litellm;
use crate::prices::PriceList;
use crate::reload::{ConfigSource, ReloadError};
use crate::render::{BrokerAddress, Listeners, RenderOptions, Rendering, SecretSource};
use crate::sealing;

/// The running emulators.
pub(super) type SharedDemo = Arc<Mutex<Demo>>;

/// Reads the configuration again.
pub(super) struct RunSource {
    arguments: RunArguments,
    environment: Environment,
    backend: Backend,
    /// The emulators, if there is no AWS.
    demo: Option<SharedDemo>,
    /// File for the CA certificates of the emulators.
    demo_ca: PathBuf,
    sealing_key: SealingKey,
    /// OpenTelemetry's variables when Envoy was started.
    telemetry: Environment,
    /// Gets the credentials of the configuration, if requests go to AWS.
    broker: Option<RunBroker>,
    /// The certificate of the TLS listener.
    tls: TlsPair,
    /// What does not depend on the file.
    options: RenderOptions,
}

impl RunSource {
    /// For the Envoy that `prepared` describes, with its copy of the filter.
    pub(super) fn new(
        arguments: &RunArguments,
        prepared: &Prepared,
        filter: String,
        demo: Option<SharedDemo>,
        sealing_key: SealingKey,
        broker: Option<RunBroker>,
        tls: TlsPair,
    ) -> Result<Self, RunError> {
        let demo_ca = prepared.state.path("emulator-ca.pem");
        let upstream_ca = match demo {
            Some(_) => prepare::text(&demo_ca)?,
            None => prepare::upstream_ca(arguments, &prepared.environment)?,
        };
        Ok(Self {
            environment: prepared.environment.clone(),
            backend: prepared.backend,
            demo,
            demo_ca,
            sealing_key,
            telemetry: prepared.blueprint.telemetry.clone(),
            options: RenderOptions {
                runtime: arguments.filter.runtime,
                filter,
                listeners: Listeners {
                    bind: arguments.bind,
                    port: prepared.ports.plain.address().port(),
                    tls: None,
                },
                // Each Envoy has another one.
                admin_port: 0,
                metrics_port: None,
                upstream_ca,
                access_log: prepared.spend_log.clone(),
                collector: prepared.collector.clone(),
                emulators: Default::default(),
                secrets: SecretSource::Sealed,
                broker: match &broker {
                    Some(broker) => BrokerAddress::Socket(prepare::text(broker.socket())?),
                    None => BrokerAddress::default(),
                },
                max_heap: arguments
                    .max_heap
                    .unwrap_or_else(|| memory::heap_limit(arguments.wants_standby())),
            },
            broker,
            tls,
            arguments: arguments.clone(),
        })
    }

    /// What to render for a configuration that was read.
    pub(super) async fn rendering(&mut self, mut blueprint: Blueprint) -> Result<Rendering, RunError> {
        let mut options = self.options.clone();
        options.listeners.tls = Some(self.tls.copies().await?);
        let mut environment = self.environment.clone();
        if let Some(demo) = &self.demo {
            let mut demo = demo.lock().await;
            demo.cover(&blueprint, &self.environment).await?;
            crate::state::write_private(&self.demo_ca, &demo.ca_pem())?;
            options.emulators = demo.addresses.clone();
            environment.extend(&demo.variables);
        }
        if let Some(broker) = &self.broker {
            broker.set(&blueprint);
        }
        sealing::seal(&mut blueprint, &self.sealing_key, &environment);
        Ok(Rendering { blueprint, options })
    }

    fn read_blueprint(&self) -> Result<Blueprint, ReloadError> {
        let refused = |error: RunError| ReloadError::Configuration(error.messages());
        let prices = PriceList::of_file(self.arguments.prices.as_deref());
        let prices = prices.map_err(|error| refused(error.into()))?;
        // Requests keep going where they went at startup.
        let bedrock = match self.backend {
            Backend::Aws => Bedrock::Aws,
            Backend::Emulator(_) => Bedrock::Emulator,
        };
        let RunArguments {
            config, tolerance, ..
        } = &self.arguments;
        let chosen = backend::choose(config, bedrock, &self.environment, &prices, tolerance);
        let (blueprint, _) = chosen.map_err(refused)?;
        if blueprint.telemetry != self.telemetry {
            let problem = "it changes the OpenTelemetry collector";
            return Err(ReloadError::NeedsRestart(problem.to_owned()));
        }
        if self.backend == Backend::Emulator(Reason::NoCredentials) && backend::has_credentials(&blueprint) {
            tracing::warn!("AWS credentials are available now: restart to send requests to AWS");
        }
        Ok(blueprint)
    }
}

impl ConfigSource for RunSource {
    fn files(&self) -> Vec<PathBuf> {
        let mut files = litellm::files(&self.arguments.config);
        files.extend(self.arguments.prices.clone());
        files.extend(self.tls.files());
        files
    }

    async fn read(&mut self) -> Result<Rendering, ReloadError> {
        let blueprint = self.read_blueprint()?;
        let rendering = self.rendering(blueprint).await;
        rendering.map_err(|error| ReloadError::Configuration(error.messages()))
    }
}
