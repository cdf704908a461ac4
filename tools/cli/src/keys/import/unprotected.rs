//! Keys and teams that would lose a protection.

use super::losses::{Loss, LossesByName, Owner, record};
use crate::keys::stored::{StoredKey, StoredTeam};

/// What the user has decided about protections that have no equal here.
#[derive(Debug, Default)]
pub(super) struct Decisions {
    /// Settings that may be lost.
    pub(super) accepted: Vec<String>,
    /// Whether owners of others are blocked.
    pub(super) blocks: bool,
}

/// Keys and teams with what they lose.
#[derive(Default)]
pub(super) struct Decided {
    pub(super) keys: Vec<StoredKey>,
    pub(super) teams: Vec<StoredTeam>,
    pub(super) losses: LossesByName,
    /// The settings for which a decision is missing.
    pub(super) undecided: Vec<String>,
    /// Who is blocked because of a setting.
    pub(super) blocked: usize,
}

impl Decisions {
    /// Applies the decisions to all keys and teams.
    pub(super) fn apply(
        &self,
        keys: Vec<(StoredKey, Vec<Loss>)>,
        teams: Vec<(StoredTeam, Vec<Loss>)>,
    ) -> Decided {
        let mut decided = Decided::default();
        for (mut key, losses) in keys {
            let name = key.key_alias.as_ref().unwrap_or(&key.token);
            record(&mut decided.losses, &losses, Owner::Key(name));
            let blocks = self.blocks && self.lacks_decision(&losses);
            decided.blocked += usize::from(blocks && !key.blocked);
            key.blocked |= blocks;
            decided.keys.push(key);
        }
        for (mut team, losses) in teams {
            record(&mut decided.losses, &losses, Owner::Team(&team.team_id));
            let blocks = self.blocks && self.lacks_decision(&losses);
            decided.blocked += usize::from(blocks && !team.blocked);
            team.blocked |= blocks;
            decided.teams.push(team);
        }
        if !self.blocks {
            let losses = decided.losses.iter();
            let undecided = losses.filter(|(name, owners)| owners.protects && !self.accepts(name));
            decided.undecided = undecided.map(|(name, _)| name.clone()).collect();
        }
        decided
    }

    pub(super) fn accepts(&self, setting: &str) -> bool {
        self.accepted.iter().any(|accepted| accepted == setting)
    }

    fn lacks_decision(&self, losses: &[Loss]) -> bool {
        losses
            .iter()
            .any(|loss| loss.protects && !self.accepts(&loss.setting))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(accepted: &[&str], blocks: bool) -> Decided {
        let accepted = accepted.iter().map(|name| (*name).to_owned()).collect();
        let key = |alias: &str| StoredKey {
            token: alias.repeat(64),
            key_alias: Some(alias.to_owned()),
            ..StoredKey::default()
        };
        let team = StoredTeam {
            team_id: "t".to_owned(),
            ..StoredTeam::default()
        };
        let keys = vec![
            (
                key("a"),
                vec![Loss::protecting("tpd_limit", ""), Loss::left("user_id", "")],
            ),
            (key("b"), vec![Loss::left("user_id", "")]),
        ];
        let teams = vec![(team, vec![Loss::protecting("policies", "")])];
        Decisions { accepted, blocks }.apply(keys, teams)
    }

    #[test]
    fn each_protection_needs_a_decision() {
        assert_eq!(decided(&[], false).undecided, ["policies", "tpd_limit"]);
        assert_eq!(decided(&["tpd_limit", "user_id"], false).undecided, ["policies"]);
        let accepted = decided(&["tpd_limit", "policies"], false);
        assert!(accepted.undecided.is_empty() && accepted.blocked == 0);
        assert!(accepted.keys.iter().all(|key| !key.blocked));
    }

    #[test]
    fn owners_of_protections_that_were_not_accepted_can_be_blocked() {
        let blocked = |decided: &Decided| decided.keys.iter().map(|key| key.blocked).collect::<Vec<_>>();
        let all = decided(&[], true);
        assert_eq!(
            (blocked(&all), all.teams[0].blocked, all.blocked),
            (vec![true, false], true, 2)
        );
        assert!(all.undecided.is_empty());
        let some = decided(&["tpd_limit"], true);
        assert_eq!(
            (blocked(&some), some.teams[0].blocked, some.blocked),
            (vec![false, false], true, 1)
        );
    }
}
