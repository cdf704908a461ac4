//! Reads a configuration into a [`Blueprint`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use envoy_bedrock::contract::keys::{KeySettings, TeamSettings};
use envoy_bedrock::contract::routing::RoutingSettings;
use envoy_bedrock::contract::settings::{EnvName, HISTORY_DEFAULT_ROWS, Settings};
use envoy_bedrock::sealing::SEALING_KEY;

use super::aliases;
use super::broker;
use super::clusters::Clusters;
use super::credential_list::CredentialList;
use super::deployment::{self, ListedModel};
use super::draft::Draft;
use super::keys;
use super::known::{self, Fate};
use super::left_out::LeftOut;
use super::model_groups;
use super::price;
use super::problem::ReadError;
use super::report::{ReadReport, Reader};
use super::routing::{RouterWide, stated_limit};
use super::tolerance::Tolerance;
use crate::blueprint::{Blueprint, Endpoint};
use crate::credentials::BrokeredCredential;
use crate::document::field::Section;
use crate::document::include::ConfigDocument;
use crate::document::reader::Read;
use crate::environment::{Environment, SecretPolicy};
use crate::prices::PriceList;

/// Reads the configuration at `path` and the files that it includes.
///
/// `os.environ/NAME` and LiteLLM's own variables refer to `environment`, not to that of the
/// process. `policy` decides what to do about secrets that are not set there.
///
/// # Errors
///
/// Everything that is wrong, in the order of the files.
pub fn read(
    path: &Path,
    environment: &Environment,
    policy: SecretPolicy,
) -> Result<Blueprint, Vec<ReadError>> {
    read_priced(path, environment, policy, PriceList::built_in())
}

/// [`read`] with another price list than the built-in one.
///
/// # Errors
///
/// Everything that is wrong, in the order of the files.
pub fn read_priced(
    path: &Path,
    environment: &Environment,
    policy: SecretPolicy,
    prices: &PriceList,
) -> Result<Blueprint, Vec<ReadError>> {
    read_tolerant(path, environment, policy, prices, &Tolerance::default())
}

/// [`read_priced`] with what the operator accepts.
///
/// # Errors
///
/// Everything that is wrong, in the order of the files.
pub fn read_tolerant(
    path: &Path,
    environment: &Environment,
    policy: SecretPolicy,
    prices: &PriceList,
    tolerance: &Tolerance,
) -> Result<Blueprint, Vec<ReadError>> {
    let mut reader = Reader::new(environment, policy, ReadReport::new(tolerance));
    // With deployments left out, each must have its own reason.
    reader.repeats_unset_variables = tolerance.leave_out_unsupported;
    let document = ConfigDocument::read(path, &mut reader);
    reader.refuse_nested(&document);
    // What is missing in a broken file would only be reported as further errors.
    let blueprint = if reader.findings.has_errors() {
        None
    } else {
        Configuration::open(&document, &mut reader)
            .blueprint(prices, &mut reader)
            .ok()
    };
    let (errors, notes) = reader.findings.finish();
    match blueprint {
        Some(blueprint) if errors.is_empty() => Ok(Blueprint { notes, ..blueprint }),
        _ => Err(errors),
    }
}

/// The configuration at `path`, the files that it includes, and the file with its keys, whether or
/// not they can be read.
pub(crate) fn files(path: &Path) -> Vec<PathBuf> {
    let (environment, tolerance) = (Environment::default(), Tolerance::default());
    let report = ReadReport::new(&tolerance);
    let mut reader = Reader::new(&environment, SecretPolicy::MayComeLater, report);
    let document = ConfigDocument::read(path, &mut reader);
    let keys_file = keys::keys_file(&document);
    document.files.into_iter().chain(keys_file).collect()
}

/// The file with the keys of the configuration at `path`, if it names one.
pub(crate) fn keys_file(path: &Path) -> Option<PathBuf> {
    let (environment, tolerance) = (Environment::default(), Tolerance::default());
    let report = ReadReport::new(&tolerance);
    let mut reader = Reader::new(&environment, SecretPolicy::MayComeLater, report);
    keys::keys_file(&ConfigDocument::read(path, &mut reader))
}

