use super::*;
use crate::credentials::IssuedSecret;

const START: u64 = 1_795_357_174;

fn at(milliseconds: u64) -> UnixTime {
    UnixTime::from_seconds(START).after_milliseconds(milliseconds)
}

fn slot() -> CredentialSlot {
    CredentialSlot::new("/credentials/1".into(), false)
}

/// The broker's answer with a key that expires this many seconds after the start.
fn key(name: &str, expires: u64) -> Vec<u8> {
    let expires = UnixTime::from_seconds(START + expires).rfc3339();
    let (secret, expires) = ("s3cr3t", expires.as_str());
    let body = serde_json::json!({"AccessKeyId": name, "SecretAccessKey": secret, "Expiration": expires});
    body.to_string().into_bytes()
}

fn failure(code: &str) -> Vec<u8> {
    format!(r#"{{"code": "{code}", "message": "why"}}"#).into_bytes()
}

/// The first millisecond from `from` at which a call is due; it begins then.
fn next_call(slot: &CredentialSlot, from: u64) -> (u64, String) {
    let calls = (from..from + 7_200_000).step_by(10);
    let mut calls = calls.filter_map(|time| slot.begin_call(at(time)).map(|path| (time, path)));
    calls.next().unwrap()
}

fn name(slot: &CredentialSlot, time: u64) -> Option<String> {
    slot.current(at(time)).map(|issued| issued.name.clone())
}

#[test]
fn a_slot_asks_at_once_and_only_once_until_the_answer() {
    let slot = slot();
    assert!(slot.is_waiting(at(0)));
    assert_eq!(slot.begin_call(at(0)).as_deref(), Some("/credentials/1"));
    assert_eq!(slot.begin_call(at(CALL_MILLISECONDS - 1)), None);
    assert!(
        slot.begin_call(at(CALL_MILLISECONDS)).is_some(),
        "its answer was lost"
    );
    slot.abandon_call();
    assert!(slot.begin_call(at(CALL_MILLISECONDS + 1)).is_some());
    assert_eq!(
        slot.finish_call(200, &key("A", 3600), at(6100)),
        BrokerNews::Nothing
    );
    assert!(!slot.is_waiting(at(6100)));
    assert_eq!(name(&slot, 6100).as_deref(), Some("A"));
}

#[test]
fn a_credential_is_renewed_ten_minutes_before_its_expiry_or_after_three_fifths_of_its_life() {
    for (life, expected) in [(5, 3000), (1500, 900_000), (1501, 901_000), (3600, 3_000_000)] {
        let slot = slot();
        slot.begin_call(at(0));
        slot.finish_call(200, &key("A", life), at(0));
        assert_eq!(next_call(&slot, 0).0, expected, "{life}");
    }
}

#[test]
fn a_broker_that_still_has_the_same_credential_is_asked_again_soon_until_it_has_another() {
    let slot = slot();
    slot.begin_call(at(0));
    slot.finish_call(200, &key("A", 3600), at(0));
    let mut asked = Vec::new();
    let mut time = 0;
    for _ in 0..3 {
        time = next_call(&slot, time).0;
        asked.push(time);
        slot.finish_call(200, &key("A", 3600), at(time));
    }
    assert_eq!(asked, [3_000_000, 3_010_000, 3_020_000]);
    let short = super::tests::slot();
    short.begin_call(at(0));
    short.finish_call(200, &key("A", 5), at(0));
    short.begin_call(at(3000));
    short.finish_call(200, &key("A", 5), at(3000));
    assert_eq!(next_call(&short, 3000).0, 3500);
    short.finish_call(200, &key("B", 10), at(3200));
    assert_eq!(name(&short, 3200).as_deref(), Some("B"));
    assert_eq!(next_call(&short, 3200).0, 7280);
}

#[test]
fn a_credential_is_never_used_at_or_after_its_expiry() {
    let slot = slot();
    slot.begin_call(at(0));
    slot.finish_call(200, &key("A", 5), at(0));
    assert!(name(&slot, 4999).is_some());
    assert!(name(&slot, 5000).is_none());
    assert!(name(&slot, 5001).is_none());
    let news = slot.finish_call(200, &key("A", 5), at(5000));
    assert!(
        matches!(news, BrokerNews::Failed(ref failure) if failure.code == "ExpiredToken"),
        "{news:?}"
    );
}

#[test]
fn failures_are_reported_once_and_keep_the_old_credential() {
    let slot = slot();
    slot.begin_call(at(0));
    slot.finish_call(200, &key("A", 100), at(0));
    let mut times = Vec::new();
    let mut news = Vec::new();
    let mut time = 0;
    for _ in 0..6 {
        time = next_call(&slot, time).0;
        times.push(time);
        news.push(slot.finish_call(502, &failure("AccessDenied"), at(time)));
    }
    let waits: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits, [1000; 5]);
    assert!(matches!(news[0], BrokerNews::Failed(_)));
    assert!(news[1..].iter().all(|news| *news == BrokerNews::Nothing));
    assert_eq!(name(&slot, time).as_deref(), Some("A"));
    assert_eq!(slot.failure().unwrap().code, "AccessDenied");
    let news = slot.finish_call(200, &key("B", 200), at(time));
    assert_eq!((news, slot.failure()), (BrokerNews::Recovered, None));
}

#[test]
fn a_slot_waits_for_its_first_conclusive_answer() {
    for (body, conclusive) in [
        (failure("Pending"), false),
        (Vec::new(), false),
        (failure("NotFound"), true),
    ] {
        let slot = slot();
        slot.finish_call(503, &body, at(0));
        assert_eq!(slot.is_waiting(at(0)), !conclusive, "{:?}", slot.failure());
    }
    let never = slot();
    never.begin_call(at(0));
    never.finish_call(0, b"", at(0));
    for (time, is_waiting) in [(WAITING_MILLISECONDS - 1, true), (WAITING_MILLISECONDS, false)] {
        assert_eq!(never.is_waiting(at(time)), is_waiting);
    }
    let pending = slot();
    assert_eq!(
        pending.finish_call(503, &failure("Pending"), at(0)),
        BrokerNews::Nothing
    );
    assert_eq!(next_call(&pending, 0).0, PENDING_MILLISECONDS);
}

#[test]
fn a_refused_credential_is_asked_for_again_at_most_every_ten_seconds() {
    let slot = slot();
    slot.begin_call(at(0));
    slot.finish_call(200, &key("A", 3600), at(0));
    let issued = slot.current(at(0)).unwrap();
    issued.reject();
    issued.reject();
    assert_eq!(next_call(&slot, 10), (10, "/credentials/1?rejected=A".into()));
    slot.finish_call(200, &key("A", 3600), at(20));
    issued.reject();
    assert_eq!(slot.begin_call(at(10_009)), None);
    assert_eq!(next_call(&slot, 10_010).0, 10_010);
    slot.finish_call(200, &key("B", 3600), at(10_020));
    issued.reject();
    assert_eq!(slot.begin_call(at(30_000)), None, "it is gone already");
    assert!(matches!(
        slot.current(at(30_000)).unwrap().secret,
        IssuedSecret::Keys { .. }
    ));
}

#[test]
fn a_clock_that_is_set_back_does_not_block_calls() {
    let slot = slot();
    slot.begin_call(at(100_000));
    assert!(slot.begin_call(at(0)).is_some());
}
