//! Where a deployment's requests go: AWS's host of the region, or the URL that the configuration gives.

use super::reader::Reader;
use crate::document::location::Location;
use crate::region::Variant;

/// The variables that name a region, the first that is set first: LiteLLM's own, then those of the AWS SDKs, of which
/// LiteLLM reads the last through boto3.
pub(crate) const REGION_VARIABLES: [&str; 3] = ["AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"];

const FIPS: &str = "AWS_USE_FIPS_ENDPOINT";
const DUAL_STACK: &str = "AWS_USE_DUALSTACK_ENDPOINT";

/// The variant that the environment asks for, on behalf of the deployment at `place`.
pub(crate) fn variant(location: &Location, reader: &mut Reader<'_>) -> Option<Variant> {
    let (fips, dual_stack) = (is_on(FIPS, location, reader), is_on(DUAL_STACK, location, reader));
    Some(Variant {
        fips: fips?,
        dual_stack: dual_stack?,
    })
}

/// The AWS SDKs disagree about other values than these two, so a mistake must not turn FIPS off.
fn is_on(variable: &'static str, location: &Location, reader: &mut Reader<'_>) -> Option<bool> {
    match reader
        .variables
        .value(variable)
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        Some("true") => Some(true),
        None | Some("false") => Some(false),
        Some(_) => {
            let expected = format!("true or false in the environment variable {variable}");
            reader.unexpected(location, expected, "another value")
        }
    }
}

/// Notes that a URL of the configuration goes before what the environment asks for.
pub(crate) fn note_variant_not_used(host: &str, location: &Location, reader: &mut Reader<'_>) {
    if !host.contains("-fips.") && is_on(FIPS, location, reader) == Some(true) {
        reader.note(
            location,
            format!("goes before {FIPS}, so this deployment does not use AWS's FIPS endpoint"),
        );
    }
}