/// The sections of a configuration.
struct Configuration<'d> {
    document: &'d ConfigDocument,
    general: Section,
    litellm: Section,
    router: Section,
    own: Section,
}

/// What applies to the whole gateway.
struct GatewayWide {
    master_key: Read<EnvName>,
    attempts: Read<u32>,
    request_timeout: Read<Duration>,
    body_limit_bytes: Read<u64>,
    buffered_bodies_bytes: Read<Option<u64>>,
    parallel_requests: Read<Option<u64>>,
    /// Whether all deployments use short-term API keys.
    bearer: bool,
    keys: Vec<KeySettings>,
    teams: Vec<TeamSettings>,
    budget_exceeded_status: Read<Option<u16>>,
}

impl<'d> Configuration<'d> {
    /// Opens the sections. `environment_variables` comes first, because the others can refer to it.
    fn open(document: &'d ConfigDocument, reader: &mut Reader<'_>) -> Self {
        reader.assign_variables(document);
        let mut section = |name| {
            let section = document.section(name).map(|field| reader.section(&field));
            section
                .and_then(Read::ok)
                .unwrap_or_else(|| Section::empty(document.location.field(name)))
        };
        Configuration {
            document,
            general: section("general_settings"),
            litellm: section("litellm_settings"),
            router: section("router_settings"),
            own: section(known::ENVOY_BEDROCK.name),
        }
    }

    fn blueprint(&self, prices: &PriceList, reader: &mut Reader<'_>) -> Read<Blueprint> {
        let gateway = self.gateway_wide(reader);
        let router = reader.router_wide(&self.router, &self.litellm);
        let (routing, router) = match router {
            Ok(router) => (Ok(router.routing.clone()), router),
            Err(reported) => (Err(reported), RouterWide::default()),
        };
        self.refuse_misplaced(reader);
        let credentials = CredentialList::read(self.document, reader);
        let mut clusters = Clusters::default();
        let mut left_out = LeftOut::default();
        let drafts = self.drafts(&credentials, prices, &mut clusters, &mut left_out, reader);
        let drafts = reader.authenticated(drafts, gateway.bearer);
        let brokered = broker::brokered(&drafts);
        let mut models = model_groups::read(drafts, &router, &mut left_out, reader);
        if models.is_empty() && !reader.findings.has_errors() {
            return Err(left_out.nothing_to_serve(self.document, reader));
        }
        let aliases = if reader.findings.has_errors() {
            Default::default()
        } else {
            aliases::read(&self.router, &models, &mut left_out, reader)
        };
        if !reader.findings.has_errors() {
            let _reported =
                reader.add_fallbacks(&self.router, &self.litellm, &aliases, &mut models, &left_out);
            reader.note_limits_of_unknown_models(&gateway.keys, &gateway.teams, &models, &self.own);
        }
        let telemetry = reader.telemetry();
        self.judge_unused(&credentials, reader);
        reader.check_accepted();

        let request_timeout = gateway.request_timeout?;
        let settings = Settings {
            master_key: gateway.master_key?,
            attempts: gateway.attempts?,
            body_limit_bytes: gateway.body_limit_bytes?,
            buffered_bodies_bytes: gateway.buffered_bodies_bytes?,
            parallel_requests: gateway.parallel_requests?,
            history_rows: HISTORY_DEFAULT_ROWS,
            keys: gateway.keys,
            teams: gateway.teams,
            budget_exceeded_status: gateway.budget_exceeded_status?,
            broker: broker::settings(&brokered),
            routing: RoutingSettings {
                time_limit_milliseconds: stated_limit(request_timeout),
                ..routing?
            },
            sealed: Default::default(),
            reload: None,
            catalogue: price::wildcard_prices(&models, prices),
            withheld: left_out.withheld(&models),
            models,
            aliases,
        };
        // The secrets of deployments that were left out are not needed.
        let of_broker = brokered.iter().flat_map(BrokeredCredential::secret_names);
        let names: BTreeSet<&EnvName> = settings.secret_names().into_iter().chain(of_broker).collect();
        reader.secrets.retain(|name, _| names.contains(name));
        reader
            .missing
            .retain(|name| names.contains(name) || name.0 == SEALING_KEY);
        Ok(Blueprint {
            endpoints: used_endpoints(clusters, &settings),
            settings,
            request_timeout,
            secrets: std::mem::take(&mut reader.secrets),
            missing: std::mem::take(&mut reader.missing),
            brokered,
            telemetry,
            notes: Vec::new(),
        })
    }

