//! The key that clients present: `general_settings.master_key`, else the variable `LITELLM_MASTER_KEY`.

use envoy_bedrock::contract::settings::EnvName;

use super::error::Problem;
use super::reader::Reader;
use crate::document::field::Section;
use crate::document::location::Location;
use crate::environment::SecretPolicy;
use crate::environment::SecretValue;

const VARIABLE: &str = "LITELLM_MASTER_KEY";
/// LiteLLM's documentation uses it everywhere, so the whole world knows it.
const DEMO_KEY: &str = "sk-1234";
/// What LiteLLM demands in front of virtual keys; it compares a master key without it all the same.
const PREFIX: &str = "sk-";

/// The variable that holds the key.
pub(crate) fn master_key(general: &Section, document: &Location, reader: &mut Reader<'_>) -> Option<EnvName> {
    let permits_weak = match general.field("dangerously_permit_weak_or_unset_master_key") {
        Some(field) => reader.flag(&field)?,
        None => false,
    };
    let (location, name) = match general.field("master_key") {
        Some(field) => (field.location.clone(), reader.secret(&field)?),
        None if reader.mode == SecretPolicy::MustExist && reader.variables.value(VARIABLE).is_none() => {
            return reader.wrong(&general.location_of("master_key"), Problem::NoMasterKey);
        }
        None => (document.clone(), reader.secret_variable(document, VARIABLE)?),
    };
    if reader.missing.contains(&name) {
        supply(&location, &name, reader);
    }
    let Some(value) = reader.secret_value(&name).map(str::to_owned) else {
        return Some(name);
    };
    if !value.starts_with(PREFIX) {
        let text = format!(
            "the key of the clients does not start with {PREFIX} as LiteLLM's keys do: it works all the same"
        );
        reader.note(&location, text);
    }
    if value == DEMO_KEY && reader.mode != SecretPolicy::Demo && !permits_weak {
        let text = "the key of the clients is the publicly known sk-1234: choose another before anybody can reach it";
        reader.note(&location, text);
    }
    Some(name)
}

/// What becomes of a key that is not there.
fn supply(location: &Location, name: &EnvName, reader: &mut Reader<'_>) {
    if reader.mode == SecretPolicy::Demo {
        reader.missing.remove(name);
        reader
            .secrets
            .insert(name.clone(), SecretValue(DEMO_KEY.to_owned()));
        reader.note(
            location,
            format!("the key of the clients is {DEMO_KEY}, for this demonstration only"),
        );
    } else {
        reader.note(
            location,
            format!("the key of the clients is expected in the variable {}", name.0),
        );
    }
}
