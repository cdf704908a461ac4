//! Files that are not a configuration yet: templates, and manifests with the configuration inside.

/// Explains invalid YAML, or the start of a second document, in `line` of `text`: a suffix for the
/// error message, or an empty one where the file looks like any other.
pub(crate) fn hint(text: &str, line: usize) -> &'static str {
    let in_template = line
        .checked_sub(1)
        .and_then(|index| text.lines().nth(index))
        .is_some_and(|line| line.contains("{{"));
    let has = |start: &str| text.lines().any(|line| line.starts_with(start));
    if in_template {
        ": {{ }} belongs to a template engine such as Helm: pass the rendered file instead"
    } else if has("apiVersion:") && has("kind:") {
        ": this looks like a Kubernetes manifest: pass only the configuration, which is the text under data in its \
         ConfigMap"
    } else {
        ""
    }
}
