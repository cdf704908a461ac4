//! Credentials and the proxy key, from the file and from the environment.

use envoy_bedrock::sealing::{SEALING_KEY, SealingKey};
use envoy_bedrock::secret::Secret;

use super::*;

#[test]
fn keys_come_from_the_environment_together_with_their_session_token() {
    let credentials = |more: &[_]| deployment(BARE, &with(more), SecretPolicy::MustExist).credentials;
    assert_eq!(
        credentials(&[]),
        sigv4("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", None)
    );
    assert_eq!(
        credentials(&[("AWS_SESSION_TOKEN", "t")]),
        sigv4(
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            Some("AWS_SESSION_TOKEN")
        )
    );
    assert_eq!(
        credentials(&[("AWS_BEARER_TOKEN_BEDROCK", "b")]),
        CredentialSettings::Bearer {
            api_key: name("AWS_BEARER_TOKEN_BEDROCK")
        }
    );
}

#[test]
fn a_deployment_with_its_own_keys_uses_no_token_of_the_environment() {
    let text = BARE.replace(
        "v1:0}",
        "v1:0, aws_access_key_id: os.environ/ID, aws_secret_access_key: os.environ/S}",
    );
    let environment = with(&[
        ("ID", "AKIA"),
        ("S", "s"),
        ("AWS_SESSION_TOKEN", "t"),
        ("AWS_BEARER_TOKEN_BEDROCK", "b"),
    ]);
    assert_eq!(
        deployment(&text, &environment, SecretPolicy::MustExist).credentials,
        sigv4("ID", "S", None)
    );
}

#[test]
fn half_a_pair_is_an_error() {
    let half = [KEY, ("AWS_ACCESS_KEY_ID", "AKIA")];
    let unset = not_set("AWS_SECRET_ACCESS_KEY");
    assert_eq!(problems(BARE, &half, SecretPolicy::MustExist), [unset]);
}

#[test]
fn the_demonstration_names_variables_that_are_not_enough() {
    for name in ["AWS_SESSION_TOKEN", "AWS_SECRET_KEY"] {
        let environment = [KEY, (name, "tops3cret")];
        let notes = read_text(BARE, &environment, SecretPolicy::Demo).unwrap().notes;
        let notes = format!("{notes:?}");
        assert!(
            notes.contains(&format!("only {name}, which is not enough")),
            "{notes}"
        );
        assert!(!notes.contains("tops3cret"), "{notes}");
    }
}

#[test]
fn secrets_that_may_come_later_are_named_without_an_environment() {
    let blueprint = read_text(BARE, &[], SecretPolicy::MayComeLater).unwrap();
    assert_eq!(blueprint.settings.master_key, name("LITELLM_MASTER_KEY"));
    assert_eq!(blueprint.missing, [name("LITELLM_MASTER_KEY")].into());
    assert!(blueprint.secrets.is_empty());
}

#[test]
fn secrets_that_may_come_later_do_not_depend_on_the_environment() {
    let without = read_text(BARE, &[], SecretPolicy::MayComeLater).unwrap();
    let with = read_text(
        BARE,
        &with(&[("AWS_SESSION_TOKEN", "t"), ("AWS_PROFILE", "p")]),
        SecretPolicy::MayComeLater,
    )
    .unwrap();
    assert_eq!(without.settings, with.settings);
}

#[test]
fn a_variable_that_is_not_a_secret_must_be_set_under_every_policy() {
    let text = BARE.replace("v1:0}", "v1:0, aws_region_name: os.environ/NO_REGION}");
    for mode in [
        SecretPolicy::MustExist,
        SecretPolicy::MayComeLater,
        SecretPolicy::Demo,
    ] {
        let unset = not_set("NO_REGION");
        assert_eq!(problems(&text, &KEYS, mode), [unset], "{mode:?}");
    }
}

#[test]
fn without_a_proxy_key_only_the_demonstration_starts() {
    let aws = &KEYS[1..];
    assert_eq!(
        problems(BARE, aws, SecretPolicy::MustExist),
        [Problem::NoMasterKey]
    );
    let demo = read_text(BARE, aws, SecretPolicy::Demo).unwrap();
    assert_eq!(demo.secrets[&demo.settings.master_key].expose(), "sk-1234");
    assert!(demo.missing.is_empty());
    let referring = format!("{BARE}general_settings: {{master_key: os.environ/MY_KEY}}\n");
    let demo = read_text(&referring, aws, SecretPolicy::Demo).unwrap();
    assert_eq!(demo.settings.master_key, name("MY_KEY"));
    assert_eq!(demo.secrets[&name("MY_KEY")].expose(), "sk-1234");
    let unset = not_set("MY_KEY");
    assert_eq!(problems(&referring, &KEYS, SecretPolicy::MustExist), [unset]);
}

