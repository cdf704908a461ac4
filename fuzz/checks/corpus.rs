//! The kept inputs of every fuzz target, checked by `cargo test`.

/// The kept inputs of a fuzz target.
fn inputs_of(target: &str) -> impl Iterator<Item = Vec<u8>> {
    let folder = format!("{}/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let inputs: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{folder}: {error}"))
        .map(|input| input.unwrap().path())
        .collect();
    assert!(inputs.len() >= 10, "{folder} has only {} inputs", inputs.len());
    inputs.into_iter().map(|input| std::fs::read(input).unwrap())
}

fn every_cut_of(target: &str, check: fn(&[u8])) {
    for bytes in inputs_of(target) {
        // Every recipe, not only the one that was found.
        for recipe in [0, 1, 2, 7, 0x7F, 0x80, 0x81, 0x8D] {
            check(&[&[recipe], bytes.get(1..).unwrap_or_default()].concat());
        }
        check(&bytes);
    }
}

#[test]
fn the_corpus_of_event_streams_holds() {
    every_cut_of("event_stream", super::event_stream);
}

#[test]
fn the_corpus_of_responses_holds() {
    every_cut_of("response", super::response);
}

#[test]
fn the_corpus_of_guardrails_holds() {
    every_cut_of("guardrail", super::guardrail);
}

#[test]
fn the_corpus_of_configurations_holds() {
    for bytes in inputs_of("configuration") {
        let (&recipe, rest) = bytes.split_first().unwrap_or((&0, &[]));
        // Every choice of variables, not only the one that was found.
        for variables in 0..8 {
            super::configuration(&[&[recipe & !7 | variables], rest].concat());
        }
    }
}
