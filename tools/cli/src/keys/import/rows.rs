//! The rows of a table, from JSON.

use serde_json::{Map, Value};

/// A row: the columns that have a value.
pub(super) type LiteLlmRow = Map<String, Value>;

/// The rows of LiteLLM's tables.
pub(super) struct LiteLlmTables {
    pub(super) keys: Vec<LiteLlmRow>,
    pub(super) teams: Vec<LiteLlmRow>,
    pub(super) budgets: Vec<LiteLlmRow>,
}

/// The rows in a text with JSON: a list, a list in `keys`, or one row on each line.
pub(super) fn from_json(text: &str) -> Result<Vec<LiteLlmRow>, String> {
    let mut rows = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let value = value.map_err(|error| format!("expected JSON, but found an error: {error}"))?;
        add(value, &mut rows)?;
    }
    Ok(rows)
}

fn add(value: Value, rows: &mut Vec<LiteLlmRow>) -> Result<(), String> {
    match value {
        Value::Array(values) => values.into_iter().try_for_each(|value| add(value, rows)),
        Value::Object(mut fields) => {
            let lists = ["keys", "teams"];
            match lists.iter().find_map(|name| fields.remove(*name)) {
                Some(list) => {
                    complete(&fields)?;
                    add(list, rows)
                }
                None => {
                    rows.push(fields);
                    Ok(())
                }
            }
        }
        Value::String(_) => Err("expected rows, but found texts: \
                                 get the list with return_full_object=true"
            .to_owned()),
        _ => Err("expected an object for each row, but found another value".to_owned()),
    }
}

/// LiteLLM's API lists keys in pages.
fn complete(list: &LiteLlmRow) -> Result<(), String> {
    let pages = list.get("total_pages").and_then(Value::as_u64);
    match pages.filter(|pages| *pages > 1) {
        None => Ok(()),
        Some(pages) => Err(format!(
            "expected the whole list, but found one of {pages} pages: export the table with psql"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_from_a_list_or_from_lines() {
        for text in [
            r#"[{"token": "a"}, {"token": "b"}]"#,
            "{\"token\": \"a\"}\n{\"token\": \"b\"}\n",
            r#"{"keys": [{"token": "a"}, {"token": "b"}], "total_count": 2, "total_pages": 1}"#,
        ] {
            let rows = from_json(text).unwrap();
            let tokens: Vec<_> = rows.iter().map(|row| row["token"].as_str().unwrap()).collect();
            assert_eq!(tokens, ["a", "b"], "{text}");
        }
    }

    #[test]
    fn what_is_not_the_whole_list_of_rows_is_an_error() {
        for (text, part) in [
            ("[{]", "JSON"),
            ("[1]", "an object"),
            (r#"{"keys": ["abc"], "total_pages": 1}"#, "return_full_object"),
            (r#"{"keys": [], "total_pages": 2}"#, "2 pages"),
        ] {
            let error = from_json(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
