//! Where a request goes: model groups, their deployments, and the plan of attempts.

pub mod active_config;
pub(crate) mod attempt_log;
pub mod brokered;
pub(crate) mod choice;
pub(crate) mod deployment;
pub(crate) mod model;
pub(crate) mod plan;
pub mod plan_table;
pub(crate) mod settings_error;
pub(crate) mod verdict;
pub(crate) mod wildcard;
