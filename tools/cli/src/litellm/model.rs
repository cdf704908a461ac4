//! The parts of `litellm_params.model`: the provider, the model id, and sometimes a region.

use envoy_bedrock::bedrock::model_id::without_geography;
use envoy_bedrock::encoding::percent;

use super::entry::name_fault;
use crate::region;

/// LiteLLM's routes to Bedrock's runtime, which users put before the model id.
const ROUTES: [&str; 4] = ["converse", "invoke", "converse_like", "chat_completions"];

/// Further routes to Bedrock's runtime, which name the request format of imported and custom
/// models. Here the format is the client's concern.
const FORMAT_ROUTES: [&str; 11] = [
    "anthropic",
    "llama",
    "deepseek_r1",
    "openai",
    "qwen2",
    "qwen3",
    "stability",
    "moonshot",
    "nova",
    "nova-2",
    "mistral",
];

/// Routes to APIs other than Bedrock's runtime.
const OTHER_SERVICES: [&str; 5] = ["agent", "agentcore", "async_invoke", "mantle", "claude_platform"];

/// Providers of Bedrock's models. LiteLLM recognises an id that starts with one of these as
/// Bedrock's.
const MODEL_PROVIDERS: [&str; 15] = [
    "ai21",
    "amazon",
    "anthropic",
    "cohere",
    "deepseek",
    "google",
    "luma",
    "meta",
    "minimax",
    "mistral",
    "moonshot",
    "openai",
    "qwen",
    "twelvelabs",
    "writer",
];

/// What a deployment's `model` refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ModelTarget {
    /// A model of Bedrock's runtime.
    Bedrock {
        /// The id or ARN.
        id: String,
        /// The region in `bedrock/<region>/<id>`.
        region: Option<String>,
    },
    /// A model of this other provider or AWS service.
    OtherProvider(String),
}

/// `text` without percent-encoding. Some users encode ARNs, because older versions of LiteLLM put
/// them into the path unencoded. Repeated encoding is undone too, since no id contains a `%`.
pub(crate) fn decoded(text: String) -> String {
    let decode = |text: &str| String::from_utf8(percent::decode(text.as_bytes(), Some)?).ok();
    let mut text = text;
    while let Some(decoded) = decode(&text).filter(|decoded| *decoded != text) {
        text = decoded;
    }
    text
}

/// What `model` refers to, given `custom_llm_provider`.
pub(crate) fn target(model: &str, provider: Option<&str>) -> ModelTarget {
    let (named, rest) = match model.split_once('/') {
        Some((first @ ("bedrock" | "bedrock_converse"), rest)) => (Some(first), rest),
        _ => (None, model),
    };
    match provider.or(named) {
        Some("bedrock" | "bedrock_converse") => within_bedrock(rest),
        Some(other) => ModelTarget::OtherProvider(other.to_owned()),
        None if is_bedrock_id(model) => within_bedrock(model),
        None => match model.split_once('/') {
            Some((provider, _)) => ModelTarget::OtherProvider(provider.to_owned()),
            None => ModelTarget::OtherProvider("an unnamed provider".to_owned()),
        },
    }
}

/// Removes LiteLLM's prefixes of the id. An ARN ends them: its slashes are part of the id.
fn within_bedrock(model: &str) -> ModelTarget {
    let mut id = model;
    let mut region = None;
    while let Some((first, rest)) = id.split_once('/') {
        if OTHER_SERVICES.contains(&first) {
            return ModelTarget::OtherProvider(format!("bedrock/{first}"));
        }
        if region::is_region(first) && region.is_none() {
            region = Some(first.to_owned());
        } else if !is_route(first) && !is_commitment(first) && first != "bedrock" {
            break;
        }
        id = rest;
    }
    ModelTarget::Bedrock {
        id: id.to_owned(),
        region,
    }
}

fn is_route(part: &str) -> bool {
    ROUTES.contains(&part) || FORMAT_ROUTES.contains(&part)
}

/// `1-month-commitment` and the like, which are part of LiteLLM's price keys and not of the id.
pub(crate) fn is_commitment(part: &str) -> bool {
    part.ends_with("-month-commitment")
}

fn is_bedrock_id(model: &str) -> bool {
    if model.starts_with("arn:") {
        return model.split(':').nth(2) == Some("bedrock");
    }
    let id = without_geography(model).unwrap_or(model);
    id.split_once('.')
        .is_some_and(|(provider, _)| MODEL_PROVIDERS.contains(&provider))
}

