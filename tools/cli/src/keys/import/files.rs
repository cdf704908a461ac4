//! The tables of LiteLLM's in files.

use std::fs;
use std::path::Path;

use super::columns::{BUDGETS, KEYS, TEAMS, TableColumns};
use super::csv_table::from_csv;
use super::error::ImportError;
use super::rows::{LiteLlmRow, from_json};

/// A table of LiteLLM's: its name, the column that each row has, and its columns.
pub(super) struct LiteLlmTable(&'static str, &'static str, &'static TableColumns);

pub(super) const KEY_TABLE: LiteLlmTable = LiteLlmTable("\"LiteLLM_VerificationToken\"", "token", &KEYS);
pub(super) const TEAM_TABLE: LiteLlmTable = LiteLlmTable("\"LiteLLM_TeamTable\"", "team_id", &TEAMS);
pub(super) const BUDGET_TABLE: LiteLlmTable = LiteLlmTable("\"LiteLLM_BudgetTable\"", "budget_id", &BUDGETS);

/// The rows of a file with a table, in JSON or CSV.
pub(super) fn read(path: &Path, table: &LiteLlmTable) -> Result<Vec<LiteLlmRow>, ImportError> {
    let LiteLlmTable(name, column, columns) = table;
    let text = fs::read_to_string(path).map_err(|error| ImportError::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    let text = text.trim_start_matches('\u{feff}');
    let is_json = text.trim_start().starts_with(['[', '{']);
    let rows = if is_json {
        from_json(text)
    } else {
        from_csv(text, columns)
    };
    let rows = rows.map_err(|problem| ImportError::Malformed {
        path: path.to_owned(),
        problem,
    })?;
    let has_column = rows.iter().all(|row| row.contains_key(*column));
    has_column.then_some(rows).ok_or_else(|| ImportError::OtherTable {
        path: path.to_owned(),
        table: name,
        column,
    })
}
