//! Reads LiteLLM's `config.yaml`, unmodified, into a [`Blueprint`](crate::blueprint::Blueprint), or
//! reports everything that is wrong with it.
//!
//! Settings have the same meaning as in LiteLLM 1.109, except where that would be unsafe or
//! useless. An unset variable is an error instead of `None`, a wrong type is an error, both only
//! for settings that are used, and a setting that would change whose rights are used is refused,
//! never ignored.

mod access_keys;
mod aliases;
mod aws_endpoint;
mod aws_pairs;
mod aws_variables;
mod broker;
mod by_value;
mod clusters;
mod cooldown;
mod credential_list;
mod credentials;
mod deciding;
mod deployment;
mod deployment_region;
mod draft;
mod entry;
mod environment_variables;
mod fallbacks;
mod gateway_limits;
mod geography;
mod guardrail;
mod identity;
mod key_limits;
mod keys;
mod known;
mod left_out;
mod misplaced;
mod model;
mod model_groups;
mod nested;
pub(crate) mod note;
mod numbers;
mod outline;
mod parameters;
mod policies;
mod price;
mod problem;
mod protection;
mod proxy_key;
mod read;
mod remedy;
mod report;
mod routing;
mod shares;
mod similar;
mod slips;
mod tolerance;
mod unused;

#[cfg(test)]
mod tests;

pub(crate) use note::lines as note_lines;
pub use note::{Class, Note, NoteGroup, grouped, print as print_notes, texts as note_texts};
pub(crate) use outline::{ConfigOutline, outline};
pub use problem::{Placement, Problem, ReadError, error_lines};
pub(crate) use read::{files, keys_file};
pub use read::{read, read_priced, read_tolerant};
pub use remedy::{read_or_explain, remedies};
pub use tolerance::Tolerance;
