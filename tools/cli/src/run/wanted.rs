//! Which credentials the configuration needs for AWS, for a user whose gateway runs on the
//! emulator.

use envoy_bedrock::contract::settings::CredentialSettings;

use crate::blueprint::Blueprint;
use crate::credentials::CredentialSource;

/// How many lines are shown.
const LINES_MAX: usize = 5;

/// Lines that say which deployments need which credentials.
pub(super) fn lines(blueprint: &Blueprint) -> Vec<String> {
    let sources = sources(blueprint);
    let mut lines = vec!["To use AWS, provide one of these:".to_owned()];
    for (source, deployments) in sources.iter().take(LINES_MAX) {
        let whom = match &deployments[..] {
            [first, others @ ..] if !others.is_empty() => format!("{first} and {} more", others.len()),
            _ => deployments.concat(),
        };
        lines.push(format!("  {whom}: {source}"));
    }
    if let Some(more @ 1..) = sources.len().checked_sub(LINES_MAX) {
        lines.push(format!("  and {more} more"));
    }
    let needs_chain = blueprint
        .brokered
        .iter()
        .any(|credential| credential.source.uses_chain());
    if needs_chain {
        lines.push(
            "The default chain takes AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile".to_owned(),
        );
        lines.push("(AWS_PROFILE), or the role of the service account, task or instance.".to_owned());
    }
    lines.push("`envoy-bedrock check CONFIG --credentials` says what is missing. With".to_owned());
    lines.push("BEDROCK=aws the emulator is never used.".to_owned());
    lines
}

/// Each source in words, and the deployments that need it.
fn sources(blueprint: &Blueprint) -> Vec<(String, Vec<String>)> {
    let brokered = blueprint.brokered.iter();
    let mut sources: Vec<_> = brokered
        .map(|credential| (credential.source.to_string(), credential.deployments.clone()))
        .collect();
    for model in &blueprint.settings.models {
        for deployment in &model.deployments {
            let name = format!("{} in {}", model.name, deployment.region);
            let source = match &deployment.credentials {
                CredentialSettings::Sigv4(keys) => CredentialSource::Keys(keys.clone()).to_string(),
                CredentialSettings::Bearer { api_key } => format!("API key in {}", api_key.0),
                CredentialSettings::Brokered { .. } => continue,
            };
            // The emulator's made-up keys are those of sources that are listed already.
            if blueprint
                .brokered
                .iter()
                .any(|credential| credential.deployments.contains(&name))
            {
                continue;
            }
            match sources.iter_mut().find(|(known, _)| *known == source) {
                Some((_, deployments)) => deployments.push(name),
                None => sources.push((source, vec![name])),
            }
        }
    }
    sources
}
