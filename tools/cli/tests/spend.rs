//! `envoy-bedrock spend` as users run it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// Rows of two keys, a line of Envoy's own log between them, and an incomplete row at the end.
const LOG: &str = include_str!("spend/log.jsonl");

fn spend(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_envoy-bedrock"))
        .arg("spend")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that rejects its arguments does not read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_table_has_a_line_for_each_key_and_a_total() {
    let output = spend(&["-"], LOG);
    assert_eq!(stdout(&output), include_str!("spend/table.txt"));
    assert_eq!(
        stderr(&output),
        "note: standard input: skipped line 2, which is not a spend-log row\n\
         note: standard input: skipped the end, which is incomplete\n"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn groups_within_groups_show_the_outer_label_once() {
    let output = spend(&["--by", "day", "--by", "model", "-"], LOG);
    assert_eq!(stdout(&output), include_str!("spend/nested.txt"));
}

#[test]
fn json_has_exact_numbers() {
    let text = stdout(&spend(&["--by", "key,region", "--json", "-"], LOG));
    assert!(text.contains("\"spend\": 0.002310000001,"), "{text}");
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["by"], json!(["key", "region"]));
    assert_eq!(
        json["groups"][0]["group"],
        json!({"key": "app", "region": "us-east-1"})
    );
    assert_eq!(json["groups"].as_array().unwrap().len(), 3);
    assert_eq!(json["total"]["requests"], 4);
    assert_eq!(json["total"]["unknown_spend"], 1);
    assert_eq!(
        (&json["foreign_lines"], &json["torn_files"]),
        (&json!(1), &json!(1))
    );
}

#[test]
fn csv_quotes_labels_that_need_it() {
    let output = spend(&["--by", "tag", "--by", "end_user", "--csv", "-"], LOG);
    assert_eq!(
        stdout(&output),
        "tag,end_user,requests,failures,prompt_tokens,completion_tokens,cache_read_input_tokens,\
         cache_creation_input_tokens,spend,unknown_spend,estimated\n\
         \"batch,team-a\",,2,0,1400,60,1000,200,0.00231,0,1\n\
         ,\"'=\"\"quoted\"\"\u{1b}[31m\",2,1,9,1,0,0,0.000000000001,1,0\n"
    );
}

#[test]
fn labels_of_clients_cannot_control_the_terminal() {
    let text = stdout(&spend(&["--by", "end_user", "-"], LOG));
    assert!(text.contains("=\"quoted\"\\u{1b}[31m"), "{text}");
}

#[test]
fn a_window_and_a_tag_select_requests() {
    let requests = |arguments: &[&str]| {
        let arguments = [arguments, &["--json", "-"]].concat();
        let json: Value = serde_json::from_str(&stdout(&spend(&arguments, LOG))).unwrap();
        json["total"]["requests"].as_u64().unwrap()
    };
    assert_eq!(requests(&["--since", "2026-11-22"]), 2);
    assert_eq!(requests(&["--until", "2026-11-22"]), 2);
    assert_eq!(
        requests(&["--since", "2026-11-21", "--until", "2026-11-22T10:00:00Z"]),
        3
    );
    assert_eq!(requests(&["--tag", "batch"]), 2);
    assert_eq!(requests(&["--tag", "bat"]), 0);
}

#[test]
fn several_files_are_added_up_whether_gzipped_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let [plain, zipped] = ["spend.jsonl", "spend.jsonl.gz"].map(|name| folder.path().join(name));
    std::fs::write(&plain, LOG).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(LOG.as_bytes()).unwrap();
    std::fs::write(&zipped, encoder.finish().unwrap()).unwrap();
    let files = [&plain, &zipped].map(|path| path.to_str().unwrap());
    let output = spend(&["--json", files[0], files[1]], "");
    let json: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(json["total"]["requests"], 8);
    assert_eq!(json["torn_files"], 2);
    assert_eq!(stderr(&output).lines().count(), 4);
}

#[test]
fn an_empty_log_adds_up_to_nothing() {
    let output = spend(&["-"], "");
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    assert!(stdout(&output).contains("TOTAL"), "{output:?}");
}

#[test]
fn errors_name_the_file_or_argument() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.jsonl");
    let missing = missing.to_str().unwrap();
    let output = spend(&[missing], "");
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
    assert!(
        stderr(&output).starts_with(&format!("error: cannot read {missing}: ")),
        "{output:?}"
    );
    for wrong in [
        &["--by", "colour", "-"][..],
        &["--since", "monday", "-"],
        &["--json", "--csv", "-"],
        &[],
    ] {
        assert_eq!(spend(wrong, "").status.code(), Some(2), "{wrong:?}");
    }
}
