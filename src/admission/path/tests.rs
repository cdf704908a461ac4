use super::*;
use crate::encoding::percent::encode_segment;
use crate::scenarios;

fn alias(path: &str) -> Result<String, PathError> {
    parse(path.as_bytes()).map(|target| target.alias)
}

/// The name of an error in the tables.
const fn reason(error: PathError) -> &'static str {
    match error {
        PathError::UnknownOperation => "unknown_operation",
        PathError::BadByte => "bad_byte",
        PathError::BadAlias => "bad_alias",
        PathError::BadSegment => "bad_segment",
        PathError::TooLong => "too_long",
    }
}

#[test]
fn paths_are_parsed_or_refused_as_in_the_table() {
    for row in scenarios::paths("sk-1234") {
        let name = &row.name;
        assert_eq!(is_guarded(&row.path), row.is_guarded, "{name}");
        match parse(&row.path) {
            Ok(path) => {
                assert!(matches!(row.reason.as_str(), "" | "unknown_model"), "{name}");
                assert_eq!(path.alias, row.alias, "{name}");
                let operation = path.operation.segment();
                assert!(
                    row.upstream.is_empty() || row.upstream.ends_with(operation),
                    "{name}"
                );
            }
            Err(error) => assert_eq!(reason(error), row.reason, "{name}"),
        }
    }
}

#[test]
fn every_operation_is_accepted_with_and_without_the_prefix() {
    for operation in Operation::ALL {
        for prefix in ["", "/bedrock"] {
            let path = format!("{prefix}/model/m/{}", operation.segment());
            assert_eq!(
                parse(path.as_bytes()),
                Ok(ModelPath {
                    alias: "m".into(),
                    operation
                }),
                "{path}"
            );
        }
    }
}

#[test]
fn the_length_of_aliases_is_limited_after_decoding() {
    for (length, expected) in [(2047, None), (2048, None), (2049, Some(PathError::TooLong))] {
        assert_eq!(
            alias(&format!("/model/{}/converse", "%61".repeat(length))).err(),
            expected,
            "{length}"
        );
    }
}

#[test]
fn model_ids_are_encoded_as_one_segment() {
    assert_eq!(
        encode_segment("us.anthropic.claude-v1:0"),
        "us.anthropic.claude-v1%3A0"
    );
    assert_eq!(
        encode_segment("arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.x"),
        "arn%3Aaws%3Abedrock%3Aus-west-2%3A123456789012%3Ainference-profile%2Fus.x"
    );
    assert_eq!(encode_segment("a~b é"), "a~b%20%C3%A9");
}

#[test]
fn encoded_ids_decode_to_themselves() {
    for id in ["a:b/c", "é ü", "100%", "a+b"] {
        assert_eq!(decode(encode_segment(id).as_bytes()).as_deref(), Ok(id));
    }
}