    fn gateway_wide(&self, reader: &mut Reader<'_>) -> GatewayWide {
        let body_limit_bytes = reader.body_limit(&self.general);
        let bearer = reader.bearer_everywhere(&self.own);
        let (keys, teams) = reader.virtual_keys(&self.own, self.document);
        let buffered_bodies_bytes =
            reader.buffered_bodies(&self.own, *body_limit_bytes.as_ref().unwrap_or(&0));
        reader.refuse_unknown_own(&self.own);
        let master_key = reader.proxy_key(&self.general, &self.document.location);
        if let Ok(name) = &master_key {
            reader.refuse_master_key(&keys, name, &self.own);
        }
        GatewayWide {
            master_key,
            attempts: reader.attempts(&self.router, &self.litellm),
            request_timeout: reader.request_timeout(&self.router, &self.litellm, &self.general),
            body_limit_bytes,
            buffered_bodies_bytes,
            parallel_requests: reader.parallel_requests(&self.general),
            bearer,
            keys,
            teams,
            budget_exceeded_status: reader.budget_exceeded_status(&self.litellm),
        }
    }

    /// Refuses settings of deployments in sections that apply to all of them, and among the
    /// sections.
    fn refuse_misplaced(&self, reader: &mut Reader<'_>) {
        for section in [&self.general, &self.litellm, &self.router] {
            reader.refuse_misplaced_in(section);
        }
        reader.refuse_deciding_defaults(&self.router);
        for (name, field) in self.document.sections() {
            reader.refuse_misplaced(name, field);
        }
    }

    fn drafts(
        &self,
        credentials: &CredentialList,
        prices: &PriceList,
        clusters: &mut Clusters,
        left_out: &mut LeftOut,
        reader: &mut Reader<'_>,
    ) -> Vec<Draft> {
        let mut drafts = Vec::new();
        for element in self.document.list("model_list", reader) {
            let mark = reader.findings.mark();
            let listed = deployment::read(&element, credentials, prices, clusters, reader);
            let tolerates = reader.findings.tolerance.leave_out_unsupported;
            match listed {
                _ if tolerates && reader.findings.has_errors_since(mark) => {
                    left_out.add_unsupported(&element, mark, reader);
                }
                Ok(ListedModel::Deployment(draft)) => drafts.push(*draft),
                Ok(ListedModel::Skipped { model_name, provider }) => {
                    left_out.add_skipped(model_name, provider);
                }
                Err(_) => {}
            }
        }
        reader.refuse_misplaced_guardrails(credentials);
        drafts
    }

    /// Judges everything that has not been read.
    fn judge_unused(&self, credentials: &CredentialList, reader: &mut Reader<'_>) {
        reader.note_unused_aws_variables(&self.document.location);
        reader.judge_unused(&self.general, &known::GENERAL_SETTINGS);
        reader.judge_unused(&self.litellm, &known::LITELLM_SETTINGS);
        reader.judge_unused(&self.router, &known::ROUTER_SETTINGS);
        credentials.note_faults(reader);
        for entry in credentials.entries() {
            reader.judge_unused(entry, &known::CREDENTIAL_LIST);
        }
        for values in credentials.values() {
            reader.judge_unused(values, &known::LITELLM_PARAMS);
        }
        for (name, field) in self.document.sections() {
            let is_read = matches!(known::SECTIONS.fate(name), Some(Fate::Used(_)));
            if !is_read && !field.is_null() {
                reader.judge(&known::SECTIONS, name, field);
            }
        }
        reader.judge_unused_variables();
    }
}

fn used_endpoints(clusters: Clusters, settings: &Settings) -> Vec<Endpoint> {
    let is_used = |endpoint: &Endpoint| {
        settings
            .deployments()
            .any(|deployment| deployment.cluster == endpoint.cluster)
    };
    let endpoints = clusters.into_endpoints();
    endpoints.into_iter().filter(is_used).collect()
}
