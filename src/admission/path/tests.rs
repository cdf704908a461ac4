use super::*;
use crate::encoding::percent::encode_segment;

fn alias(path: &str) -> Result<String, PathError> {
    parse(path.as_bytes()).map(|target| target.alias)
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
fn all_encodings_of_an_alias_are_equivalent() {
    for spelling in ["a:0", "a%3A0", "a%3a0", "%61:0"] {
        assert_eq!(
            alias(&format!("/model/{spelling}/converse")).as_deref(),
            Ok("a:0"),
            "{spelling}"
        );
    }
    for spelling in ["team/claude", "team%2Fclaude", "team%2fclaude"] {
        assert_eq!(
            alias(&format!("/model/{spelling}/converse")).as_deref(),
            Ok("team/claude"),
            "{spelling}"
        );
    }
    assert_eq!(alias("/model/A/converse").as_deref(), Ok("A"));
}

#[test]
fn an_alias_is_decoded_once() {
    assert_eq!(alias("/model/a%253A0/converse").as_deref(), Ok("a%3A0"));
    assert_eq!(alias("/model/%252e%252e/converse").as_deref(), Ok("%2e%2e"));
}

#[test]
fn a_trailing_slash_of_the_endpoint_is_ignored() {
    for prefix in [
        "/",
        "//",
        "//bedrock",
        "/bedrock/",
        "//bedrock//",
        "///bedrock///",
    ] {
        for (name, expected) in [("m", "m"), ("a%2Fb", "a/b")] {
            let path = format!("{prefix}/model/{name}/converse");
            assert_eq!(alias(&path).as_deref(), Ok(expected), "{path}");
            assert!(is_guarded(path.as_bytes()), "{path}");
        }
    }
}

#[test]
fn the_query_string_is_not_part_of_the_path() {
    assert_eq!(alias("/model/m/converse?a=/../&key=x").as_deref(), Ok("m"));
    assert_eq!(alias("/model/m?/converse"), Err(PathError::UnknownOperation));
}

#[test]
fn unknown_operations_are_distinguished_from_malformed_paths() {
    use PathError::*;
    for (path, error) in [
        ("", UnknownOperation),
        ("/", UnknownOperation),
        ("*", UnknownOperation),
        ("/bedrock", UnknownOperation),
        ("/model", UnknownOperation),
        ("/model/", UnknownOperation),
        ("/model/m", UnknownOperation),
        ("/model/m/", UnknownOperation),
        ("/model/converse", UnknownOperation),
        ("/model/m/Converse", UnknownOperation),
        ("/model/m/convers%65", UnknownOperation),
        ("/model/m/converse/", UnknownOperation),
        ("/model/m/converse/x", UnknownOperation),
        ("/bedrock/bedrock/model/m/converse", UnknownOperation),
        ("/bedrock%2F/model/m/converse", UnknownOperation),
        ("//", UnknownOperation),
        ("/bedrock//", UnknownOperation),
        ("//bedrock//bedrock/model/m/converse", UnknownOperation),
        ("/bedrockmodel/m/converse", UnknownOperation),
        ("model/m/converse", UnknownOperation),
        ("//model//m/converse", BadSegment),
        ("/bedrock//model/m//converse", BadSegment),
        ("/bedrock//model/m/converse/", UnknownOperation),
        ("/bedrock/../model/m/converse", UnknownOperation),
        ("/Bedrock/model/m/converse", UnknownOperation),
        ("/bedrock/v2/model/m/converse", UnknownOperation),
        ("/%6dodel/m/converse", UnknownOperation),
        ("/model//converse", BadSegment),
        ("/model//m/converse", BadSegment),
        ("/model/m//converse", BadSegment),
        ("/model/a//b/converse", BadSegment),
        ("/model/a%2F%2Fb/converse", BadSegment),
        ("/model/%2Fa/converse", BadSegment),
        ("/model/a%2F/converse", BadSegment),
        ("/model/./converse", BadSegment),
        ("/model/../converse", BadSegment),
        ("/model/%2e%2E/converse", BadSegment),
        ("/model/a/%2e/b/converse", BadSegment),
        ("/model/a%2F..%2Fb/converse", BadSegment),
        ("/model/a%/converse", BadByte),
        ("/model/a%4/converse", BadByte),
        ("/model/a%zz/converse", BadByte),
        ("/model/a%+1/converse", BadByte),
        ("/model/a b/converse", BadByte),
        ("/model/a\\b/converse", BadByte),
        ("/model/a#b/converse", BadByte),
        ("/model/é/converse", BadByte),
        ("/model/a%5Cb/converse", BadAlias),
        ("/model/a%00/converse", BadAlias),
        ("/model/a%0d%0a/converse", BadAlias),
        ("/model/a%7f/converse", BadAlias),
        ("/model/%ff/converse", BadAlias),
        ("/model/%c2%85/converse", BadAlias),
    ] {
        assert_eq!(parse(path.as_bytes()).err(), Some(error), "{path}");
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
fn every_path_that_could_reach_a_model_is_guarded() {
    for path in [
        "/bedrock",
        "/bedrock/",
        "/bedrock/x",
        "/model/m/converse",
        "/bedrock?x",
        "/models",
        "//model",
        "///bedrock/x",
    ] {
        assert!(is_guarded(path.as_bytes()), "{path}");
    }
    for path in [
        "/",
        "//",
        "",
        "/health",
        "//health",
        "model",
        "/x/../model",
        "/x//model/m/converse",
    ] {
        assert!(!is_guarded(path.as_bytes()), "{path}");
        assert!(parse(path.as_bytes()).is_err(), "{path}");
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
