//! Where a request goes: model groups, their deployments, and the plan of attempts.

pub mod active_config;
pub(crate) mod attempt_log;
pub mod brokered;
pub(crate) mod choice;
pub(crate) mod deployment;
pub(crate) mod model;
mod next_target;
pub(crate) mod outcome;
pub mod outlook;
pub mod plan;
pub mod plan_table;
pub(crate) mod settings_error;
#[cfg(test)]
mod simulation;
pub(crate) mod upstream_request;
pub(crate) mod verdict;
pub(crate) mod wildcard;
