//! `guardrailConfig` of a deployment: the guardrail that Bedrock applies to each of its requests.
//!
//! It protects, so it is never passed over: what is wrong with it is an error, and so is one that stands where LiteLLM
//! does not look or under another name.

use envoy_bedrock::contract::settings::{GuardrailSettings, GuardrailTrace, StreamProcessingMode};
use envoy_bedrock::guardrail::{IDENTIFIER_EXPECTED, VERSION_EXPECTED, is_identifier, is_version};

use super::alike::most_alike;
use super::deployment::Deployment;
use super::error::Problem;
use super::parameters::Parameters;
use super::reader::Reader;
use crate::document::field::{Section, YamlField, quoted};
use crate::document::location::Location;
use crate::region;

/// Its name in `litellm_params`.
const NAME: &str = "guardrailConfig";
/// Its members.
const MEMBERS: [&str; 4] = [
    "guardrailIdentifier",
    "guardrailVersion",
    "trace",
    "streamProcessingMode",
];
/// What people write for it, without capitals and punctuation. The last three are members that stand beside it.
const SLIPS: [&str; 8] = [
    "guardrailconfig",
    "guardrailsconfig",
    "guardrailconfiguration",
    "bedrockguardrailconfig",
    "awsguardrailconfig",
    "guardrailidentifier",
    "guardrailversion",
    "guardrailid",
];
/// How alike a member's name and another have to be (0 to 1) for the one to be a slip of the other.
const SIMILAR: f64 = 0.8;

/// A deployment's guardrail and where it stands.
#[derive(Debug)]
pub(crate) struct Configured {
    location: Location,
    settings: GuardrailSettings,
}

/// Reads the guardrail of a deployment, if it has one. `None` if an error was reported.
pub(crate) fn read(parameters: &Parameters, reader: &mut Reader<'_>) -> Option<Option<Configured>> {
    let field = parameters.field(NAME);
    let had_slips = refuse_slips(parameters.own(), reader);
    let Some(field) = field else {
        return (!had_slips).then_some(None);
    };
    let section = reader.section(&field)?;
    let members = MEMBERS.map(|name| section.field(name));
    let mut is_known = true;
    for (name, unknown) in section.unused() {
        is_known = false;
        refuse_member(&name, &unknown, reader);
    }
    let [identifier, version, trace, mode] = members;
    // All members are read before any failure counts, so that one run names all of them.
    let identifier = identifier_of(identifier, &field.location, reader);
    let version = version_of(version, &field.location, reader);
    let traces = GuardrailTrace::ALL.map(|trace| (trace.word(), trace));
    let trace = one_of(trace, &traces, "enabled, disabled or enabled_full", reader);
    let modes = StreamProcessingMode::ALL.map(|mode| (mode.word(), mode));
    let mode = one_of(mode, &modes, "sync or async", reader);
    let settings = GuardrailSettings {
        identifier: identifier?,
        version: version?,
        trace: trace?,
        stream_processing_mode: mode?,
    };
    (is_known && !had_slips).then_some(Some(Configured {
        location: field.location,
        settings,
    }))
}

fn refuse_member(name: &str, field: &YamlField, reader: &mut Reader<'_>) {
    let likeness = |member: &str| strsim::jaro_winkler(&member.to_lowercase(), &name.to_lowercase());
    let meant = most_alike(MEMBERS.into_iter(), SIMILAR, likeness);
    let mut found = quoted(name);
    if let Some(meant) = meant {
        found.push_str(&format!(" (did you mean {meant}?)"));
    }
    reader.unexpected::<()>(&field.location, format!("one of {}", MEMBERS.join(", ")), found);
}

fn identifier_of(field: Option<YamlField>, config: &Location, reader: &mut Reader<'_>) -> Option<String> {
    let expected = "guardrailIdentifier, the guardrail's id or ARN";
    let Some(field) = field else {
        return reader.wrong(config, Problem::Missing { expected });
    };
    let identifier = reader.text(&field)?;
    if !is_identifier(&identifier) {
        return reader.unexpected(&field.location, IDENTIFIER_EXPECTED, quoted(&identifier));
    }
    let is_id = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !identifier.starts_with("arn:") && !identifier.chars().all(is_id) {
        let shown = quoted(&identifier);
        let text = format!(
            "{shown} is neither an ARN nor an id (lower-case letters and digits): AWS will probably refuse every request"
        );
        reader.note(&field.location, text);
    }
    Some(identifier)
}

