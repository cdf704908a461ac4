//! The models that exist: real base ids, their inference profiles, and ARNs of every kind.

/// Ids of real base models, with and without the `:` that naive signers get wrong.
const BASE_MODELS: &[&str] = &[
    "amazon.nova-lite-v1:0",
    "amazon.nova-micro-v1:0",
    "amazon.nova-pro-v1:0",
    "amazon.rerank-v1:0",
    "amazon.titan-embed-text-v2:0",
    "amazon.titan-text-express-v1",
    "anthropic.claude-3-5-haiku-20241022-v1:0",
    "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "anthropic.claude-3-5-sonnet-20241022-v2:0",
    "anthropic.claude-3-7-sonnet-20250219-v1:0",
    "anthropic.claude-3-haiku-20240307-v1:0",
    "anthropic.claude-3-sonnet-20240229-v1:0",
    "anthropic.claude-haiku-4-5-20251001-v1:0",
    "anthropic.claude-opus-4-1-20250805-v1:0",
    "anthropic.claude-opus-4-20250514-v1:0",
    "anthropic.claude-sonnet-4-20250514-v1:0",
    "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "anthropic.claude-v2:1",
    "cohere.command-r-plus-v1:0",
    "cohere.rerank-v3-5:0",
    "deepseek.r1-v1:0",
    "meta.llama3-1-70b-instruct-v1:0",
    "meta.llama3-3-70b-instruct-v1:0",
    "mistral.mistral-large-2402-v1:0",
    "openai.gpt-oss-120b-1:0",
    "qwen.qwen3-32b-v1:0",
];

/// Prefixes of cross-region inference profiles.
const GEOGRAPHIES: &[&str] = &["apac", "au", "ca", "eu", "global", "in", "jp", "us", "us-gov"];

/// Longest id that Bedrock accepts, in characters.
const ID_LIMIT_CHARACTERS: usize = 2048;

/// Which operations a model supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ModelKind {
    /// Every operation.
    Any,
    /// Invoke only: an imported model.
    InvokeOnly,
    /// Invoke only: it makes embeddings.
    Embedding,
    /// Invoke only: it ranks documents.
    Rerank,
    /// A stored prompt, which Converse accepts without `messages`.
    Prompt,
}

/// The kind of the model `id` (percent-decoded) in `region`; `None` if it does not exist there.
/// `extra` are ids that exist besides the built-in ones.
pub(crate) fn find(id: &str, region: &str, extra: &[String]) -> Option<ModelKind> {
    if id.is_empty() || id.chars().count() > ID_LIMIT_CHARACTERS {
        return None;
    }
    let built_in = match id.strip_prefix("arn:") {
        Some(arn) => find_arn(arn, region, extra),
        None => find_base(id).or_else(|| find_profile(id)),
    };
    built_in.or_else(|| extra.iter().any(|known| known == id).then_some(ModelKind::Any))
}

/// Whether `id` is that of a foundation model, or its ARN, and not an inference profile or anything
/// else. The model exists.
pub(crate) fn is_foundation(id: &str) -> bool {
    match id.strip_prefix("arn:") {
        Some(arn) => arn.contains(":foundation-model/"),
        None => id.split_once('.').is_none_or(|(prefix, model)| {
            // The id of an extra model may have a single dot, after its provider.
            !(GEOGRAPHIES.contains(&prefix) && model.contains('.'))
        }),
    }
}

fn find_base(id: &str) -> Option<ModelKind> {
    BASE_MODELS.contains(&id).then(|| {
        if id.contains("embed") {
            ModelKind::Embedding
        } else if id.contains("rerank") {
            ModelKind::Rerank
        } else {
            ModelKind::Any
        }
    })
}

fn find_profile(id: &str) -> Option<ModelKind> {
    let (prefix, base) = id.split_once('.')?;
    if GEOGRAPHIES.contains(&prefix) {
        find_base(base)
    } else {
        None
    }
}

