//! Bedrock's model ids: what an id or ARN refers to, and its foundation model.
//!
//! The CLI uses this for configured deployments; the filter also does, because a wildcard lets the
//! client name the model.

/// Geographies of cross-region inference profiles, which prefix the id of the model.
pub const GEOGRAPHIES: [&str; 9] = ["apac", "au", "ca", "eu", "global", "in", "jp", "us", "us-gov"];

/// What a model id refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referent<'a> {
    /// A foundation model or cross-region inference profile with this id.
    Named(&'a str),
    /// An application inference profile, whose ARN does not name the model.
    ApplicationProfile,
    /// Provisioned throughput.
    ProvisionedThroughput,
    /// A custom model that runs on provisioned throughput.
    CustomModel,
    /// A custom model that is deployed on demand.
    CustomModelDeployment,
    /// An imported model.
    ImportedModel,
    /// A stored prompt, which defines its own model.
    Prompt,
    /// A prompt router, which chooses a model for each request.
    PromptRouter,
    /// A SageMaker endpoint.
    Endpoint,
    /// Any other ARN.
    Unknown,
}

impl<'a> Referent<'a> {
    /// Parses a model id or ARN, which must not be percent-encoded.
    pub fn of(id: &'a str) -> Self {
        if !id.starts_with("arn:") {
            return Self::Named(id);
        }
        // arn:partition:service:region:account:kind/id, where the id may contain colons and
        // slashes.
        let resource = id.splitn(6, ':').nth(5).and_then(|text| text.split_once('/'));
        match resource {
            Some((_, "")) | None => Self::Unknown,
            Some(("foundation-model" | "inference-profile", model)) => Self::Named(model),
            Some(("application-inference-profile", _)) => Self::ApplicationProfile,
            Some(("provisioned-model", _)) => Self::ProvisionedThroughput,
            Some(("custom-model", _)) => Self::CustomModel,
            Some(("custom-model-deployment", _)) => Self::CustomModelDeployment,
            Some(("imported-model", _)) => Self::ImportedModel,
            Some(("prompt", _)) => Self::Prompt,
            Some(("prompt-router" | "default-prompt-router", _)) => Self::PromptRouter,
            Some(("endpoint", _)) => Self::Endpoint,
            Some(_) => Self::Unknown,
        }
    }
}

/// Removes the geography of a cross-region inference profile: `us.anthropic.…` → `anthropic.…`.
/// Returns `None` for an id without one.
pub fn without_geography(id: &str) -> Option<&str> {
    let (geography, model) = id.split_once('.')?;
    // What follows must be a model id, which starts with its provider.
    (GEOGRAPHIES.contains(&geography) && model.contains('.')).then_some(model)
}

/// The provider of the model with this id or ARN: `anthropic` of `us.anthropic.claude-…`. `None` if
/// it does not tell.
pub fn provider(id: &str) -> Option<&str> {
    let Referent::Named(model) = Referent::of(id) else {
        return None;
    };
    let model = without_geography(model).unwrap_or(model);
    model.split_once('.').map(|(provider, _)| provider)
}

/// The foundation model of an application inference profile is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownBase;

