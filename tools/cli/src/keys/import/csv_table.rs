//! The rows of a table, from CSV as `psql` writes it.

use serde_json::{Number, Value};

use super::columns::{ColumnType, TableColumns};
use super::rows::LiteLlmRow;

/// The rows in a text with CSV. The first line has the names of the columns. Empty cells are NULL.
pub(super) fn from_csv(text: &str, table: &TableColumns) -> Result<Vec<LiteLlmRow>, String> {
    let malformed = |error: csv::Error| format!("expected CSV, but found an error: {error}");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names: Vec<String> = reader
        .headers()
        .map_err(malformed)?
        .iter()
        .map(str::to_owned)
        .collect();
    let rows = reader.into_records().map(|record| {
        let record = record.map_err(malformed)?;
        let cells = names.iter().zip(record.iter());
        let filled = cells.filter(|(_, cell)| !cell.is_empty());
        Ok(filled
            .map(|(name, cell)| (name.clone(), value(table.column(name).0, cell)))
            .collect())
    });
    rows.collect()
}

/// What a cell says. A cell that is not of its column's type remains text.
fn value(column_type: ColumnType, cell: &str) -> Value {
    let parsed = match (column_type, cell) {
        (ColumnType::Text, _) => None,
        (ColumnType::Flag | ColumnType::Unknown, "t" | "true") => Some(Value::Bool(true)),
        (ColumnType::Flag | ColumnType::Unknown, "f" | "false") => Some(Value::Bool(false)),
        (ColumnType::Flag, _) => None,
        (ColumnType::Number, number) => number.parse::<Number>().ok().map(Value::Number),
        (ColumnType::Array, array) => elements(array).map(Value::from),
        (ColumnType::Json | ColumnType::Unknown, json) => serde_json::from_str(json).ok(),
    };
    parsed.unwrap_or_else(|| Value::from(cell))
}

/// The elements of an array of texts, such as `{a,"b c"}`, or as JSON: `["a"]`.
fn elements(array: &str) -> Option<Vec<String>> {
    if array.starts_with('[') {
        return serde_json::from_str(array).ok();
    }
    let inner = array.strip_prefix('{')?.strip_suffix('}')?;
    let mut elements = Vec::new();
    let mut element = String::new();
    let mut is_quoted = false;
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => element.push(characters.next()?),
            '"' => {
                is_quoted = !is_quoted;
            }
            ',' if !is_quoted => {
                elements.push(std::mem::take(&mut element));
            }
            other => element.push(other),
        }
    }
    if is_quoted {
        return None;
    }
    if !inner.is_empty() {
        elements.push(element);
    }
    Some(elements)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::columns::KEYS;
    use super::*;

    #[test]
    fn cells_have_the_types_of_their_columns() {
        let text = "token,models,aliases,blocked,spend,tpm_limit,expires,key_alias\n\
                    ab,\"{a,\"\"b, c\"\",\"\"d\\\"\"e\\\\\"\"}\",\"{\"\"x\"\": \"\"y\"\"}\",t,1.5e-05,9000000000,\
                    2026-11-21 10:18:51.298,\"two\nlines\"\n";
        let rows = from_csv(text, &KEYS).unwrap();
        let expected = json!({
            "token": "ab", "models": ["a", "b, c", "d\"e\\"], "aliases": {"x": "y"}, "blocked": true,
            "spend": 1.5e-05, "tpm_limit": 9_000_000_000_u64, "expires": "2026-11-21 10:18:51.298",
            "key_alias": "two\nlines",
        });
        assert_eq!(json!(rows), json!([expected]));
    }

    #[test]
    fn an_array_can_be_empty_or_malformed() {
        assert_eq!(elements("{}"), Some(vec![]));
        assert_eq!(elements("{\"\"}"), Some(vec![String::new()]));
        assert_eq!(elements("{a}"), Some(vec!["a".to_owned()]));
        assert_eq!(elements("[\"a\"]"), Some(vec!["a".to_owned()]));
        for text in ["", "{", "a", "{\"a}", "{a\\}"] {
            assert_eq!(elements(text), None, "{text}");
        }
    }

    #[test]
    fn empty_cells_are_null_and_short_lines_are_errors() {
        let rows = from_csv("token,key_alias\nab,\n", &KEYS).unwrap();
        assert_eq!(json!(rows), json!([{"token": "ab"}]));
        let error = from_csv("token,key_alias\nab\n", &KEYS).unwrap_err();
        assert!(error.contains("line: 2"), "{error}");
    }
}
