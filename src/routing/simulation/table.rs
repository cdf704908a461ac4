//! Tables of DESIGN.md that a simulation generates.

use std::fmt::Write;

/// The document that has the tables.
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/DESIGN.md");

/// A table in Markdown.
pub(super) fn markdown(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = format!("| {} |\n|{}\n", head.join(" | "), " --- |".repeat(head.len()));
    for row in rows {
        writeln!(table, "| {} |", row.join(" | ")).unwrap();
    }
    table
}

/// Compares the table of DESIGN.md that has the same head. `UPDATE_SNAPSHOTS=1` rewrites it.
pub(super) fn assert_documented(table: &str) {
    println!("{table}");
    let head = table.lines().next().unwrap();
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let start = document
        .find(head)
        .expect("DESIGN.md has no table with this head");
    let length = document[start..].find("\n\n").unwrap() + 1;
    let documented = &document[start..start + length];
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        let updated = format!("{}{table}{}", &document[..start], &document[start + length..]);
        return std::fs::write(DOCUMENT, updated).unwrap();
    }
    assert_eq!(documented, table, "update it with UPDATE_SNAPSHOTS=1");
}
