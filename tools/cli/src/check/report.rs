//! The report of `check`, in the form of its JSON. Keys are only ever added, and no value is a
//! secret.

use envoy_bedrock::contract::settings::{
    CredentialSettings, DeploymentSettings, GuardrailSettings, ModelSettings,
};
use envoy_bedrock::pricing::Rates;
use serde::Serialize;

use crate::blueprint::{Blueprint, Endpoint};
use crate::json::pretty;
use crate::litellm::{Note, NoteGroup, ReadError, grouped};
use crate::prices::RatesJson;

/// The whole report.
#[derive(Debug, Serialize)]
pub(crate) struct CheckReport {
    /// The file, as the user named it.
    pub file: String,
    /// Whether the configuration is valid.
    pub valid: bool,
    /// The errors, in the order of the file.
    pub errors: Vec<ErrorReport>,
    /// Options with which the configuration can be used despite its errors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<String>,
    /// The errors, for the text.
    #[serde(skip)]
    pub faults: Vec<ReadError>,
    /// What the configuration means; absent if it is not valid.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub meaning: Option<Meaning>,
}

/// One error of a configuration.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorReport {
    /// Its file.
    pub file: String,
    /// Its line, from 1; null for the whole file.
    pub line: Option<usize>,
    /// The field, such as `model_list[0].model_name`; may be empty.
    pub path: String,
    /// `protects` for a setting that `--accept-unprotected` can accept, else `error`.
    pub class: &'static str,
    /// The message.
    pub message: String,
}

/// What a valid configuration means.
#[derive(Debug, Serialize)]
pub(crate) struct Meaning {
    /// The model groups, in the order of the file.
    pub models: Vec<ModelReport>,
    /// The endpoints that Envoy connects to.
    pub endpoints: Vec<EndpointReport>,
    /// Most attempts per request.
    pub attempts: u32,
    /// Time limit of a response that is not streamed, in seconds.
    pub request_timeout_seconds: f64,
    /// Largest request body, in bytes.
    pub body_limit_bytes: u64,
    /// Variable of the proxy key.
    pub master_key: String,
    /// Variables for literal secrets of the file.
    pub moved_secrets: Vec<String>,
    /// Variables of secrets that are not set (only with `--secrets-later`).
    pub missing_secrets: Vec<String>,
    /// What was ignored, skipped or replaced. The same finding in several places is one note.
    pub notes: Vec<NoteReport>,
    /// The notes, for the text.
    #[serde(skip)]
    pub remarks: Vec<Note>,
}

/// One note.
#[derive(Debug, Serialize)]
pub(crate) struct NoteReport {
    /// Where it was found first.
    #[serde(flatten)]
    pub at: PlaceReport,
    /// Its kind: accepted, left_out, skipped, unknown, no_effect, not_needed or note.
    pub class: &'static str,
    /// The message.
    pub message: String,
    /// Where else it was found.
    pub also: Vec<PlaceReport>,
}

/// A place in a file.
#[derive(Debug, Serialize)]
pub(crate) struct PlaceReport {
    /// The file.
    pub file: String,
    /// Its line, from 1; null for the whole file.
    pub line: Option<usize>,
    /// The field, such as `litellm_settings.cache`; may be empty.
    pub field: String,
}

/// A model group.
#[derive(Debug, Serialize)]
pub(crate) struct ModelReport {
    /// The name; a `*` matches any run of characters.
    pub name: String,
    /// Its aliases.
    pub aliases: Vec<String>,
    /// The guardrail for each of its requests, whatever the deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guardrail: Option<GuardrailSettings>,
    /// Its deployments, in the order of the file.
    pub deployments: Vec<DeploymentReport>,
}

