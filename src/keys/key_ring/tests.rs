use super::*;
use crate::contract::keys::{FormerToken, LimitSettings, TeamSettings, TokenSettings};

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

fn settings() -> KeySettings {
    KeySettings {
        token: TokenSettings::Sha256(String::new()),
        key_alias: Some("app".into()),
        models: Vec::new(),
        aliases: [("fast".to_owned(), "claude-haiku".to_owned())].into(),
        expires: None,
        blocked: false,
        team_id: None,
        tags: Vec::new(),
        limits: LimitSettings::default(),
        counted_as: None,
        former: Vec::new(),
        aws_pairs: Vec::new(),
    }
}

fn ring(keys: &[(&str, KeySettings)]) -> KeyRing {
    let keys = keys.iter();
    let hashed = keys.map(|(key, settings)| (KeyHash::of(key.as_bytes()), settings));
    KeyRing::new(KeyHash::of(b"sk-master"), hashed, &[])
}

fn admit(ring: &KeyRing, key: &str) -> Result<String, Reject> {
    let authorization = format!("Bearer {key}");
    let headers = [(&b"authorization"[..], authorization.as_bytes())];
    let admitted = ring.admit(Headers(&headers), None, || NOW)?;
    Ok(admitted.label().to_owned())
}

#[test]
fn each_key_is_found_by_its_hash() {
    let unnamed = KeySettings {
        key_alias: None,
        ..settings()
    };
    let ring = ring(&[("sk-1", settings()), ("sk-2", unnamed)]);
    assert_eq!(admit(&ring, "sk-master").unwrap(), "master_key");
    assert_eq!(admit(&ring, "sk-1").unwrap(), "app");
    assert_eq!(
        admit(&ring, "sk-2").unwrap(),
        KeyHash::of(b"sk-2").hexadecimal()[..8]
    );
    assert_eq!(admit(&ring, "sk-3"), Err(Reject::WrongKey));
}

#[test]
fn a_blocked_key_and_an_expired_key_are_refused() {
    let expires = |seconds| KeySettings {
        expires: Some(seconds),
        ..settings()
    };
    let blocked = KeySettings {
        blocked: true,
        ..settings()
    };
    let now = NOW.seconds();
    let ring = ring(&[
        ("sk-blocked", blocked),
        ("sk-before", expires(now + 1)),
        ("sk-at", expires(now)),
        ("sk-after", expires(now - 1)),
    ]);
    assert_eq!(admit(&ring, "sk-blocked"), Err(Reject::BlockedKey));
    assert_eq!(admit(&ring, "sk-before").unwrap(), "app");
    assert_eq!(admit(&ring, "sk-at"), Err(Reject::ExpiredKey));
    assert_eq!(admit(&ring, "sk-after"), Err(Reject::ExpiredKey));
}

#[test]
fn the_master_key_wins_over_a_virtual_key_with_the_same_hash() {
    let blocked = KeySettings {
        blocked: true,
        ..settings()
    };
    let ring = ring(&[("sk-master", blocked)]);
    assert_eq!(admit(&ring, "sk-master").unwrap(), "master_key");
}

#[test]
fn a_key_may_call_its_models_by_name_by_group_or_by_pattern() {
    let key = |models: &[&str]| {
        let models = models.iter().map(|name| (*name).to_owned()).collect();
        VirtualKey::new(1, &KeyHash::of(b"k"), &KeySettings { models, ..settings() }, None)
    };
    for (models, name, group, may) in [
        (&[][..], "any", None, true),
        (&["all-proxy-models"], "any", None, true),
        (&["*"], "any", None, true),
        (&["claude"], "claude", Some("claude"), true),
        (&["claude"], "claude-2", Some("claude-2"), false),
        (&["claude"], "nickname", Some("claude"), true),
        (&["nickname"], "nickname", Some("claude"), true),
        (&["claude*"], "claude-2", Some("claude-2"), true),
        (&["claude*"], "nova", Some("nova"), false),
        (&["us.*"], "us.anthropic.x", Some("us.*"), true),
        (&["us.anthropic.*"], "us.amazon.x", Some("us.*"), false),
        (&["claude"], "unknown", None, false),
    ] {
        assert_eq!(key(models).may_call(name, group), may, "{models:?} {name}");
    }
    assert_eq!(key(&[]).resolve("fast"), "claude-haiku");
    assert_eq!(key(&[]).resolve("other"), "other");
}

#[test]
fn a_replaced_key_is_valid_until_its_time_and_is_the_new_key() {
    let former = |valid_until| KeySettings {
        former: vec![FormerToken {
            sha256: KeyHash::of(b"sk-old").hexadecimal(),
            valid_until,
        }],
        ..settings()
    };
    let now = NOW.seconds();
    for (valid_until, expected) in [(now + 1, Ok("app".to_owned())), (now, Err(Reject::ExpiredKey))] {
        let ring = ring(&[("sk-new", former(valid_until))]);
        assert_eq!(admit(&ring, "sk-old"), expected);
        assert_eq!(admit(&ring, "sk-new").unwrap(), "app");
        assert_eq!(ring.subjects().count(), 1);
    }
}

#[test]
fn a_team_limits_the_models_of_its_keys_and_can_block_them() {
    let key = KeySettings {
        team_id: Some("red".into()),
        models: vec!["claude".into(), "nova".into()],
        ..settings()
    };
    let team = |blocked| TeamSettings {
        team_id: "red".into(),
        team_alias: None,
        models: vec!["nova*".into()],
        blocked,
        limits: LimitSettings::default(),
    };
    let with = |team| {
        let hashed = [(KeyHash::of(b"sk-1"), &key)];
        KeyRing::new(KeyHash::of(b"sk-master"), hashed, &[team])
    };
    let ring = with(team(false));
    let found = ring.find("sk-1").unwrap();
    assert!(
        found.may_call("nova", None) && !found.may_call("claude", None) && !found.may_call("nova-2", None)
    );
    assert_eq!(found.subjects("nova").len(), 2);
    assert_eq!(
        admit(&with(team(true)), "sk-1"),
        Err(Reject::BlockedTeam("red".into()))
    );
}
