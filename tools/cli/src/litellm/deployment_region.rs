//! The region of a deployment.

use std::borrow::Cow;

use super::entry::ModelListEntry;
use super::geography;
use crate::document::field::quoted;
use crate::document::location::Location;
use crate::document::reader::Read;
use crate::region;

/// Variables that name a region. The first that is set counts: LiteLLM's own, then those of the AWS
/// SDKs, of which LiteLLM reads the last through boto3.
const VARIABLES: [&str; 3] = ["AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"];
/// LiteLLM's default.
const REGION_DEFAULT: &str = "us-west-2";
const EXPECTED: &str = "an AWS region such as us-east-1";

impl ModelListEntry<'_, '_> {
    /// `aws_region_name`, else the region in `model` (`prefix`), else that of the ARN `id`, else
    /// that of the environment, else the default.
    pub(crate) fn region(&mut self, id: &str, prefix: Option<String>) -> Read<String> {
        let in_arn = region::of_arn(id);
        let in_model = prefix.or_else(|| in_arn.map(str::to_owned));
        if let Some(field) = self.parameters.field("aws_region_name") {
            if let Some(invalid) = in_arn.filter(|region| !region::is_region(region)) {
                let expected = format!("{EXPECTED} in the ARN");
                return self.valid_region(invalid.to_owned(), &self.id_location(), expected);
            }
            let region = self.reader.text(&field)?;
            if let Some(other) = in_model.filter(|other| *other != region) {
                let text = format!("used instead of the region {} in the model", quoted(&other));
                self.reader.note(&field.location, text);
            }
            return self.valid_region(region, &field.location, EXPECTED);
        }
        if let Some(region) = in_model {
            let expected = format!("{EXPECTED} in the model");
            return self.valid_region(region, &self.id_location(), expected);
        }
        let location = self.parameters.location.clone();
        for variable in VARIABLES {
            if let Some(region) = self.reader.variables.value(variable).map(str::to_owned) {
                let expected = format!("{EXPECTED} in the environment variable {variable}");
                return self.valid_region(region, &location, expected);
            }
        }
        let text = format!("no region is set: {REGION_DEFAULT} is used");
        self.reader.note(&location, text);
        Ok(REGION_DEFAULT.to_owned())
    }

    fn valid_region(
        &mut self,
        region: String,
        location: &Location,
        expected: impl Into<Cow<'static, str>>,
    ) -> Read<String> {
        if region::is_region(&region) {
            return Ok(region);
        }
        Err(self.reader.unexpected(location, expected, quoted(&region)))
    }

    /// Notes that AWS does not have the inference profile `model` in `region`.
    pub(crate) fn note_geography(&mut self, model: &str, region: &str) {
        if let Some(geography) = geography::foreign_to(model, region) {
            let text = format!(
                "AWS has no {geography}. profiles in {region}, so requests will fail: choose another region, or another \
                 profile such as global."
            );
            self.reader.note(&self.id_location(), text);
        }
    }
}
