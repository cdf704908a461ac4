//! A newer price file of LiteLLM's, reduced to what this program uses.

use std::fmt::Write;

use super::catalogue::{File, parse_file};
use super::{Catalogue, PriceError, PriceProblem};

/// What LiteLLM calls the service. `bedrock_mantle` is another one, with other endpoints.
const PROVIDERS: [&str; 2] = ["\"bedrock\"", "\"bedrock_converse\""];

/// Reads LiteLLM's `model_prices_and_context_window.json` (or a list in the built-in form) and returns the text of a
/// list in the built-in form: Bedrock's models, one a line, sorted, with their prices as they were written.
///
/// # Errors
/// The first defect, with its place: every price is checked.
pub fn import(text: &str) -> Result<String, PriceError> {
    let file = parse_file(text)?;
    let foreign = file
        .values()
        .any(|fields| fields.contains_key("litellm_provider"));
    let bedrock: File = file
        .into_iter()
        .filter(|(_, fields)| {
            let provider = fields.get("litellm_provider").map(|provider| provider.get());
            !foreign || provider.is_some_and(|provider| PROVIDERS.contains(&provider))
        })
        .collect();
    if bedrock.is_empty() {
        let (entry, field) = (String::new(), String::new());
        return Err(PriceError {
            entry,
            field,
            problem: PriceProblem::NoBedrock,
        });
    }
    let list = write(&bedrock);
    Catalogue::parse(&list)?;
    Ok(list)
}

fn write(file: &File) -> String {
    let mut list = String::from("{\n");
    for (place, (key, fields)) in file.iter().enumerate() {
        let fields: Vec<_> = fields
            .iter()
            .filter(|(name, value)| is_kept(name, value.get()))
            .map(|(name, value)| format!("{}: {}", serde_json::Value::from(name.as_str()), value.get()))
            .collect();
        let end = if place + 1 == file.len() { "" } else { "," };
        let key = serde_json::Value::from(key.as_str());
        // Writing to a string does not fail.
        _ = writeln!(list, "{key}: {{{}}}{end}", fields.join(", "));
    }
    list + "}\n"
}

/// Prices, and what the model does. Prices of batch jobs are no prices of requests, and nested ones are of searches.
fn is_kept(name: &str, value: &str) -> bool {
    let price = name.contains("cost") && !name.ends_with("_batches") && !value.starts_with(['{', '[']);
    price || name == "mode"
}

#[cfg(test)]
mod tests {
    use super::*;

    const LITELLM: &str = r#"{
        "sample_spec": {"litellm_provider": "one of the providers", "input_cost_per_token": 0.0, "mode": "chat"},
        "gpt-9": {"litellm_provider": "openai", "input_cost_per_token": "not looked at"},
        "zai.b": {"litellm_provider": "bedrock_converse", "mode": "chat", "max_tokens": 5, "input_cost_per_token": 3e-06,
                  "input_cost_per_token_batches": 1e-6, "output_cost_per_token": 1.5e-05, "supports_vision": true,
                  "search_context_cost_per_query": {"search_context_size_low": 0.01}},
        "amazon.a": {"litellm_provider": "bedrock", "mode": "image_generation", "output_cost_per_image": 0.06}
    }"#;

    #[test]
    fn only_bedrocks_prices_are_kept_and_as_they_were_written() {
        let list = import(LITELLM).unwrap();
        assert_eq!(
            list,
            "{\n\
             \"amazon.a\": {\"mode\": \"image_generation\", \"output_cost_per_image\": 0.06},\n\
             \"zai.b\": {\"input_cost_per_token\": 3e-06, \"mode\": \"chat\", \"output_cost_per_token\": 1.5e-05}\n\
             }\n"
        );
        assert_eq!(import(&list).unwrap(), list, "its own form is read too");
    }

    #[test]
    fn defects_are_named() {
        let error = |text: &str| import(text).unwrap_err().to_string();
        assert_eq!(
            error(&LITELLM.replace("3e-06", "\"dear\"")),
            "zai.b: input_cost_per_token: expected a price in USD, but found \"dear\""
        );
        assert_eq!(
            error(r#"{"gpt-9": {"litellm_provider": "openai"}}"#),
            "expected entries whose litellm_provider is bedrock or bedrock_converse, but found none"
        );
        assert_eq!(error("{}"), error(r#"{"gpt-9": {"litellm_provider": "openai"}}"#));
        assert!(error("[]").starts_with("expected a JSON object of models, but found "));
        assert!(error("<html>").starts_with("expected a JSON object of models, but found "));
        assert!(error(r#"{"a": 5}"#).starts_with("expected a JSON object of models, but found "));
    }
}