/// Returns the id to use for CountTokens, which accepts only foundation models. `base` is the
/// foundation model of an ARN that does not name it, if known.
///
/// Other ids that CountTokens does not support are passed on unchanged, so that AWS reports the
/// error.
///
/// # Errors
/// [`UnknownBase`] for an application inference profile without a `base`.
pub fn count_tokens_id<'a>(id: &'a str, base: Option<&'a str>) -> Result<&'a str, UnknownBase> {
    match (Referent::of(id), base) {
        // CountTokens accepts the ARN of a foundation model.
        (Referent::Named(_), _) if id.contains(":foundation-model/") => Ok(id),
        (Referent::Named(model), _) => Ok(without_geography(model).unwrap_or(model)),
        (_, Some(base)) => Ok(base),
        (Referent::ApplicationProfile, None) => Err(UnknownBase),
        (_, None) => Ok(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "arn:aws:bedrock:us-east-1:123456789012";

    #[test]
    fn a_provider_is_known_if_the_id_tells() {
        for (id, expected) in [
            ("us.anthropic.claude-x:0", Some("anthropic")),
            ("amazon.nova-x:0", Some("amazon")),
            ("arn:aws:bedrock:us-east-1::foundation-model/meta.x", Some("meta")),
            (
                "arn:aws:bedrock:us-east-1:1:application-inference-profile/a.b",
                None,
            ),
            ("plain", None),
        ] {
            assert_eq!(provider(id), expected, "{id}");
        }
    }

    #[test]
    fn every_kind_of_arn_is_recognized() {
        for (resource, expected) in [
            ("inference-profile/us.a.b:0", Referent::Named("us.a.b:0")),
            ("application-inference-profile/abc", Referent::ApplicationProfile),
            ("provisioned-model/abc", Referent::ProvisionedThroughput),
            ("custom-model/a.b:0:8k/abc", Referent::CustomModel),
            ("custom-model-deployment/abc", Referent::CustomModelDeployment),
            ("imported-model/abc", Referent::ImportedModel),
            ("prompt/ABC:1", Referent::Prompt),
            ("prompt-router/abc", Referent::PromptRouter),
            ("default-prompt-router/a.b:1", Referent::PromptRouter),
            ("guardrail/abc", Referent::Unknown),
            ("inference-profile/", Referent::Unknown),
            ("inference-profile", Referent::Unknown),
        ] {
            assert_eq!(
                Referent::of(&format!("{ACCOUNT}:{resource}")),
                expected,
                "{resource}"
            );
        }
        assert_eq!(
            Referent::of("arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/a.b:1"),
            Referent::Named("a.b:1")
        );
        assert_eq!(
            Referent::of("arn:aws:sagemaker:us-east-1:123456789012:endpoint/x"),
            Referent::Endpoint
        );
        assert_eq!(Referent::of("arn:aws:bedrock"), Referent::Unknown);
        assert_eq!(Referent::of("us.a.b"), Referent::Named("us.a.b"));
    }

    #[test]
    fn only_a_known_geography_before_a_model_id_is_removed() {
        for geography in GEOGRAPHIES {
            assert_eq!(without_geography(&format!("{geography}.a.b:0")), Some("a.b:0"));
        }
        // A provider may be named like a geography, and versions contain dots too.
        for id in ["us.nova", "zz.a.b", "a.b-2.5", "openai.gpt-5.4", "", "us.", "."] {
            assert_eq!(without_geography(id), None, "{id}");
        }
    }

    #[test]
    fn tokens_are_counted_for_the_foundation_model() {
        let foundation = "arn:aws:bedrock:us-east-1::foundation-model/a.b:0";
        let arn = |resource: &str| format!("{ACCOUNT}:{resource}");
        for (id, base, expected) in [
            ("us.a.b:0", None, Some("a.b:0")),
            ("global.a.b:0", Some("c.d"), Some("a.b:0")),
            ("a.b:0", Some("c.d"), Some("a.b:0")),
            (foundation, Some("c.d"), Some(foundation)),
            (&arn("inference-profile/eu.a.b:0"), None, Some("a.b:0")),
            (&arn("inference-profile/zz.a.b:0"), None, Some("zz.a.b:0")),
            (&arn("application-inference-profile/x"), Some("a.b"), Some("a.b")),
            (&arn("application-inference-profile/x"), None, None),
            (&arn("provisioned-model/x"), Some("a.b"), Some("a.b")),
        ] {
            assert_eq!(count_tokens_id(id, base).ok(), expected, "{id} with {base:?}");
        }
        for unsupported in ["provisioned-model/x", "custom-model/a.b/x", "imported-model/x"] {
            let id = arn(unsupported);
            assert_eq!(count_tokens_id(&id, None), Ok(id.as_str()));
        }
    }
}
