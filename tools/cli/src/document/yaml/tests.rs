//! Compares the cases in `tests/yaml` with PyYAML's results, and tests lines and limits.

use std::fs;
use std::path::PathBuf;

use super::builder::MERGED_MAX;
use super::node::DEPTH_MAX;
use super::*;
use crate::document::scalar::Scalar;

/// The tree in a notation like JSON, without lines.
fn shown(node: &YamlNode) -> String {
    match &node.value {
        YamlValue::Scalar(Scalar::Null) => "null".to_owned(),
        YamlValue::Scalar(Scalar::Bool(value)) => value.to_string(),
        YamlValue::Scalar(Scalar::Integer(value)) => value.to_string(),
        YamlValue::Scalar(Scalar::Float(value)) => value.to_string(),
        YamlValue::Scalar(Scalar::Text(text)) => format!("'{text}'"),
        YamlValue::Sequence(nodes) => {
            format!(
                "[{}]",
                nodes.iter().map(|node| shown(node)).collect::<Vec<_>>().join(",")
            )
        }
        YamlValue::Mapping(entries) => {
            let entry = |(name, node): &(String, Rc<YamlNode>)| format!("{name}:{}", shown(node));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(","))
        }
    }
}

fn read(text: &str) -> String {
    shown(&parse(text).unwrap().0)
}

#[test]
fn quotes_and_tags_make_text() {
    assert_eq!(
        read("[1, '1', \"1\", !!str 1, !!int 1, yes, 'yes']"),
        "[1,'1','1','1',1,true,'yes']"
    );
    assert_eq!(read("a: |\n  x\n  y\nb: >-\n  x\n  y\n"), "{a:'x\ny\n',b:'x y'}");
}

#[test]
fn an_empty_document_is_an_empty_mapping() {
    for text in ["", "# nothing\n", "---\n", "\u{feff}", "---\n...\n"] {
        assert_eq!(read(text), "{}", "{text:?}");
    }
}

#[test]
fn keys_are_always_text() {
    assert_eq!(
        read("{1: a, yes: b, ~: c, '<<': d}"),
        "{1:'a',yes:'b',~:'c',<<:'d'}"
    );
    assert!(parse("{[a]: b}").is_err());
    assert_eq!(read("a: &k x\n*k : y\n"), "{a:'x',x:'y'}");
}

#[test]
fn own_entries_take_precedence_over_merged_ones_and_later_merge_keys_over_earlier() {
    let text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 0}\nd: {x: 3, <<: *b, <<: *a}\n";
    assert_eq!(
        read(text),
        "{a:{x:1,y:1},b:{y:2,z:2},c:{x:0,y:1,z:2},d:{x:3,y:1,z:2}}"
    );
    for text in ["a: {<<: 1}", "a: {<<: [1]}", "a: {<<: text}"] {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn the_last_of_equal_keys_counts_and_is_reported() {
    let (root, duplicates) = parse("a: 1\nb: 2\na: 3\n").unwrap();
    assert_eq!(shown(&root), "{a:3,b:2}");
    let [duplicate] = duplicates.as_slice() else {
        panic!("{duplicates:?}")
    };
    assert_eq!((duplicate.key.as_str(), duplicate.line), ("a", 3));
}

#[test]
fn nesting_has_a_limit_even_through_aliases() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&nested(DEPTH_MAX)).is_ok());
    assert!(parse(&nested(DEPTH_MAX + 1)).is_err());
    assert!(parse(&nested(100_000)).is_err());
    let chain: String = (1..100_000)
        .map(|level| format!("- &a{level} [*a{}]\n", level - 1))
        .collect();
    let error = parse(&format!("- &a0 x\n{chain}")).unwrap_err();
    assert_eq!(error.found, "nesting that is too deep");
}

#[test]
fn a_file_that_multiplies_itself_stays_small() {
    let level = |level: usize| {
        format!(
            "l{level}: &l{level} [{}]\n",
            vec![format!("*l{}", level - 1); 9].join(",")
        )
    };
    let bomb: String = (1..50).map(level).collect();
    assert!(parse(&format!("l0: &l0 x\n{bomb}")).is_ok());
}

#[test]
fn an_alias_inside_its_own_anchor_is_an_error() {
    assert!(parse("a: &a [*a]").is_err());
    assert!(parse("a: *nowhere").is_err());
}