/// Text, or (as YAML reads a bare version) a whole number.
fn version_of(field: Option<YamlField>, config: &Location, reader: &mut Reader<'_>) -> Option<String> {
    let expected = "guardrailVersion, DRAFT or a version number";
    let Some(field) = field else {
        return reader.wrong(config, Problem::Missing { expected });
    };
    let version = match reader.whole_number(&field) {
        Some(number) => number.to_string(),
        None => reader.text(&field)?,
    };
    if is_version(&version) {
        return Some(version);
    }
    reader.unexpected(&field.location, VERSION_EXPECTED, quoted(&version))
}

/// The value of one of `words`, if the field is there.
fn one_of<T: Copy>(
    field: Option<YamlField>,
    words: &[(&str, T)],
    expected: &'static str,
    reader: &mut Reader<'_>,
) -> Option<Option<T>> {
    let Some(field) = field else {
        return Some(None);
    };
    let found = reader.text(&field)?;
    match words.iter().find(|(word, _)| *word == found) {
        Some((_, value)) => Some(Some(*value)),
        None => reader.unexpected(&field.location, expected, quoted(&found)),
    }
}

/// Refuses what looks like a guardrail among the parameters that nobody asked for. Whether there was any.
fn refuse_slips(parameters: &Section, reader: &mut Reader<'_>) -> bool {
    let mut had_slips = false;
    for (name, field) in parameters.unused() {
        if looks_like_guardrail(&name) {
            had_slips = true;
            let expected = format!("{NAME} with {} and {}", MEMBERS[0], MEMBERS[1]);
            reader.unexpected::<()>(&field.location, expected, quoted(&name));
        }
    }
    had_slips
}

/// Refuses what looks like a guardrail and does not stand in a deployment's `litellm_params`: it would have no effect.
pub(crate) fn refuse_misplaced(unused: Vec<(String, YamlField)>, reader: &mut Reader<'_>) {
    for (name, field) in unused {
        if looks_like_guardrail(&name) {
            let expected = format!("{NAME} in the litellm_params of each deployment");
            reader.unexpected::<()>(&field.location, expected, format!("{} here", quoted(&name)));
        }
    }
}

/// The same for the values of a credential, where a guardrail may stand under its own name.
pub(crate) fn refuse_in_credential(credential: &Section, reader: &mut Reader<'_>) {
    let unused = credential.unused().into_iter();
    refuse_misplaced(unused.filter(|(name, _)| name != NAME).collect(), reader);
}

fn looks_like_guardrail(name: &str) -> bool {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let plain: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    SLIPS.contains(&plain.as_str())
}

/// The guardrail of all deployments of a group. They have to agree on it: an error names those that do not.
pub(crate) fn of_group(group: &[Deployment], reader: &mut Reader<'_>) -> Option<GuardrailSettings> {
    let first = group.iter().find_map(|one| one.guardrail.as_ref())?;
    for deployment in group {
        let (location, found) = match &deployment.guardrail {
            Some(other) if other.settings == first.settings => continue,
            Some(other) => (&other.location, "another one"),
            None => (&deployment.location, "none"),
        };
        let first = first.location.clone();
        reader.wrong::<()>(location, Problem::OtherGuardrail { first, found });
    }
    note_regions(group, first, reader);
    Some(first.settings.clone())
}

/// A guardrail is in one region, and AWS refuses a request that names it in another.
fn note_regions(group: &[Deployment], guardrail: &Configured, reader: &mut Reader<'_>) {
    let mut regions: Vec<&str> = Vec::new();
    for deployment in group {
        let region = deployment.settings.region.as_str();
        if !regions.contains(&region) {
            regions.push(region);
        }
    }
    let text = match region::of_arn(&guardrail.settings.identifier) {
        Some(home) if regions.iter().any(|region| *region != home) => {
            let others: Vec<&str> = regions.into_iter().filter(|region| *region != home).collect();
            let others = others.join(", ");
            format!(
                "this guardrail is in {home}: AWS will refuse the requests of this model_name in {others}"
            )
        }
        None if regions.len() > 1 => {
            let regions = regions.join(", ");
            format!(
                "a guardrail is in one region, but this model_name has deployments in {regions}: AWS will refuse requests \
                 where the guardrail does not exist"
            )
        }
        _ => return,
    };
    reader.note(&guardrail.location, text);
}