/// Why `id` cannot be a model id.
pub(crate) fn id_fault(id: &str) -> Option<&'static str> {
    if let Some(fault) = name_fault(id) {
        Some(fault)
    } else if id.chars().any(char::is_whitespace) {
        Some("white space")
    } else if id.contains('%') {
        Some("a % that is not followed by two hexadecimal digits")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bedrock(id: &str, region: Option<&str>) -> ModelTarget {
        ModelTarget::Bedrock {
            id: id.to_owned(),
            region: region.map(str::to_owned),
        }
    }

    #[test]
    fn litellms_prefixes_are_not_part_of_the_id() {
        let id = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
        for prefix in [
            "bedrock/",
            "bedrock/converse/",
            "bedrock/invoke/",
            "bedrock/converse_like/",
            "bedrock_converse/",
        ] {
            assert_eq!(
                target(&format!("{prefix}{id}"), None),
                bedrock(id, None),
                "{prefix}"
            );
            assert_eq!(
                target(&format!("{prefix}{id}"), Some("bedrock")),
                bedrock(id, None),
                "{prefix}"
            );
        }
        assert_eq!(target(id, Some("bedrock")), bedrock(id, None));
        assert_eq!(
            target(&format!("converse/{id}"), Some("bedrock")),
            bedrock(id, None)
        );
        assert_eq!(target(id, None), bedrock(id, None));
        assert_eq!(
            target("anthropic.claude-v2:1", None),
            bedrock("anthropic.claude-v2:1", None)
        );
    }

    #[test]
    fn a_region_before_the_id_is_found_in_any_order() {
        for model in [
            "bedrock/us-gov-west-1/x.y",
            "bedrock/converse/us-gov-west-1/x.y",
            "bedrock/us-gov-west-1/invoke/x.y",
        ] {
            assert_eq!(
                target(model, None),
                bedrock("x.y", Some("us-gov-west-1")),
                "{model}"
            );
        }
        assert_eq!(
            target("bedrock/us-west-2/6-month-commitment/anthropic.claude-v1", None),
            bedrock("anthropic.claude-v1", Some("us-west-2"))
        );
    }

    #[test]
    fn the_slashes_of_an_arn_are_part_of_the_id() {
        for arn in [
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-v2",
            "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova/invoke/x",
        ] {
            for prefix in [
                "",
                "bedrock/",
                "bedrock/converse/",
                "bedrock/invoke/",
                "bedrock/llama/",
                "bedrock/us-east-1/",
            ] {
                let expected = if prefix.contains("us-east-1") {
                    Some("us-east-1")
                } else {
                    None
                };
                assert_eq!(
                    target(&format!("{prefix}{arn}"), None),
                    bedrock(arn, expected),
                    "{prefix}"
                );
            }
        }
    }

    #[test]
    fn models_of_other_providers_are_named() {
        for (model, provider, who) in [
            ("openai/gpt-4o", None, "openai"),
            ("azure/my-deployment", None, "azure"),
            ("gpt-3.5-turbo", None, "an unnamed provider"),
            ("gpt-4o", Some("openai"), "openai"),
            ("bedrock/agent/A/B", None, "bedrock/agent"),
            (
                "bedrock/agentcore/arn:aws:bedrock-agentcore:us-east-1:1:runtime/x",
                None,
                "bedrock/agentcore",
            ),
            ("bedrock_mantle/openai.gpt-oss", None, "bedrock_mantle"),
            ("openai/anthropic.claude-v2", None, "openai"),
            (
                "arn:aws:sagemaker:us-east-1:1:endpoint/x",
                None,
                "arn:aws:sagemaker:us-east-1:1:endpoint",
            ),
        ] {
            assert_eq!(
                target(model, provider),
                ModelTarget::OtherProvider(who.to_owned()),
                "{model}"
            );
        }
    }

    #[test]
    fn repeated_percent_encoding_is_undone() {
        let arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc";
        let once = "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc";
        let twice = once.replace('%', "%25");
        for spelling in [arn, once, &twice, &once.to_lowercase(), &once.replace("%3A", ":")] {
            assert_eq!(decoded(spelling.to_owned()), arn, "{spelling}");
        }
        for other in [
            "",
            "us.anthropic.claude-v1:0",
            "us.*",
            "a%",
            "a%3",
            "a%zz",
            "a%ff",
        ] {
            assert_eq!(decoded(other.to_owned()), other);
        }
    }

    #[test]
    fn ids_have_no_white_space_and_no_stray_percent_sign() {
        assert_eq!(id_fault(""), Some("an empty string"));
        assert_eq!(id_fault("a b"), Some("white space"));
        assert!(id_fault("us.anthropic.claude%3").unwrap().starts_with("a % that"));
        assert_eq!(id_fault("us.anthropic.claude:0"), None);
    }
}
