//! Where a request goes: model groups, their deployments, and the plan of attempts.

pub mod active_config;
pub(crate) mod attempt_log;
pub mod balance;
pub mod deployment;
pub mod model;
pub mod plan;
pub mod plan_table;
pub mod settings_error;
pub mod verdict;
pub mod wildcard;
