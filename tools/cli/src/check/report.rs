//! What `check` has to tell, in the shape of its JSON. Keys are only ever added; no value is a secret.

use envoy_bedrock::contract::settings::{
    CredentialSettings, DeploymentSettings, GuardrailSettings, ModelSettings,
};
use envoy_bedrock::pricing::Rates;
use serde::Serialize;

use crate::blueprint::{Blueprint, Endpoint};
use crate::litellm::{Note, NoteGroup, ReadError, grouped};
use crate::prices::RatesJson;

/// The whole.
#[derive(Debug, Serialize)]
pub(crate) struct CheckReport {
    /// The file, as it was named.
    pub file: String,
    /// Whether it can be used.
    pub valid: bool,
    /// Why not, in the order of the file; empty if it is valid.
    pub errors: Vec<ErrorReport>,
    /// How it can be used all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<String>,
    /// The errors, for the text.
    #[serde(skip)]
    pub faults: Vec<ReadError>,
    /// What it means; absent if it is not valid.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub meaning: Option<Meaning>,
}

/// One reason why a configuration cannot be used.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorReport {
    /// The file in which it is.
    pub file: String,
    /// The line, from 1; null if the whole file is meant.
    pub line: Option<usize>,
    /// The field, such as `model_list[0].model_name`; may be empty.
    pub path: String,
    /// `protects` for a setting that `--accept-unprotected` can accept, else `error`.
    pub class: &'static str,
    /// What was expected and what was found.
    pub message: String,
}

/// What a valid configuration means.
#[derive(Debug, Serialize)]
pub(crate) struct Meaning {
    /// The models that clients can name, in the order of the file.
    pub models: Vec<ModelReport>,
    /// The clusters that Envoy connects to.
    pub endpoints: Vec<EndpointReport>,
    /// Most attempts of a request.
    pub attempts: u32,
    /// Time limit of an answer that does not stream, in seconds.
    pub request_timeout_seconds: f64,
    /// Largest request body, in bytes.
    pub body_limit_bytes: u64,
    /// Variable that holds the key of the clients.
    pub master_key: String,
    /// Variables that have to be set from literal secrets of the file.
    pub moved_secrets: Vec<String>,
    /// Variables of secrets that are not set (only with `--secrets-later`).
    pub missing_secrets: Vec<String>,
    /// What is ignored, skipped or replaced; the same finding at several places is one note.
    pub notes: Vec<NoteReport>,
    /// The same, for the text.
    #[serde(skip)]
    pub remarks: Vec<Note>,
}

/// One finding.
#[derive(Debug, Serialize)]
pub(crate) struct NoteReport {
    /// Where it was found first.
    #[serde(flatten)]
    pub at: PlaceReport,
    /// What kind of finding it is: accepted, left_out, skipped, unknown, no_effect, not_needed or note.
    pub class: &'static str,
    /// What it says.
    pub message: String,
    /// Where else it was found.
    pub also: Vec<PlaceReport>,
}

/// A place in a file.
#[derive(Debug, Serialize)]
pub(crate) struct PlaceReport {
    /// The file.
    pub file: String,
    /// The line, from 1; null if the whole file is meant.
    pub line: Option<usize>,
    /// The field, such as `litellm_settings.cache`; may be empty.
    pub field: String,
}

/// A name for clients and what is behind it.
#[derive(Debug, Serialize)]
pub(crate) struct ModelReport {
    /// The name; a `*` matches any run of characters.
    pub name: String,
    /// Other names for it.
    pub aliases: Vec<String>,
    /// What Bedrock applies to each of its requests, at whichever deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guardrail: Option<GuardrailSettings>,
    /// Where its requests can go, in the order of the file.
    pub deployments: Vec<DeploymentReport>,
}

/// A model id in one place with one set of credentials.
#[derive(Debug, Serialize)]
pub(crate) struct DeploymentReport {
    /// Its id in headers and logs.
    pub id: String,
    /// Bedrock's model id.
    pub model: String,
    /// Region for which requests are signed.
    pub region: String,
    /// Its cluster among `endpoints`.
    pub cluster: String,
    /// What requests are sent to, up to `/model/…`.
    pub url: String,
    /// Lower ones are tried first.
    pub order: i64,
    /// Weight among its siblings of the same `order`.
    pub weight: u64,
    /// The same in percent, with two decimals. 0: only after another has failed.
    pub share_percent: f64,
    /// What its tokens cost.
    pub price: PriceReport,
    /// How requests are authenticated.
    pub credentials: CredentialReport,
}

/// What tokens cost.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum PriceReport {
    /// This.
    Known {
        /// The rates.
        usd_per_million_tokens: Box<RatesJson>,
        /// The first two of them, for the text.
        #[serde(skip)]
        rates: Box<Rates>,
    },
    /// What the model costs that a request names, where a wildcard lets it.
    ByModel,
    /// Nobody knows.
    Unknown,
}

/// Names of variables, none of their values.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum CredentialReport {
    /// Requests are signed.
    Sigv4 {
        /// Variable of the access key id.
        access_key_id: String,
        /// Variable of the secret access key.
        secret_access_key: String,
        /// Variable of the session token, if there is one.
        session_token: Option<String>,
    },
    /// Requests carry a Bedrock API key.
    Bearer {
        /// Variable of the key.
        api_key: String,
    },
}

/// An address that Envoy connects to.
#[derive(Debug, Serialize)]
pub(crate) struct EndpointReport {
    /// Name of the Envoy cluster.
    pub cluster: String,
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether it speaks TLS.
    pub tls: bool,
}

impl CheckReport {
    /// What the outcome of reading `file` says.
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

    /// The JSON, with a line break at its end.
    pub(crate) fn json(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("strings and numbers are JSON");
        text + "\n"
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
                .map(|deployment| DeploymentReport::of(deployment, model, &blueprint.endpoints))
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

impl DeploymentReport {
    fn of(settings: &DeploymentSettings, model: &ModelSettings, endpoints: &[Endpoint]) -> Self {
        let endpoint = endpoints
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
            credentials: CredentialReport::of(&settings.credentials),
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
    fn of(settings: &CredentialSettings) -> Self {
        match settings {
            CredentialSettings::Sigv4 {
                access_key_id,
                secret_access_key,
                session_token,
            } => CredentialReport::Sigv4 {
                access_key_id: access_key_id.0.clone(),
                secret_access_key: secret_access_key.0.clone(),
                session_token: session_token.as_ref().map(|name| name.0.clone()),
            },
            CredentialSettings::Bearer { api_key } => CredentialReport::Bearer {
                api_key: api_key.0.clone(),
            },
        }
    }
}
