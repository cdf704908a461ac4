//! What `litellm_params.model` says: the provider, the id to ask AWS for, and now and then a region.

use envoy_bedrock::bedrock::model_id::GEOGRAPHIES;
use envoy_bedrock::encoding::percent;

use crate::region;

/// Longest model id that Bedrock takes.
pub(crate) const LENGTH_MAX: usize = 2048;

/// Routes that LiteLLM users put in front of the id and that all mean Bedrock's runtime. Those after the first line
/// name the request format of imported and custom models, which is the client's business here.
const ROUTES: [&str; 15] = [
    "converse",
    "invoke",
    "converse_like",
    "chat_completions", //
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

/// Routes to other APIs than Bedrock's runtime.
const OTHER_SERVICES: [&str; 5] = ["agent", "agentcore", "async_invoke", "mantle", "claude_platform"];

/// Makers of Bedrock's models: with these in front, LiteLLM knows an id as Bedrock's without being told.
const MAKERS: [&str; 15] = [
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

/// A deployment's `model`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A model of Bedrock's runtime.
    Bedrock {
        /// The id or ARN.
        id: String,
        /// The region in `bedrock/<region>/<id>`.
        region: Option<String>,
    },
    /// Somebody else's, with the name of who.
    Elsewhere(String),
}

/// `text` without its percent-encoding. Some write ARNs that way, because older versions of LiteLLM put them into the path as
/// they were. It is undone as often as it was done, since no id has a `%` of its own; one that is left is a mistake.
pub(crate) fn decoded(text: String) -> String {
    let decode = |text: &str| String::from_utf8(percent::decode(text.as_bytes(), Some)?).ok();
    let mut text = text;
    while let Some(decoded) = decode(&text).filter(|decoded| *decoded != text) {
        text = decoded;
    }
    text
}

/// Takes `model` apart, given `custom_llm_provider`.
pub(crate) fn target(model: &str, provider: Option<&str>) -> Target {
    let (named, rest) = match model.split_once('/') {
        Some((first @ ("bedrock" | "bedrock_converse"), rest)) => (Some(first), rest),
        _ => (None, model),
    };
    match provider.or(named) {
        Some("bedrock" | "bedrock_converse") => within_bedrock(rest),
        Some(other) => Target::Elsewhere(other.to_owned()),
        None if is_bedrock_id(model) => within_bedrock(model),
        None => match model.split_once('/') {
            Some((provider, _)) => Target::Elsewhere(provider.to_owned()),
            None => Target::Elsewhere("an unnamed provider".to_owned()),
        },
    }
}

/// Takes away what LiteLLM puts in front of the id. An ARN has slashes of its own, so it ends the search.
fn within_bedrock(model: &str) -> Target {
    let mut id = model;
    let mut region = None;
    while let Some((first, rest)) = id.split_once('/') {
        if OTHER_SERVICES.contains(&first) {
            return Target::Elsewhere(format!("bedrock/{first}"));
        }
        if region::is_region(first) && region.is_none() {
            region = Some(first.to_owned());
        } else if !ROUTES.contains(&first) && !is_commitment(first) && first != "bedrock" {
            break;
        }
        id = rest;
    }
    Target::Bedrock {
        id: id.to_owned(),
        region,
    }
}

/// `1-month-commitment` and the like: part of LiteLLM's price keys, not of the id.
pub(crate) fn is_commitment(part: &str) -> bool {
    part.ends_with("-month-commitment")
}

fn is_bedrock_id(model: &str) -> bool {
    if model.starts_with("arn:") {
        return model.split(':').nth(2) == Some("bedrock");
    }
    let mut parts = model.split('.');
    let first = parts.next().unwrap_or_default();
    let maker = if GEOGRAPHIES.contains(&first) {
        parts.next().unwrap_or_default()
    } else {
        first
    };
    MAKERS.contains(&maker) && parts.next().is_some()
}

/// Why `name` cannot be what clients call a model.
pub(crate) fn name_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("an empty one")
    } else if name.len() > LENGTH_MAX {
        Some("a longer one")
    } else if name.chars().any(char::is_control) {
        Some("a control character in it")
    } else {
        None
    }
}

/// Why `id` cannot be a model id.
pub(crate) fn id_fault(id: &str) -> Option<&'static str> {
    name_fault(id).or_else(|| {
        let faults = [
            (id.chars().any(char::is_whitespace), "white space in it"),
            (
                id.contains('%'),
                "a % in it that is not followed by two hexadecimal digits",
            ),
        ];
        faults
            .into_iter()
            .find_map(|(is_there, fault)| is_there.then_some(fault))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bedrock(id: &str, region: Option<&str>) -> Target {
        Target::Bedrock {
            id: id.to_owned(),
            region: region.map(str::to_owned),
        }
    }

    #[test]
    fn prefixes_of_litellm_are_no_part_of_the_id() {
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
    fn a_region_in_front_of_the_id_is_found_in_any_order() {
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
    fn the_slashes_of_an_arn_are_its_own() {
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
    fn what_is_not_for_bedrocks_runtime_is_named() {
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
                Target::Elsewhere(who.to_owned()),
                "{model}"
            );
        }
    }

    #[test]
    fn percent_encoding_is_undone_as_often_as_it_was_done() {
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
    fn ids_have_a_length_and_printable_characters() {
        assert_eq!(id_fault(&"a".repeat(LENGTH_MAX)), None);
        assert_eq!(id_fault(&"a".repeat(LENGTH_MAX + 1)), Some("a longer one"));
        assert_eq!(id_fault(""), Some("an empty one"));
        assert_eq!(id_fault("a\nb"), Some("a control character in it"));
        assert_eq!(id_fault("a b"), Some("white space in it"));
        assert!(
            id_fault("us.anthropic.claude%3")
                .unwrap()
                .starts_with("a % in it")
        );
        assert_eq!(id_fault("us.anthropic.claude:0"), None);
        assert_eq!(name_fault("my model"), None);
    }
}
