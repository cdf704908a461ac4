//! The columns of LiteLLM's tables, and what becomes of each one here.

use self::ColumnType::{Array, Flag, Json, Number, Text, Unknown};
use self::Use::{Dropped, Left, Protects, Taken};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnType {
    Text,
    Number,
    Flag,
    /// An array of texts.
    Array,
    Json,
    /// This program does not know.
    Unknown,
}

/// What becomes of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It is imported, or decides what is imported.
    Taken,
    /// It limits nobody: history, or a part of LiteLLM that is not here.
    Dropped,
    /// It is not imported. The text says what it does in LiteLLM.
    Left(&'static str),
    /// The same, and it limits what a key can do.
    Protects(&'static str),
}

/// Columns of the same type with the same use; their names are separated by spaces.
pub(super) struct Columns(pub(super) &'static str, ColumnType, Use);

/// A table of LiteLLM's.
pub(super) struct TableColumns(&'static [Columns]);

const TEAM_BUDGETS: &str = "more budgets, each with its own period";
const MODEL_BUDGETS: &str = "a budget for each model";
const DAILY_TOKENS: &str = "a limit of tokens per day";
const POLICIES: &str = "policies with guardrails";
const ORGANIZATION: &str = "an organization with a budget and limits";
const ACCESS_GROUPS: &str = "access groups give more models than `models`";
const ROUTER: &str = "settings of the router";
const OBJECTS: &str = "which MCP servers, vector stores, agents and models can be used";

/// Columns that `database` adds to the keys, from other tables.
///
/// The keys that this one has replaced and that are still accepted, with the time until then.
pub(super) const REPLACED_KEYS: &str = "replaced_keys";
/// The user of the key, if it has limits.
pub(super) const USER_LIMITS: &str = "user_limits";
/// The member of the team that has the key, if it has limits.
pub(super) const MEMBER_LIMITS: &str = "team_member_limits";

/// `LiteLLM_VerificationToken`.
pub(super) const KEYS: TableColumns = TableColumns(&[
    Columns(
        "token key_alias expires team_id budget_duration budget_reset_at budget_id",
        Text,
        Taken,
    ),
    Columns(
        "spend max_parallel_requests tpm_limit rpm_limit max_budget soft_budget",
        Number,
        Taken,
    ),
    Columns("models allowed_routes", Array, Taken),
    Columns("aliases metadata litellm_budget_table replaced_keys", Json, Taken),
    Columns("blocked is_session_token", Flag, Taken),
    Columns(
        "key_name key_type api_key created_at created_by updated_at updated_by settings_updated_at last_active \
             last_rotation_at last_refreshed_at request_route parent_otel_span team_alias organization_alias project_alias \
             user_alias user_email user_role",
        Text,
        Dropped,
    ),
    Columns("soft_budget_cooldown", Flag, Dropped),
    Columns("total_spend rotation_count", Number, Dropped),
    Columns("model_spend user created_by_user jwt_claims", Json, Dropped),
    Columns("config", Json, Left("models of its own")),
    Columns("router_settings", Json, Left(ROUTER)),
    Columns(
        "user_id",
        Text,
        Left("a user, who can have a budget, limits and models"),
    ),
    Columns("permissions", Json, Left("permissions of LiteLLM's own features")),
    Columns(
        "allowed_cache_controls",
        Array,
        Left("which cache controls it can send"),
    ),
    Columns("access_group_ids", Array, Left(ACCESS_GROUPS)),
    Columns(
        "budget_fallbacks",
        Json,
        Left("other models when a budget is used up"),
    ),
    Columns("auto_rotate", Flag, Left("LiteLLM replaces the key regularly")),
    Columns(
        "rotation_interval key_rotation_at",
        Text,
        Left("when LiteLLM replaces the key"),
    ),
    Columns(
        "agent_id",
        Text,
        Protects("an agent, which can have a budget and limits"),
    ),
    Columns("project_id", Text, Protects("a project with a budget and models")),
    Columns("organization_id org_id", Text, Protects(ORGANIZATION)),
    Columns("object_permission_id", Text, Protects(OBJECTS)),
    Columns("object_permission", Json, Protects(OBJECTS)),
    Columns("tpd_limit", Number, Protects(DAILY_TOKENS)),
    Columns("policies", Array, Protects(POLICIES)),
    Columns("model_max_budget", Json, Protects(MODEL_BUDGETS)),
    Columns("budget_limits", Json, Protects(TEAM_BUDGETS)),
]);

/// `LiteLLM_TeamTable`.
pub(super) const TEAMS: TableColumns = TableColumns(&[
    Columns("team_id team_alias budget_duration budget_reset_at", Text, Taken),
    Columns(
        "max_budget soft_budget spend max_parallel_requests tpm_limit rpm_limit",
        Number,
        Taken,
    ),
    Columns("models", Array, Taken),
    Columns("metadata", Json, Taken),
    Columns("blocked", Flag, Taken),
    Columns("created_at updated_at", Text, Dropped),
    Columns(
        "admins members team_member_permissions default_team_member_models",
        Array,
        Dropped,
    ),
    Columns("members_with_roles model_spend", Json, Dropped),
    Columns("allow_team_guardrail_config", Flag, Dropped),
    Columns("router_settings", Json, Left(ROUTER)),
    Columns("access_group_ids", Array, Left(ACCESS_GROUPS)),
    Columns("model_id", Number, Left("aliases of models for the whole team")),
    Columns("organization_id", Text, Protects(ORGANIZATION)),
    Columns("object_permission_id", Text, Protects(OBJECTS)),
    Columns("object_permission", Json, Protects(OBJECTS)),
    Columns("tpd_limit", Number, Protects(DAILY_TOKENS)),
    Columns("policies", Array, Protects(POLICIES)),
    Columns("model_max_budget", Json, Protects(MODEL_BUDGETS)),
    Columns("budget_limits", Json, Protects(TEAM_BUDGETS)),
]);

/// `LiteLLM_BudgetTable`.
pub(super) const BUDGETS: TableColumns = TableColumns(&[
    Columns("budget_id budget_duration budget_reset_at", Text, Taken),
    Columns("max_budget soft_budget tpm_limit rpm_limit", Number, Taken),
    // LiteLLM does not apply this one to keys.
    Columns("max_parallel_requests", Number, Dropped),
    Columns("created_at created_by updated_at updated_by", Text, Dropped),
    Columns("allowed_models", Array, Dropped),
    Columns(
        "temp_budget_increase",
        Number,
        Left("a higher budget for a while"),
    ),
    Columns("temp_budget_expiry", Text, Left("when a higher budget ends")),
    Columns("tpd_limit", Number, Protects(DAILY_TOKENS)),
    Columns("model_max_budget", Json, Protects(MODEL_BUDGETS)),
]);

impl TableColumns {
    /// What a column holds and what becomes of it. A column that is not known could limit keys.
    pub(super) fn column(&self, name: &str) -> (ColumnType, Use) {
        let has_name = |columns: &&Columns| columns.0.split(' ').any(|known| known == name);
        if let Some(Columns(_, column_type, becomes)) = self.0.iter().find(has_name) {
            return (*column_type, *becomes);
        }
        (Unknown, Protects("this program does not know it"))
    }
}