/// A deployment.
#[derive(Debug, Serialize)]
pub(crate) struct DeploymentReport {
    /// Its id in headers and logs.
    pub id: String,
    /// Bedrock's model id.
    pub model: String,
    /// Region that requests are signed for.
    pub region: String,
    /// Its cluster in `endpoints`.
    pub cluster: String,
    /// The URL that requests are sent to, up to `/model/…`.
    pub url: String,
    /// Deployments with a lower order are tried first.
    pub order: i64,
    /// Weight among the deployments of the same `order`.
    pub weight: u64,
    /// Its weight in percent, with two decimals. 0: it is used only after another deployment has
    /// failed.
    pub share_percent: f64,
    /// Its price.
    pub price: PriceReport,
    /// How requests are authenticated.
    pub credentials: CredentialReport,
}

/// The price of a deployment.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum PriceReport {
    /// The price is known.
    Known {
        /// The rates.
        usd_per_million_tokens: Box<RatesJson>,
        /// The rates, for the text.
        #[serde(skip)]
        rates: Box<Rates>,
    },
    /// The price is that of the model that matches the wildcard.
    ByModel,
    /// The price is unknown.
    Unknown,
}

/// The variables of a deployment's credentials, without their values.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum CredentialReport {
    /// Requests are signed.
    Sigv4 {
        /// Variable of the access key id.
        access_key_id: String,
        /// Variable of the secret access key.
        secret_access_key: String,
        /// Variable of the session token, if any.
        session_token: Option<String>,
    },
    /// Requests carry a Bedrock API key.
    Bearer {
        /// Variable of the key.
        api_key: String,
    },
    /// The credential broker has the credentials.
    Brokered {
        /// The broker's name for them.
        id: String,
        /// Where they come from.
        source: String,
        /// Whether requests carry short-term Bedrock API keys instead of signatures.
        bearer: bool,
    },
}

/// An endpoint that Envoy connects to.
#[derive(Debug, Serialize)]
pub(crate) struct EndpointReport {
    /// Name of its Envoy cluster.
    pub cluster: String,
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether it uses TLS.
    pub tls: bool,
}

impl CheckReport {
    /// The report about `file`, which was read with this outcome.
    pub(crate) fn of(file: &str, outcome: &Result<Blueprint, Vec<ReadError>>, remedies: Vec<String>) -> Self {
        let (faults, meaning) = match outcome {
            Ok(blueprint) => (Vec::new(), Some(Meaning::of(blueprint))),
            Err(errors) => (errors.clone(), None),
        };
        CheckReport {
            file: file.to_owned(),
            valid: outcome.is_ok(),
            errors: faults.iter().map(ErrorReport::of).collect(),
            remedies,
            faults,
            meaning,
        }
    }

    /// The report as JSON.
    pub(crate) fn json(&self) -> String {
        pretty(self)
    }
}

impl ErrorReport {
    fn of(error: &ReadError) -> Self {
        ErrorReport {
            file: error.location.file.to_string(),
            line: error.location.line,
            path: error.location.path.clone(),
            class: if error.is_unprotected() {
                "protects"
            } else {
                "error"
            },
            message: error.problem.to_string(),
        }
    }
}

impl NoteReport {
    fn of(group: &NoteGroup<'_>) -> Option<Self> {
        let mut spots = group.locations.iter().map(|place| PlaceReport {
            file: place.file.to_string(),
            line: place.line,
            field: place.path.clone(),
        });
        Some(NoteReport {
            at: spots.next()?,
            class: group.class.name(),
            message: group.message(),
            also: spots.collect(),
        })
    }
}

