//! The tables of LiteLLM's in its database.

use postgres::{IsolationLevel, SimpleQueryMessage, Transaction};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::database_url::{DatabaseUrl, described};
use super::error::ImportError;
use super::rows::{LiteLlmRow, LiteLlmTables, from_json};
use super::tls;

/// A reference to an environment variable, as in LiteLLM's configuration.
const REFERENCE: &str = "os.environ/";

/// Reads the tables in one transaction that cannot write. `url` is a URL, or `os.environ/` and the
/// variable that has one.
pub(super) fn read(url: &str) -> Result<LiteLlmTables, ImportError> {
    let url = match url.strip_prefix(REFERENCE) {
        Some(name) => std::env::var(name).map_err(|_| ImportError::NoVariable(name.to_owned()))?,
        None => url.to_owned(),
    };
    let url = DatabaseUrl::parse(&url).map_err(ImportError::DatabaseUrl)?;
    let tls = tls::settings(url.verification, url.authorities.as_deref());
    let connector = MakeRustlsConnect::new(tls.map_err(ImportError::DatabaseUrl)?);
    let failed = |problem| ImportError::Database {
        server: url.server(),
        problem,
    };
    let refused = |error| failed(described(error));
    let mut client = url.config.connect(connector).map_err(refused)?;
    let mut transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .map_err(refused)?;
    let mut table = |name| rows(&mut transaction, &url.schema, name).map_err(failed);
    Ok(LiteLlmTables {
        keys: table("LiteLLM_VerificationToken")?,
        teams: table("LiteLLM_TeamTable")?,
        budgets: table("LiteLLM_BudgetTable")?,
    })
}

/// The rows of a table. Their columns depend on LiteLLM's version, so they come as JSON. A simple
/// query also passes through a pool of connections.
fn rows(transaction: &mut Transaction<'_>, schema: &str, table: &str) -> Result<Vec<LiteLlmRow>, String> {
    let schema = schema.replace('"', "\"\"");
    let query = format!("SELECT row_to_json(t)::text FROM \"{schema}\".\"{table}\" t");
    let mut rows = Vec::new();
    for message in transaction.simple_query(&query).map_err(described)? {
        if let SimpleQueryMessage::Row(row) = message {
            let text = row.try_get(0).map_err(described)?.unwrap_or_default();
            rows.append(&mut from_json(text)?);
        }
    }
    Ok(rows)
}
