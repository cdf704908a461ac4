//! A configuration in a directory, whose files Envoy reads again when they change.
//!
//! The bootstrap file never changes while Envoy runs. It names the other files, each with the
//! resources of one kind: listeners (LDS), their certificates (SDS), routes (RDS), clusters (CDS)
//! and the gateway role of the filter (ECDS). The signer role needs no file, because its
//! configuration is empty.

use std::io;
use std::path::{Path, PathBuf};

use envoy_bedrock::contract::names::ROOT_GATEWAY;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::bootstrap;
use super::itinerary::Legs;
use super::options::RenderOptions;
use super::{filter, yaml};
use crate::blueprint::Blueprint;
use crate::state::replace_file;

/// File that Envoy is started with.
pub(crate) const BOOTSTRAP_FILE: &str = "envoy.yaml";
/// Name of the secret with the certificate of the TLS listener.
const CERTIFICATE: &str = "tls";
/// Digits of a version.
const VERSION_DIGITS: usize = 12;

/// A kind of resources, each in its own file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ResourceKind {
    /// Certificates of listeners.
    Certificates,
    /// Clusters.
    Clusters,
    /// Routes.
    Routes,
    /// Listeners.
    Listeners,
    /// The gateway role of the filter, with the settings.
    Filters,
}

impl ResourceKind {
    /// Every kind, in the order in which changes are safe: what others refer to comes first.
    pub(crate) const ALL: [Self; 5] = [
        Self::Certificates,
        Self::Clusters,
        Self::Routes,
        Self::Listeners,
        Self::Filters,
    ];

    /// The name of its file.
    pub(crate) const fn file_name(self) -> &'static str {
        match self {
            Self::Certificates => "certificates.yaml",
            Self::Clusters => "clusters.yaml",
            Self::Routes => "routes.yaml",
            Self::Listeners => "listeners.yaml",
            Self::Filters => "filters.yaml",
        }
    }

    /// The prefix of Envoy's stats about its updates: `version_text`, `update_rejected` and so on.
    /// A listener waits for its certificates, which have no such stats.
    pub(crate) const fn stats(self) -> Option<&'static str> {
        match self {
            Self::Certificates => None,
            Self::Clusters => Some("cluster_manager.cds"),
            Self::Routes => Some("http.gateway.rds.bedrock"),
            Self::Listeners => Some("listener_manager.lds"),
            Self::Filters => Some("extension_config_discovery.http_filter.envoy-bedrock.gateway"),
        }
    }

    const fn type_url(self) -> &'static str {
        match self {
            Self::Certificates => "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            Self::Clusters => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Self::Routes => "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
            Self::Listeners => "type.googleapis.com/envoy.config.listener.v3.Listener",
            Self::Filters => "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
        }
    }
}

/// The resources of one kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resources {
    pub(crate) kind: ResourceKind,
    pub(crate) resources: Vec<Value>,
}

impl Resources {
    /// The file, and its version, which depends only on the resources.
    pub(crate) fn file(&self) -> (String, String) {
        let typed = self.resources.iter().map(|resource| {
            let mut typed = resource.clone();
            typed["@type"] = self.kind.type_url().into();
            typed
        });
        let typed = Value::Array(typed.collect());
        let mut version = hex::encode(Sha256::digest(yaml::document(&typed)));
        version.truncate(VERSION_DIGITS);
        let file = yaml::document(&json!({ "version_info": version, "resources": typed }));
        (file, version)
    }
}

/// A configuration as Envoy reads it from a directory.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DynamicConfig {
    /// What Envoy is started with.
    pub(crate) bootstrap: Value,
    /// The other files, in the order of [`ResourceKind::ALL`].
    pub(crate) resources: Vec<Resources>,
    /// Where the routes lead.
    pub(crate) legs: Legs,
}