#[test]
fn a_key_in_the_file_takes_precedence_over_the_environments() {
    let own = format!("{BARE}general_settings: {{master_key: sk-own}}\n");
    let blueprint = read_text(&own, &KEYS, SecretPolicy::Demo).unwrap();
    assert_eq!(
        blueprint.secrets[&blueprint.settings.master_key].expose(),
        "sk-own"
    );
}

#[test]
fn the_publicly_known_key_is_noted_unless_that_is_permitted() {
    let warns = |settings: &str, mode| {
        let text = format!("{BARE}general_settings: {{master_key: sk-1234{settings}}}\n");
        let notes = read_text(&text, &KEYS, mode).unwrap().notes;
        notes.iter().any(|note| note.text.contains("publicly known"))
    };
    assert!(warns("", SecretPolicy::MustExist));
    assert!(!warns("", SecretPolicy::Demo));
    assert!(!warns(
        ", dangerously_permit_weak_or_unset_master_key: true",
        SecretPolicy::MustExist
    ));
}

#[test]
fn a_key_without_the_prefix_is_noted_and_works() {
    let noted = |text: &str, environment: &[_]| {
        let blueprint = read_text(text, environment, SecretPolicy::MustExist).unwrap();
        blueprint
            .notes
            .iter()
            .any(|note| note.text.contains("does not start with sk-"))
    };
    let environment = [("LITELLM_MASTER_KEY", "tops3cret"), KEYS[1], KEYS[2]];
    assert!(noted(BARE, &environment));
    assert!(noted(
        &format!("{BARE}general_settings: {{master_key: tops3cret}}\n"),
        &KEYS
    ));
    assert!(!noted(BARE, &KEYS));
}

#[test]
fn a_moved_secret_gets_an_unused_variable() {
    let text = BARE.replace("v1:0}", "v1:0, api_key: one}");
    let taken = with(&[("ENVOY_BEDROCK_MODEL_LIST_0_API_KEY", "another")]);
    let found = deployment(&text, &taken, SecretPolicy::MustExist).credentials;
    assert_eq!(
        found,
        CredentialSettings::Bearer {
            api_key: name("ENVOY_BEDROCK_MODEL_LIST_0_API_KEY_2")
        }
    );
}

#[test]
fn the_secret_of_an_aws_pair_must_open() {
    let digits = "5e".repeat(32);
    let key = SealingKey::parse(&digits).unwrap();
    let with = |pair: &str| {
        let token = "ab".repeat(32);
        format!("{BARE}envoy_bedrock: {{keys: [{{token: {token}, aws_pairs: [{pair}]}}]}}\n")
    };
    let sealed = key.seal("EBAKX", &Secret::new("secret"));
    let pair =
        format!("{{access_key_id: EBAKX, sealed_secret: {sealed}, valid_until: 2027-01-01T00:00:00Z}}");
    let read_with = |pair: &str, digits: &str| {
        let environment = [&KEYS[..], &[(SEALING_KEY, digits)]].concat();
        read_text(&with(pair), &environment, SecretPolicy::MustExist)
    };
    let blueprint = read_with(&pair, &digits).unwrap();
    let pairs = &blueprint.settings.keys[0].aws_pairs;
    assert_eq!(pairs[0].valid_until, Some(1_798_761_600));
    for mode in [SecretPolicy::MustExist, SecretPolicy::Demo] {
        assert_eq!(
            problems(&with(&pair), &KEYS, mode),
            [not_set(SEALING_KEY)],
            "{mode:?}"
        );
    }
    let later = read_text(&with(&pair), &KEYS, SecretPolicy::MayComeLater).unwrap();
    assert!(later.missing.contains(&name(SEALING_KEY)));
    let message = |pair: &str, digits: &str| read_with(pair, digits).unwrap_err()[0].to_string();
    let foreign = message(&pair, &"5f".repeat(32));
    assert!(
        foreign.contains("keys[0].aws_pairs[0].sealed_secret: expected a secret that was sealed"),
        "{foreign}"
    );
    let malformed = message(&pair, "5e");
    assert!(
        malformed.contains("64 hexadecimal digits in ENVOY_BEDROCK_SEALING_KEY"),
        "{malformed}"
    );
    let moved = pair.replace("EBAKX", "EBAKY");
    assert!(message(&moved, &digits).contains("sealed with another key, or changed"));
    for (pair, expected) in [
        (
            "{access_key_id: EBAKX}",
            "missing access_key_id and sealed_secret",
        ),
        (
            "{access_key_id: a, sealed_secret: b, secret: c}",
            "aws_pairs[0].secret: expected",
        ),
        ("EBAKX", "a mapping"),
    ] {
        let message = message(pair, &digits);
        assert!(message.contains(expected), "{message}");
    }
}
