//! Request bodies to which the filter adds a guardrail, compared with what serde_json makes of
//! them.

use serde_json::{Map, Value};

use super::input::{cut, tolerated};
use crate::contract::operation::Operation;
use crate::contract::settings::GuardrailSettings;
use crate::guardrail::{BodyFault, Editor, Guardrail};
use crate::sigv4::PayloadHash;

const OURS: &str = "ours";

/// Any body is either refused or sent with the guardrail and otherwise unchanged. A refused body is
/// not a JSON object; a sent one parses as the client's object with our guardrail and no other.
/// The first byte is the recipe for the cuts.
pub fn guardrail(data: &[u8]) {
    let Some((&recipe, body)) = data.split_first() else {
        return;
    };
    let whole = guarded(editor(), &[body]);
    let pieces = guarded(editor(), &cut(body, recipe));
    assert_eq!(pieces.as_ref().ok(), whole.as_ref().ok());
    let value = serde_json::from_slice::<Value>(body);
    match (whole, value) {
        (Ok(sent), Ok(Value::Object(mut expected))) => {
            compare(&sent, &mut expected);
            assert!(has_only_our_guardrail(&sent), "{}", sent.escape_ascii());
        }
        (Ok(_), Ok(other)) => panic!("expected an object, but found {other}"),
        // The grammar allows lone surrogates in values and numbers that overflow an f64.
        (Ok(sent), Err(error)) => {
            assert!(tolerated(&error), "{error}: {}", body.escape_ascii());
            assert!(std::str::from_utf8(&sent).is_ok());
        }
        (Err(BodyFault::BadName | BodyFault::TooManyGuardrails), _) => {}
        (Err(fault), Ok(value)) => assert!(!value.is_object(), "{fault:?}: {}", body.escape_ascii()),
        (Err(_), Err(_)) => {}
    }
}

fn editor() -> Editor {
    let settings = GuardrailSettings {
        identifier: OURS.into(),
        version: "DRAFT".into(),
        trace: None,
        stream_processing_mode: None,
    };
    let guardrail = Guardrail::new("guardrail", &settings).unwrap();
    guardrail.guard(Operation::Converse, &mut Vec::new()).unwrap()
}

fn compare(sent: &[u8], expected: &mut Map<String, Value>) {
    let mut found: Map<String, Value> = serde_json::from_slice(sent).unwrap();
    let ours = found.remove("guardrailConfig").unwrap();
    assert_eq!(ours["guardrailIdentifier"], OURS);
    expected.remove("guardrailConfig");
    assert_eq!(&found, expected);
}

/// Whether the outermost object has the member exactly once. A `Map` would hide a duplicate.
fn has_only_our_guardrail(sent: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Request {
        #[serde(rename = "guardrailConfig")]
        guardrail: Value,
    }
    serde_json::from_slice::<Request>(sent)
        .is_ok_and(|request| request.guardrail["guardrailIdentifier"] == OURS)
}

/// The body that `editor` sends. Asserts that its hash and length are those of the edited body, in
/// whatever pieces the edit is applied.
pub(crate) fn guarded(mut editor: Editor, chunks: &[&[u8]]) -> Result<Vec<u8>, BodyFault> {
    for chunk in chunks {
        editor.push(chunk)?;
    }
    let edited = editor.finish()?;
    let body = chunks.concat();
    let sent = edited.edit.apply(0, &body);
    assert_eq!(PayloadHash::of(&sent), edited.payload);
    assert_eq!(sent.len() as u64, edited.bytes);
    for size in [1, 2, 7, 64] {
        let mut offset = 0;
        let mut rotated = Vec::new();
        for piece in body.chunks(size) {
            rotated.extend(edited.edit.apply(offset, piece));
            offset += piece.len() as u64;
        }
        assert_eq!(rotated, sent, "in pieces of {size}");
    }
    if let Some(front) = edited.edit.front_bytes() {
        let (start, rest) = body.split_at(usize::try_from(front).unwrap());
        assert_eq!([&edited.edit.apply(0, start), rest].concat(), sent);
    }
    Ok(sent)
}
