//! Reduces a newer price file from LiteLLM to what this program uses.

use std::fmt::Write;

use super::error::{PriceError, PriceProblem};
use super::price_list::{File, PriceList, parse_file};

/// LiteLLM's names for the service. `bedrock_mantle` is another service, with other endpoints.
const PROVIDERS: [&str; 2] = ["\"bedrock\"", "\"bedrock_converse\""];

/// Reads LiteLLM's `model_prices_and_context_window.json`, or a list in the built-in form, and
/// returns the text of a list in the built-in form: Bedrock's models, one per line, sorted, with
/// their prices as written.
///
/// # Errors
/// The first defect. Every price is checked.
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
    PriceList::parse(&list)?;
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
        // Writing to a string cannot fail.
        _ = writeln!(list, "{key}: {{{}}}{end}", fields.join(", "));
    }
    list + "}\n"
}

/// Keeps prices and the mode. Prices of batch jobs do not apply to requests, and nested prices are
/// for searches.
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
    fn only_bedrock_prices_are_kept_as_written() {
        let list = import(LITELLM).unwrap();
        assert_eq!(
            list,
            "{\n\
             \"amazon.a\": {\"mode\": \"image_generation\", \"output_cost_per_image\": 0.06},\n\
             \"zai.b\": {\"input_cost_per_token\": 3e-06, \"mode\": \"chat\", \"output_cost_per_token\": 1.5e-05}\n\
             }\n"
        );
        assert_eq!(
            import(&list).unwrap(),
            list,
            "the built-in form is accepted as well"
        );
    }

    #[test]
    fn defects_are_reported_with_their_entry_and_field() {
        let error = |text: &str| import(text).unwrap_err().to_string();
        assert_eq!(
            error(&LITELLM.replace("3e-06", "\"cheap\"")),
            "zai.b: input_cost_per_token: expected a price in USD, but found \"cheap\""
        );
        assert_eq!(
            error(r#"{"gpt-9": {"litellm_provider": "openai"}}"#),
            "no entry has the litellm_provider bedrock or bedrock_converse"
        );
        assert_eq!(error("{}"), error(r#"{"gpt-9": {"litellm_provider": "openai"}}"#));
        assert!(error("[]").starts_with("not a JSON object of models: "));
        assert!(error("<html>").starts_with("not a JSON object of models: "));
        assert!(error(r#"{"a": 5}"#).starts_with("not a JSON object of models: "));
    }
}
