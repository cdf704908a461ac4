//! A team of LiteLLM's as a team of the gateway.

use envoy_bedrock::time::UnixTime;

use super::budget::limits;
use super::columns::TEAMS;
use super::losses::Loss;
use super::metadata;
use super::models::models;
use super::record::Record;
use super::rows::LiteLlmRow;
use crate::keys::stored::StoredTeam;

/// The team in a row, if it has an id.
pub(super) fn team(row: LiteLlmRow, now: UnixTime) -> Option<(StoredTeam, Vec<Loss>)> {
    let mut record = Record::new(row, &TEAMS);
    let team_id = record.text("team_id")?;
    let mut metadata = Record::of(record.object("metadata").unwrap_or_default());
    let limits = limits(&mut record, &mut metadata, None, now);
    let (models, can_call) = models(&mut record);
    if metadata.rest().contains_key("tags") {
        let meaning = "tags of the team's requests";
        record.losses.push(Loss::left("metadata.tags", meaning));
    }
    let (metadata, losses) = metadata::kept(metadata);
    record.losses.extend(losses);
    let team = StoredTeam {
        team_id,
        team_alias: record.text("team_alias"),
        models,
        blocked: record.flag("blocked") || !can_call,
        metadata,
        limits,
    };
    Some((team, record.losses))
}
