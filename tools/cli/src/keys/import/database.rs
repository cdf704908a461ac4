//! The tables of LiteLLM's in its database.

use std::collections::{BTreeMap, BTreeSet};

use postgres::{IsolationLevel, SimpleQueryMessage, Transaction};
use serde_json::{Map, Value};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::columns::{MEMBER_LIMITS, REPLACED_KEYS, USER_LIMITS};
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
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .map_err(refused)?;
    let mut tables = Tables {
        schema: url.schema.replace('"', "\"\""),
        transaction,
    };
    tables.read().map_err(failed)
}

/// What limits a user or a member of a team, whichever of these columns a version of LiteLLM has.
const LIMITS: &str = "EXISTS (SELECT FROM jsonb_each(to_jsonb(t)) AS f WHERE f.key IN \
                      ('max_budget', 'max_parallel_requests', 'tpm_limit', 'rpm_limit', 'tpd_limit', 'models', \
                      'allowed_models', 'policies', 'model_max_budget') \
                      AND f.value NOT IN ('null', '[]', '{}'))";

/// LiteLLM's tables in a transaction.
struct Tables<'a> {
    transaction: Transaction<'a>,
    schema: String,
}

impl Tables<'_> {
    fn read(&mut self) -> Result<LiteLlmTables, String> {
        let mut keys = self.all("LiteLLM_VerificationToken")?;
        self.add_limits(&mut keys)?;
        self.add_replaced(&mut keys)?;
        Ok(LiteLlmTables {
            keys,
            teams: self.all("LiteLLM_TeamTable")?,
            budgets: self.all("LiteLLM_BudgetTable")?,
        })
    }

    fn all(&mut self, table: &str) -> Result<Vec<LiteLlmRow>, String> {
        let table = self.name(table);
        self.rows(&format!("SELECT row_to_json(t)::text FROM {table} t"))
    }

    /// Whether the user of each key, and the member of its team, has limits.
    fn add_limits(&mut self, keys: &mut [LiteLlmRow]) -> Result<(), String> {
        let (users, budgets) = (self.name("LiteLLM_UserTable"), self.name("LiteLLM_BudgetTable"));
        let members = self.name("LiteLLM_TeamMembership");
        let query = format!("SELECT json_build_array(user_id)::text FROM {users} t WHERE {LIMITS}");
        let users: BTreeSet<_> = self.lists(&query)?.into_iter().collect();
        let query = format!(
            "SELECT json_build_array(m.user_id, m.team_id)::text FROM {members} m JOIN {budgets} t USING (budget_id) \
             WHERE {LIMITS}"
        );
        let members: BTreeSet<_> = self.lists(&query)?.into_iter().collect();
        for key in keys {
            let Some(user) = key.remove("user_id").filter(Value::is_string) else {
                continue;
            };
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let team = key.get("team_id").map(text).unwrap_or_default();
            if users.contains(&vec![text(&user)]) {
                key.insert(USER_LIMITS.to_owned(), user.clone());
            }
            if members.contains(&vec![text(&user), team]) {
                key.insert(MEMBER_LIMITS.to_owned(), user);
            }
        }
        Ok(())
    }

    /// The keys that LiteLLM has replaced and still accepts. Old versions do not have the table.
    fn add_replaced(&mut self, keys: &mut [LiteLlmRow]) -> Result<(), String> {
        let table = self.name("LiteLLM_DeprecatedVerificationToken");
        let query = format!(
            "SELECT json_build_array(to_regclass('{}')::text)::text",
            table.replace('\'', "''")
        );
        if self.lists(&query)?.concat().is_empty() {
            return Ok(());
        }
        let query = format!(
            "SELECT json_build_array(active_token_id, token, revoke_at)::text FROM {table} \
             WHERE revoke_at > now() AT TIME ZONE 'UTC'"
        );
        let mut replaced: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
        for list in self.lists(&query)? {
            if let [active, token, until] = list.as_slice() {
                let tokens = replaced.entry(active.clone()).or_default();
                tokens.insert(token.clone(), until.clone().into());
            }
        }
        for key in keys {
            let token = key.get("token").and_then(Value::as_str);
            if let Some(tokens) = token.and_then(|token| replaced.remove(token)) {
                key.insert(REPLACED_KEYS.to_owned(), tokens.into());
            }
        }
        Ok(())
    }

    fn name(&self, table: &str) -> String {
        format!("\"{}\".\"{table}\"", self.schema)
    }

    /// The rows of a query for JSON: which columns there are depends on LiteLLM's version.
    fn rows(&mut self, query: &str) -> Result<Vec<LiteLlmRow>, String> {
        let texts = self.texts(query)?;
        let rows = texts.iter().map(|text| from_json(text));
        Ok(rows.collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// The rows of a query for lists of texts, without those that have a NULL.
    fn lists(&mut self, query: &str) -> Result<Vec<Vec<String>>, String> {
        let texts = self.texts(query)?;
        Ok(texts
            .iter()
            .filter_map(|text| serde_json::from_str(text).ok())
            .collect())
    }

    /// A simple query also passes through a pool of connections.
    fn texts(&mut self, query: &str) -> Result<Vec<String>, String> {
        let messages = self.transaction.simple_query(query).map_err(described)?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.try_get(0)),
            _ => None,
        });
        let texts = rows.map(|text| Ok(text.map_err(described)?.unwrap_or_default().to_owned()));
        texts.collect()
    }
}