impl DynamicConfig {
    /// Renders `blueprint` for files in `directory`, as Envoy sees it.
    pub(crate) fn of(blueprint: &Blueprint, options: &RenderOptions, directory: &str) -> Self {
        let mut bootstrap = bootstrap::bootstrap(blueprint, options);
        let mut taken = Taken {
            directory,
            resources: ResourceKind::ALL.map(|kind| Resources {
                kind,
                resources: Vec::new(),
            }),
        };
        for listener in bootstrap["static_resources"]["listeners"]
            .as_array_mut()
            .into_iter()
            .flatten()
        {
            taken.take_parts(listener);
        }
        let mut static_resources = bootstrap["static_resources"].take();
        let kinds = [
            (ResourceKind::Listeners, "listeners"),
            (ResourceKind::Clusters, "clusters"),
        ];
        for (kind, member) in kinds {
            if let Value::Array(resources) = static_resources[member].take() {
                taken.of(kind).extend(resources);
            }
        }
        bootstrap["dynamic_resources"] = json!({
            "lds_config": taken.source(ResourceKind::Listeners),
            "cds_config": taken.source(ResourceKind::Clusters),
        });
        Self {
            bootstrap,
            resources: taken.resources.into(),
            legs: Legs::of(blueprint),
        }
    }

    /// The routes. They also lead to clusters that are no longer configured, because requests under
    /// the previous configuration still go there.
    pub(crate) fn routes(&self, no_longer_configured: impl Iterator<Item = String>) -> Resources {
        let mut routes = self.of_kind(ResourceKind::Routes).clone();
        let plugin = self.legs.clone().with(no_longer_configured).plugin();
        for route in &mut routes.resources {
            route["cluster_specifier_plugins"] = json!([plugin]);
        }
        routes
    }

    /// The resources of a kind.
    pub(crate) fn of_kind(&self, kind: ResourceKind) -> &Resources {
        &self.resources[kind as usize]
    }

    /// The variables of Envoy's environment that the filter reads. They are part of its VM's
    /// identity, and Envoy's environment is fixed.
    pub(crate) fn variables(&self) -> Vec<String> {
        let filters = &self.of_kind(ResourceKind::Filters).resources;
        filters.iter().flat_map(filter::variables).collect()
    }

    /// Writes all files into `directory`, for an Envoy that is not running yet. The files get this
    /// mode. `header` is the comment at the top of the bootstrap file.
    ///
    /// # Errors
    /// The file that cannot be written, and why.
    pub(crate) fn write(
        &self,
        directory: &Path,
        mode: u32,
        header: &str,
    ) -> Result<(), (PathBuf, io::Error)> {
        let bootstrap = (BOOTSTRAP_FILE, self.bootstrap_file(header));
        let resources = self.resources.iter();
        let resources = resources.map(|resources| (resources.kind.file_name(), resources.file().0));
        for (name, text) in resources.chain([bootstrap]) {
            let path = directory.join(name);
            replace_file(&path, &text, mode).map_err(|error| (path, error))?;
        }
        Ok(())
    }

    /// The bootstrap file, below `header` as comment lines.
    fn bootstrap_file(&self, header: &str) -> String {
        bootstrap::document(&self.bootstrap, header)
    }
}

/// The resources that were taken out of the bootstrap.
struct Taken<'a> {
    directory: &'a str,
    resources: [Resources; 5],
}