/// `arn` comes without `arn:`. Its region must be the one of the endpoint.
fn find_arn(arn: &str, region: &str, extra: &[String]) -> Option<ModelKind> {
    let mut parts = arn.splitn(5, ':');
    let (partition, service) = (parts.next()?, parts.next()?);
    let (arn_region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    if !(partition == "aws" || partition.starts_with("aws-")) || arn_region != region {
        return None;
    }
    let (kind, name) = resource.split_once('/')?;
    if service == "bedrock" && kind == "foundation-model" && account.is_empty() {
        return find_base(name).or_else(|| extra.iter().any(|known| known == name).then_some(ModelKind::Any));
    }
    if name.is_empty() || account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match (service, kind) {
        ("bedrock", "inference-profile") => find_profile(name),
        ("bedrock", "application-inference-profile" | "provisioned-model") => Some(ModelKind::Any),
        ("bedrock", "custom-model" | "custom-model-deployment") => Some(ModelKind::Any),
        ("bedrock", "prompt-router" | "default-prompt-router") => Some(ModelKind::Any),
        ("bedrock", "imported-model") => Some(ModelKind::InvokeOnly),
        ("bedrock", "prompt") => Some(ModelKind::Prompt),
        ("sagemaker", "endpoint") => Some(ModelKind::Any),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use envoy_bedrock::bedrock::model_id;

    use super::*;

    #[test]
    fn base_ids_profiles_and_arns_of_this_region_exist() {
        for id in [
            "amazon.titan-text-express-v1",
            "us.anthropic.claude-3-5-sonnet-20240620-v1:0",
            "arn:aws:bedrock:us-west-2::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
            "arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.amazon.nova-lite-v1:0",
            "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/abc123def456",
            "arn:aws-us-gov:bedrock:us-west-2:123456789012:provisioned-model/abc123def456",
            "arn:aws:bedrock:us-west-2:123456789012:default-prompt-router/anthropic.claude:1",
            "arn:aws:sagemaker:us-west-2:123456789012:endpoint/mine",
        ] {
            assert_eq!(find(id, "us-west-2", &[]), Some(ModelKind::Any), "{id}");
        }
    }

    #[test]
    fn other_ids_and_arns_of_other_regions_do_not_exist() {
        for id in [
            "",
            "nonsense",
            "xx.anthropic.claude-3-haiku-20240307-v1:0",
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
            "arn:aws:bedrock:us-west-2:12345:inference-profile/us.amazon.nova-lite-v1:0",
            "arn:aws:bedrock:us-west-2:123456789012:nonsense/x",
            "arn:",
        ] {
            assert_eq!(find(id, "us-west-2", &[]), None, "{id}");
        }
    }

    #[test]
    fn foundation_models_are_distinguished_from_everything_else() {
        for id in [
            "anthropic.claude-v2:1",
            "acme.one",
            "us.nova",
            "arn:aws:bedrock:us-west-2::foundation-model/anthropic.claude-v2:1",
        ] {
            assert!(is_foundation(id), "{id}");
        }
        for id in [
            "us.anthropic.claude-v2:1",
            "global.acme.one",
            "arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.anthropic.claude-v2:1",
            "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/abc",
            "arn:aws:bedrock:us-west-2:123456789012:provisioned-model/abc",
            "arn:aws:bedrock:us-west-2:123456789012:imported-model/abc",
        ] {
            assert!(!is_foundation(id), "{id}");
        }
    }

    #[test]
    fn extra_ids_exist_bare_and_as_foundation_model_arns() {
        let extra = vec!["acme.one".to_owned()];
        assert_eq!(find("acme.one", "us-west-2", &extra), Some(ModelKind::Any));
        let arn = "arn:aws:bedrock:us-west-2::foundation-model/acme.one";
        assert_eq!(find(arn, "us-west-2", &extra), Some(ModelKind::Any));
    }

    #[test]
    fn an_extra_id_that_is_built_in_keeps_its_kind() {
        let extra = vec!["amazon.titan-embed-text-v2:0".to_owned()];
        assert_eq!(find(&extra[0], "us-west-2", &extra), Some(ModelKind::Embedding));
    }

    /// The filter has its own list, so a geography that only one of them knows is noticed.
    #[test]
    fn the_filter_knows_the_same_geographies_and_foundation_models() {
        assert_eq!(GEOGRAPHIES, model_id::GEOGRAPHIES);
        for base in BASE_MODELS {
            assert_eq!(model_id::without_geography(base), None, "{base}");
            assert!(is_foundation(base), "{base}");
            for geography in GEOGRAPHIES {
                let profile = format!("{geography}.{base}");
                assert_eq!(model_id::without_geography(&profile), Some(*base), "{profile}");
                assert!(!is_foundation(&profile), "{profile}");
            }
        }
    }
}
