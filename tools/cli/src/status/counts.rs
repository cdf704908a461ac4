//! The counters of each deployment, from the metrics of the filter.

use std::borrow::Cow;
use std::collections::BTreeMap;

use envoy_bedrock::contract::metrics as names;
use envoy_bedrock::contract::metrics::NAMESPACE;
use envoy_bedrock::pricing::PicoUsd;

/// A deployment: its model group, then its id.
pub(super) type DeploymentName = (String, String);

/// What a deployment has done since Envoy started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DeploymentCounts {
    pub(super) region: String,
    /// The Bedrock model id.
    pub(super) model: String,
    pub(super) sums: Sums,
}

/// Sums of counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// Requests that were sent to it, including retries.
    pub(super) requests: u64,
    /// Those without a successful response.
    pub(super) errors: u64,
    pub(super) cooldowns: u64,
    pub(super) tokens: u64,
    pub(super) spend: PicoUsd,
}

impl Sums {
    pub(super) fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.errors = self.errors.saturating_add(other.errors);
        self.cooldowns = self.cooldowns.saturating_add(other.cooldowns);
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.spend = PicoUsd::new(self.spend.pico().saturating_add(other.spend.pico()));
    }
}

/// The names of the statistics that [`parse`] reads, as a regular expression.
pub(super) fn pattern() -> String {
    let names = [
        names::DEPLOYMENT,
        names::ATTEMPTS,
        names::COOLDOWNS,
        names::TOKENS,
        names::COST,
    ];
    format!("^{NAMESPACE}\\.({})[;.]", names.join("|"))
}

/// The counters of all configured deployments. `statistics` are `name: value` lines.
pub(super) fn parse(statistics: &str) -> BTreeMap<DeploymentName, DeploymentCounts> {
    let lines: Vec<Cow<'_, str>> = statistics.lines().map(with_marked_labels).collect();
    let series: Vec<Series> = lines.iter().filter_map(|line| Series::parse(line)).collect();
    let mut found: BTreeMap<DeploymentName, DeploymentCounts> = BTreeMap::new();
    for info in &series {
        // The value is 0 once a deployment is no longer configured.
        if let (names::DEPLOYMENT, 1, Some(name)) = (info.metric, info.value, info.deployment()) {
            let counts = found.entry(name).or_default();
            counts.region = info.label("region").unwrap_or_default();
            counts.model = info.label("model").unwrap_or_default();
        }
    }
    for series in &series {
        let deployment = series.deployment();
        if let Some(counts) = deployment.and_then(|name| found.get_mut(&name)) {
            counts.sums.add(&series.sums());
        }
    }
    found
}

/// Marks the labels in the name of a native module's statistic as WebAssembly does: Envoy has joined
/// them with dots.
fn with_marked_labels(line: &str) -> Cow<'_, str> {
    if line.contains(';') {
        return Cow::Borrowed(line);
    }
    let mark = |line: String, label: &&str| line.replacen(&format!(".{label}."), &format!(";{label}="), 1);
    Cow::Owned(names::LABELS.iter().fold(line.to_owned(), mark))
}

/// A statistic with its labels.
struct Series<'a> {
    metric: &'a str,
    labels: &'a str,
    value: u64,
}

impl<'a> Series<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (name, value) = line.rsplit_once(": ")?;
        let name = name.strip_prefix(NAMESPACE)?.strip_prefix('.')?;
        let (metric, labels) = name.split_once(';')?;
        Some(Self {
            metric,
            labels,
            value: value.parse().ok()?,
        })
    }

    fn label(&self, name: &str) -> Option<String> {
        let mut labels = self.labels.split(';').filter_map(|label| label.split_once('='));
        let (_, value) = labels.find(|(label, _)| *label == name)?;
        Some(value.replace("%3B", ";"))
    }

    fn deployment(&self) -> Option<DeploymentName> {
        Some((self.label("model_group")?, self.label("deployment")?))
    }

    fn sums(&self) -> Sums {
        let value = self.value;
        let is = |label: &str, words: &[&str]| {
            let found = self.label(label);
            found.is_some_and(|found| words.contains(&found.as_str()))
        };
        match self.metric {
            names::ATTEMPTS => Sums {
                requests: value,
                errors: if is("outcome", &["2xx"]) { 0 } else { value },
                ..Sums::default()
            },
            names::COOLDOWNS => Sums {
                cooldowns: value,
                ..Sums::default()
            },
            // Tokens that were read from or written to a cache are part of the input.
            names::TOKENS if is("gen_ai_token_type", &["input", "output"]) => Sums {
                tokens: value,
                ..Sums::default()
            },
            names::COST => Sums {
                spend: PicoUsd::new(value.into()),
                ..Sums::default()
            },
            _ => Sums::default(),
        }
    }
}
