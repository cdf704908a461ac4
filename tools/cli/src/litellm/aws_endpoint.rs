//! Where a deployment's requests go: the URL in the configuration, else AWS's endpoint of the
//! region.

use super::entry::ModelListEntry;
use super::report::Reader;
use crate::address::Address;
use crate::document::location::Location;
use crate::document::reader::{Read, Reported};
use crate::region::EndpointVariant;

/// LiteLLM's variable for an endpoint.
pub(crate) const ENDPOINT: &str = "AWS_BEDROCK_RUNTIME_ENDPOINT";
const FIPS: &str = "AWS_USE_FIPS_ENDPOINT";
const DUAL_STACK: &str = "AWS_USE_DUALSTACK_ENDPOINT";

impl ModelListEntry<'_, '_> {
    /// The address of the deployment's endpoint, whose region is `region` unless that has an error.
    pub(crate) fn address(&mut self, region: Read<&str>) -> Read<Address> {
        if let Some(address) = self.endpoint_url()? {
            return Ok(address);
        }
        let variant = self.reader.endpoint_variant(&self.parameters.location);
        Ok(Address::of_region(region?, variant?))
    }

    /// The URL in the configuration, if there is one.
    fn endpoint_url(&mut self) -> Read<Option<Address>> {
        let api_base = self.parameters.field("api_base");
        let endpoint = self.parameters.field("aws_bedrock_runtime_endpoint");
        if let (Some(_), Some(endpoint)) = (&api_base, &endpoint) {
            self.reader
                .note(&endpoint.location, "not used: api_base takes precedence");
        }
        let (location, url) = match api_base.or(endpoint) {
            Some(field) => (field.location.clone(), self.reader.text(&field)?),
            None => match self.reader.variables.value(ENDPOINT) {
                Some(url) => (self.parameters.location.field(ENDPOINT), url.to_owned()),
                None => return Ok(None),
            },
        };
        let address = Address::parse(&url).map_err(|error| {
            let expected = "a URL such as https://bedrock.example.com:8443/path";
            self.reader.unexpected(&location, expected, error.to_string())
        })?;
        self.reader.note_ignored_fips(&address.host, &location);
        Ok(Some(address))
    }
}

impl Reader<'_> {
    /// The endpoint variant that the environment selects, for the deployment at `location`.
    fn endpoint_variant(&mut self, location: &Location) -> Read<EndpointVariant> {
        let fips = self.variable_flag(FIPS, location);
        let dual_stack = self.variable_flag(DUAL_STACK, location);
        Ok(EndpointVariant {
            fips: fips?,
            dual_stack: dual_stack?,
        })
    }

    /// Whether a variable is true. The AWS SDKs disagree about values other than `true` and
    /// `false`, and a typing error must not switch FIPS off.
    fn variable_flag(&mut self, variable: &'static str, location: &Location) -> Read<bool> {
        let value = self.variables.value(variable).map(str::to_ascii_lowercase);
        match value.as_deref() {
            Some("true") => Ok(true),
            None | Some("false") => Ok(false),
            Some(_) => Err(self.invalid_flag(variable, location)),
        }
    }

    fn invalid_flag(&mut self, variable: &str, location: &Location) -> Reported {
        let expected = format!("true or false in the environment variable {variable}");
        self.unexpected(location, expected, "another value")
    }

    /// Notes that a URL in the configuration takes precedence over the FIPS endpoint.
    fn note_ignored_fips(&mut self, host: &str, location: &Location) {
        if !host.contains("-fips.") && self.variable_flag(FIPS, location) == Ok(true) {
            let text =
                format!("takes precedence over {FIPS}: this deployment does not use AWS's FIPS endpoint");
            self.note(location, text);
        }
    }
}