#[test]
fn lines_and_columns_count_from_one() {
    let (root, _) = parse("# x\na:\n  - b\n").unwrap();
    let YamlValue::Mapping(entries) = &root.value else {
        panic!()
    };
    let YamlValue::Sequence(nodes) = &entries[0].1.value else {
        panic!()
    };
    assert_eq!(nodes[0].line, 3);
    let error = parse("a: b\nc: }\n").unwrap_err();
    assert_eq!((error.line, error.column), (2, 4));
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/yaml")
}

/// The tree as JSON.
fn json(node: &YamlNode) -> serde_json::Value {
    match &node.value {
        YamlValue::Scalar(Scalar::Null) => serde_json::Value::Null,
        YamlValue::Scalar(Scalar::Bool(value)) => (*value).into(),
        YamlValue::Scalar(Scalar::Integer(value)) => (*value).into(),
        YamlValue::Scalar(Scalar::Float(value)) => (*value).into(),
        YamlValue::Scalar(Scalar::Text(text)) => text.as_str().into(),
        YamlValue::Sequence(nodes) => nodes.iter().map(|node| json(node)).collect(),
        YamlValue::Mapping(entries) => {
            let entries = entries.iter().map(|(name, node)| (name.clone(), json(node)));
            serde_json::Value::Object(entries.collect())
        }
    }
}

#[test]
fn files_have_the_same_meaning_as_in_pyyaml() {
    let mut cases = 0;
    for entry in fs::read_dir(folder().join("same")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        cases += 1;
        let name = path.display();
        let (root, _) =
            parse(&fs::read_to_string(&path).unwrap()).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let expected = fs::read(path.with_extension("json")).unwrap();
        let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
        assert_eq!(json(&root), expected, "{name}");
    }
    assert!(cases >= 23, "{cases}");
}

/// `UPDATE_SNAPSHOTS=1` updates the third column, `regenerate.py` the second.
#[test]
fn the_table_lists_the_known_differences_from_pyyaml() {
    let path = folder().join("differences.tsv");
    let table = fs::read_to_string(&path).unwrap();
    let mut lines = table.lines();
    let mut actual = format!("{}\n", lines.next().unwrap());
    for line in lines {
        let [source, pyyaml, _, why] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("expected four columns, but found {line:?}")
        };
        let text: String = serde_json::from_str(source).unwrap();
        let here = match parse(&text) {
            Ok((root, _)) => json(&root).to_string(),
            Err(SyntaxError { line, column, found }) => format!("{line}:{column}: {found}"),
        };
        actual += &format!("{source}\t{pyyaml}\t{here}\t{why}\n");
    }
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &actual).unwrap();
        return;
    }
    assert_eq!(table, actual);
}

#[test]
fn merge_keys_add_a_limited_number_of_entries() {
    let merging = |own: usize, copies: usize| {
        let own: String = (0..own).map(|key| format!("k{key}: 1, ")).collect();
        format!("a: &a {{{own}}}\nb:\n{}", "- {<<: *a}\n".repeat(copies))
    };
    assert!(parse(&merging(1000, MERGED_MAX / 1000)).is_ok());
    let error = parse(&merging(1000, MERGED_MAX / 1000 + 1)).unwrap_err();
    assert_eq!(error.line, MERGED_MAX / 1000 + 3);
    assert!(error.found.contains("too many entries"), "{}", error.found);
    assert!(parse(&merging(1001, MERGED_MAX / 1000)).is_err());
}

#[test]
fn a_mapping_with_many_keys_is_read_in_one_pass() {
    let keys: String = (0..100_000).map(|key| format!("key{key}: 1\n")).collect();
    let (root, duplicates) = parse(&format!("{keys}key5: 2\n")).unwrap();
    let YamlValue::Mapping(entries) = &root.value else {
        panic!()
    };
    assert_eq!(entries.len(), 100_000);
    assert_eq!(duplicates.len(), 1);
}

#[test]
fn errors_quote_no_value_of_the_file() {
    for text in [
        "a: *tops3cret",
        "a: !tops3cret b",
        "a: @tops3cret",
        "a: !!int tops3cret",
        "tops3cret: b: c",
    ] {
        let error = parse(text).unwrap_err();
        assert!(!error.found.contains("tops3cret"), "{}", error.found);
    }
}

#[test]
fn every_kind_of_line_break_counts_as_a_line() {
    for line_break in ["\n", "\r\n", "\r", "\u{85}", "\u{2028}", "\u{2029}"] {
        let error = parse(&["a: 1", "# b", "c: }"].join(line_break)).unwrap_err();
        assert_eq!((error.line, error.column), (3, 4), "{line_break:?}");
    }
}
