//! `check --credentials`: gets every credential once, and says whose it is.

use std::fmt::Write;
use std::io::IsTerminal;

use comfy_table::{ContentArrangement, Table, presets};
use envoy_bedrock::contract::settings::{CredentialSettings, DeploymentSettings};
use futures_util::stream::{self, StreamExt};
use serde::Serialize;
use tokio::time::timeout;

use crate::blueprint::Blueprint;
use crate::broker::{FETCH_TIMEOUT, Failure, Fetcher, rfc3339};
use crate::credentials::{BrokeredCredential, CredentialSource};
use crate::environment::Environment;

/// How many credentials are tried at the same time.
const TRIALS_AT_ONCE: usize = 8;

/// What happened to a credential.
#[derive(Debug, Serialize)]
struct Trial {
    /// The deployments that use it.
    deployments: Vec<String>,
    /// Where it comes from.
    source: String,
    #[serde(flatten)]
    outcome: TrialOutcome,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
enum TrialOutcome {
    /// STS knows it.
    Works {
        account: String,
        arn: String,
        /// `None` if it does not expire.
        expires: Option<String>,
    },
    /// An API key, which only Bedrock can check.
    NotTried,
    /// It cannot be obtained, or STS refuses it.
    Fails { reason: String, remedy: String },
}

/// The form of the report: one JSON object, or a table for a terminal of this width.
pub(super) enum ReportForm {
    Json,
    Table { columns: Option<u16> },
}

/// Tries the credentials of `blueprint`. Returns the report, and whether all of them work.
pub(super) fn report(blueprint: &Blueprint, environment: &Environment, form: ReportForm) -> (String, bool) {
    if std::io::stderr().is_terminal() {
        anstream::eprintln!(
            "trying the credentials (up to {} seconds each)",
            FETCH_TIMEOUT.as_secs()
        );
    }
    let trials = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(all(blueprint, environment)),
        Err(error) => return (format!("cannot try the credentials: {error}\n"), false),
    };
    let all_work = !trials
        .iter()
        .any(|trial| matches!(trial.outcome, TrialOutcome::Fails { .. }));
    let text = match form {
        ReportForm::Json => {
            let report = serde_json::json!({ "valid": true, "credentials": trials });
            serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
        }
        ReportForm::Table { columns } => table(&trials, columns),
    };
    (text, all_work)
}

async fn all(blueprint: &Blueprint, environment: &Environment) -> Vec<Trial> {
    let fetcher = Fetcher::new(environment, &blueprint.secrets);
    let trials = sources(blueprint)
        .into_iter()
        .map(|credential| attempt(credential, &fetcher));
    let mut trials: Vec<_> = stream::iter(trials).buffered(TRIALS_AT_ONCE).collect().await;
    for deployment in named(blueprint) {
        if let CredentialSettings::Bearer { api_key } = &deployment.1.credentials {
            trials.push(Trial {
                deployments: vec![deployment.0],
                source: format!("API key in {}", api_key.0),
                outcome: TrialOutcome::NotTried,
            });
        }
    }
    trials
}

async fn attempt(credential: BrokeredCredential, fetcher: &Fetcher) -> Trial {
    let outcome = timeout(FETCH_TIMEOUT, identify(&credential, fetcher)).await;
    let outcome = outcome.unwrap_or_else(|_| Err(fetcher.no_response(&credential.source)));
    Trial {
        outcome: outcome.unwrap_or_else(|failure| TrialOutcome::Fails {
            remedy: failure.remedy().to_owned(),
            reason: failure.reason,
        }),
        source: credential.source.to_string(),
        deployments: credential.deployments,
    }
}

async fn identify(credential: &BrokeredCredential, fetcher: &Fetcher) -> Result<TrialOutcome, Failure> {
    let keys = fetcher.fetch(credential).await?;
    let expires = keys.expiry().map(rfc3339);
    let caller = fetcher.caller(keys, credential).await?;
    Ok(TrialOutcome::Works {
        account: caller.account,
        arn: caller.arn,
        expires,
    })
}

/// The credentials of the broker, and the access keys that need none, each once.
fn sources(blueprint: &Blueprint) -> Vec<BrokeredCredential> {
    let mut sources = blueprint.brokered.clone();
    for (name, deployment) in named(blueprint) {
        let CredentialSettings::Sigv4(keys) = &deployment.credentials else {
            continue;
        };
        let source = CredentialSource::Keys(keys.clone());
        match sources.iter_mut().find(|known| known.source == source) {
            Some(known) => known.deployments.push(name),
            None => sources.push(BrokeredCredential {
                id: String::new(),
                source,
                deployments: vec![name],
                region: deployment.region.clone(),
                bearer_regions: Default::default(),
            }),
        }
    }
    sources
}

/// The deployments with their names in messages.
fn named(blueprint: &Blueprint) -> impl Iterator<Item = (String, &DeploymentSettings)> {
    blueprint.settings.models.iter().flat_map(|model| {
        let deployments = model.deployments.iter();
        deployments.map(|deployment| (format!("{} in {}", model.name, deployment.region), deployment))
    })
}

fn table(trials: &[Trial], columns: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(columns) = columns {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(columns);
    }
    table.set_header(["DEPLOYMENTS", "SOURCE", "ACCOUNT", "IDENTITY", "EXPIRES"]);
    let mut failures = String::new();
    for trial in trials {
        let deployments = trial.deployments.join(", ");
        let cells = match &trial.outcome {
            TrialOutcome::Works {
                account,
                arn,
                expires,
            } => {
                let expires = expires.clone().unwrap_or_else(|| "never".to_owned());
                [account.clone(), arn.clone(), expires]
            }
            TrialOutcome::NotTried => [
                "-".to_owned(),
                "not tried: only Bedrock can verify an API key".to_owned(),
                "-".to_owned(),
            ],
            TrialOutcome::Fails { reason, remedy } => {
                let _ = writeln!(
                    failures,
                    "error: {deployments}: {}: {reason}. {remedy}",
                    trial.source
                );
                ["-".to_owned(), "FAILED".to_owned(), "-".to_owned()]
            }
        };
        table.add_row([deployments, trial.source.clone()].into_iter().chain(cells));
    }
    let rows: Vec<String> = table
        .to_string()
        .lines()
        .map(|row| row.trim_end().to_owned())
        .collect();
    format!("{}\n{failures}", rows.join("\n"))
}