impl Taken<'_> {
    fn of(&mut self, kind: ResourceKind) -> &mut Vec<Value> {
        &mut self.resources[kind as usize].resources
    }

    /// Where Envoy finds the resources of a kind. It reads the file again when a file is moved to
    /// its name.
    fn source(&self, kind: ResourceKind) -> Value {
        let path = Path::new(self.directory).join(kind.file_name());
        json!({
            "resource_api_version": "V3",
            "path_config_source": {
                "path": path.to_string_lossy(),
                "watched_directory": { "path": self.directory },
            },
        })
    }

    /// Replaces the parts of a listener that can change by references. Listeners for clients have
    /// the same parts, so each part is kept once.
    fn take_parts(&mut self, listener: &mut Value) {
        let chain = &mut listener["filter_chains"][0];
        if let Some(context) = chain.pointer_mut("/transport_socket/typed_config/common_tls_context") {
            self.take_certificate(context);
        }
        let Some(manager) = chain.pointer_mut("/filters/0/typed_config") else {
            return;
        };
        let gateway = filter::name(ROOT_GATEWAY);
        let filters = manager["http_filters"].as_array_mut().into_iter().flatten();
        let Some(found) = filters.into_iter().find(|filter| filter["name"] == gateway) else {
            return;
        };
        let reference = json!({
            "name": gateway,
            "config_discovery": {
                "config_source": self.source(ResourceKind::Filters),
                "type_urls": [found["typed_config"]["@type"]],
            },
        });
        let found = std::mem::replace(found, reference);
        let routes = manager["route_config"].take();
        manager["rds"] = json!({
            "route_config_name": routes["name"],
            "config_source": self.source(ResourceKind::Routes),
        });
        *self.of(ResourceKind::Filters) = vec![found];
        *self.of(ResourceKind::Routes) = vec![routes];
    }

    fn take_certificate(&mut self, context: &mut Value) {
        let mut certificate = context["tls_certificates"][0].take();
        context["tls_certificates"] = Value::Null;
        let file = certificate["certificate_chain"]["filename"].as_str();
        let directory = file.and_then(|file| Path::new(file).parent());
        // Envoy reads a renewed certificate when a file is moved into its directory.
        certificate["watched_directory"] = directory.map_or(
            Value::Null,
            |directory| json!({ "path": directory.to_string_lossy() }),
        );
        context["tls_certificate_sds_secret_configs"] = json!([{
            "name": CERTIFICATE,
            "sds_config": self.source(ResourceKind::Certificates),
        }]);
        *self.of(ResourceKind::Certificates) =
            vec![json!({ "name": CERTIFICATE, "tls_certificate": certificate })];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{Environment, SecretPolicy};
    use crate::litellm;
    use crate::render::{Listeners, Tls};

    const CONFIG: &str = "model_list:
- {model_name: m, litellm_params: {model: bedrock/a.b, aws_region_name: us-west-2}}
- {model_name: m, litellm_params: {model: bedrock/a.b, aws_region_name: us-east-1}}
";

    fn blueprint(text: &str) -> Blueprint {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.yaml");
        std::fs::write(&path, text).unwrap();
        litellm::read(&path, &Environment::default(), SecretPolicy::MayComeLater).unwrap()
    }

    fn options() -> RenderOptions {
        let defaults = RenderOptions::default();
        let tls = Tls {
            port: 4443,
            certificate: "/tls/chain.pem".into(),
            key: "/tls/key.pem".into(),
        };
        RenderOptions {
            listeners: Listeners {
                tls: Some(tls),
                ..defaults.listeners
            },
            metrics_port: Some(9902),
            ..defaults
        }
    }

    /// What Envoy makes of the files: each reference replaced by what it names.
    fn reassembled(config: &DynamicConfig) -> Value {
        let one = |kind| config.of_kind(kind).resources[0].clone();
        let mut listeners = config.of_kind(ResourceKind::Listeners).resources.clone();
        for listener in &mut listeners {
            let chain = &mut listener["filter_chains"][0];
            if let Some(context) = chain.pointer_mut("/transport_socket/typed_config/common_tls_context") {
                let mut certificate = one(ResourceKind::Certificates)["tls_certificate"].take();
                certificate.as_object_mut().unwrap().remove("watched_directory");
                context["tls_certificates"] = json!([certificate]);
                let context = context.as_object_mut().unwrap();
                context.remove("tls_certificate_sds_secret_configs");
            }
            for filter in chain["filters"].as_array_mut().unwrap() {
                let manager = &mut filter["typed_config"];
                if manager.get("rds").is_none() {
                    continue;
                }
                manager["route_config"] = one(ResourceKind::Routes);
                manager.as_object_mut().unwrap().remove("rds");
                for filter in manager["http_filters"].as_array_mut().unwrap() {
                    if filter.get("config_discovery").is_some() {
                        *filter = one(ResourceKind::Filters);
                    }
                }
            }
        }
        let mut whole = config.bootstrap.clone();
        whole.as_object_mut().unwrap().remove("dynamic_resources");
        whole["static_resources"] = json!({
            "listeners": listeners,
            "clusters": config.of_kind(ResourceKind::Clusters).resources,
        });
        whole
    }

    #[test]
    fn the_files_together_are_the_self_contained_configuration() {
        let (blueprint, options) = (blueprint(CONFIG), options());
        let config = DynamicConfig::of(&blueprint, &options, "/etc/envoy");
        let expected = yaml::document(&bootstrap::bootstrap(&blueprint, &options));
        assert_eq!(yaml::document(&reassembled(&config)), expected);
    }

    #[test]
    fn what_the_configuration_decides_changes_neither_the_bootstrap_nor_the_listeners() {
        let render = |text: &str| DynamicConfig::of(&blueprint(text), &options(), "/etc/envoy");
        let before = render(CONFIG);
        let after = render(&format!(
            "{}- {{model_name: n, litellm_params: {{model: bedrock/c.d, aws_region_name: eu-west-1}}}}
general_settings: {{max_request_size_mb: 100, master_key: os.environ/OTHER}}
litellm_settings: {{request_timeout: 5, num_retries: 7}}
",
            CONFIG
        ));
        assert_eq!(before.bootstrap, after.bootstrap);
        for kind in [ResourceKind::Listeners, ResourceKind::Certificates] {
            assert_eq!(before.of_kind(kind), after.of_kind(kind));
        }
        for kind in [
            ResourceKind::Clusters,
            ResourceKind::Routes,
            ResourceKind::Filters,
        ] {
            assert_ne!(before.of_kind(kind), after.of_kind(kind));
        }
    }

    #[test]
    fn with_sealed_secrets_the_filter_reads_one_variable() {
        let sealed = RenderOptions {
            secrets: super::super::SecretSource::Sealed,
            ..options()
        };
        let variables = |options| DynamicConfig::of(&blueprint(CONFIG), options, "/etc/envoy").variables();
        assert_eq!(variables(&sealed), ["ENVOY_BEDROCK_SEALING_KEY"]);
        assert!(variables(&options()).contains(&"AWS_SECRET_ACCESS_KEY".to_owned()));
    }

    #[test]
    fn both_runtimes_have_the_same_settings_and_variables() {
        let native = RenderOptions {
            runtime: super::super::FilterRuntime::Native,
            ..options()
        };
        let [wasm, native] =
            [options(), native].map(|options| DynamicConfig::of(&blueprint(CONFIG), &options, "/etc/envoy"));
        assert!(!wasm.variables().is_empty());
        assert_eq!(wasm.variables(), native.variables());
        let settings = |config: &DynamicConfig, place| {
            let filter = &config.of_kind(ResourceKind::Filters).resources[0];
            filter.pointer(place).cloned()
        };
        let of_wasm = settings(&wasm, "/typed_config/config/configuration/value");
        assert!(of_wasm.is_some());
        assert_eq!(
            of_wasm,
            settings(&native, "/typed_config/filter_config/value/settings")
        );
    }

    #[test]
    fn with_an_aws_pair_the_filter_reads_the_sealing_key() {
        let pair = format!(
            "{CONFIG}envoy_bedrock: {{keys: [{{token: {}, aws_pairs: [{{access_key_id: A, sealed_secret: b}}]}}]}}\n",
            "ab".repeat(32)
        );
        let variables =
            |text: &str| DynamicConfig::of(&blueprint(text), &options(), "/etc/envoy").variables();
        let sealing_key = "ENVOY_BEDROCK_SEALING_KEY".to_owned();
        assert!(variables(&pair).contains(&sealing_key));
        assert!(!variables(CONFIG).contains(&sealing_key));
    }
}