impl Meaning {
    fn of(blueprint: &Blueprint) -> Self {
        let settings = &blueprint.settings;
        let aliases_of = |name: &str| {
            let of_name = settings.aliases.iter().filter(|(_, target)| *target == name);
            of_name.map(|(alias, _)| alias.clone()).collect()
        };
        let model = |model: &ModelSettings| ModelReport {
            name: model.name.clone(),
            aliases: aliases_of(&model.name),
            guardrail: model.guardrail.clone(),
            deployments: model
                .deployments
                .iter()
                .map(|deployment| DeploymentReport::of(deployment, model, blueprint))
                .collect(),
        };
        let endpoint = |endpoint: &Endpoint| EndpointReport {
            cluster: endpoint.cluster.clone(),
            host: endpoint.host.clone(),
            port: endpoint.port,
            tls: endpoint.server_name.is_some(),
        };
        Meaning {
            models: settings.models.iter().map(model).collect(),
            endpoints: blueprint.endpoints.iter().map(endpoint).collect(),
            attempts: settings.attempts,
            request_timeout_seconds: blueprint.request_timeout.as_secs_f64(),
            body_limit_bytes: settings.body_limit_bytes,
            master_key: settings.master_key.0.clone(),
            moved_secrets: blueprint.secrets.keys().map(|name| name.0.clone()).collect(),
            missing_secrets: blueprint.missing.iter().map(|name| name.0.clone()).collect(),
            notes: grouped(&blueprint.notes)
                .iter()
                .filter_map(NoteReport::of)
                .collect(),
            remarks: blueprint.notes.clone(),
        }
    }
}

impl Meaning {
    /// The deployments of all model groups.
    pub(crate) fn deployments(&self) -> impl Iterator<Item = &DeploymentReport> {
        self.models.iter().flat_map(|model| &model.deployments)
    }
}

impl DeploymentReport {
    fn of(settings: &DeploymentSettings, model: &ModelSettings, blueprint: &Blueprint) -> Self {
        let endpoint = blueprint
            .endpoints
            .iter()
            .find(|endpoint| endpoint.cluster == settings.cluster);
        let scheme = if endpoint.is_none_or(|endpoint| endpoint.server_name.is_some()) {
            "https"
        } else {
            "http"
        };
        DeploymentReport {
            id: settings.id.clone(),
            model: settings.model.clone(),
            region: settings.region.clone(),
            cluster: settings.cluster.clone(),
            url: format!("{scheme}://{}{}", settings.authority, settings.base_path),
            order: settings.order,
            weight: settings.weight,
            share_percent: share_percent(settings, model),
            price: PriceReport::of(settings),
            credentials: CredentialReport::of(&settings.credentials, blueprint),
        }
    }
}

impl PriceReport {
    fn of(settings: &DeploymentSettings) -> Self {
        match &settings.rates {
            Some(rates) if rates.unmeasured => PriceReport::Unknown,
            Some(rates) => PriceReport::Known {
                usd_per_million_tokens: Box::new(RatesJson::of(rates)),
                rates: Box::new(rates.clone()),
            },
            None if settings.model.contains('*') => PriceReport::ByModel,
            None => PriceReport::Unknown,
        }
    }
}

fn share_percent(of: &DeploymentSettings, model: &ModelSettings) -> f64 {
    let siblings = model
        .deployments
        .iter()
        .filter(|sibling| sibling.order == of.order);
    let total: u128 = siblings.map(|sibling| u128::from(sibling.weight)).sum();
    if total == 0 {
        return 0.0;
    }
    (of.weight as f64 / total as f64 * 10_000.0).round() / 100.0
}

impl CredentialReport {
    fn of(settings: &CredentialSettings, blueprint: &Blueprint) -> Self {
        match settings {
            CredentialSettings::Sigv4(keys) => CredentialReport::Sigv4 {
                access_key_id: keys.access_key_id.0.clone(),
                secret_access_key: keys.secret_access_key.0.clone(),
                session_token: keys.session_token.as_ref().map(|name| name.0.clone()),
            },
            CredentialSettings::Brokered { id, bearer, .. } => CredentialReport::Brokered {
                id: id.clone(),
                source: blueprint
                    .brokered
                    .iter()
                    .find(|credential| credential.id == *id)
                    .map(|credential| credential.source.to_string())
                    .unwrap_or_default(),
                bearer: *bearer,
            },
            CredentialSettings::Bearer { api_key } => CredentialReport::Bearer {
                api_key: api_key.0.clone(),
            },
        }
    }
}
