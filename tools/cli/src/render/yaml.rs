//! A tree that keeps its order, and its text.
//!
//! Envoy reads YAML 1.1 leniently: a plain `on`, `y` or `1_000` is not the text it looks like. So a text is plain
//! only where no reader can take it for anything else, and quoted as JSON otherwise, which is YAML too.

/// Columns that a mapping or list in one line may reach.
const LINE_MAX: usize = 110;

/// What `yes` and its like are to a YAML 1.1 reader, in lower case.
const WORDS_WITH_MEANING: [&str; 10] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan"];

/// A node of the document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    /// Nothing: an entry with it is left out.
    Absent,
    /// Text; with line breaks it becomes a block.
    Text(String),
    /// A whole number.
    Number(u64),
    /// `true` or `false`.
    Bool(bool),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order given.
    Map(Vec<(&'static str, Node)>),
}

/// `map! { "key" => value, … }`: values are anything that becomes a [`Node`]; an absent one takes its key with it.
macro_rules! map {
    ($($key:expr => $value:expr),* $(,)?) => {
        $crate::render::yaml::Node::map(vec![$(($key, $crate::render::yaml::Node::from($value))),*])
    };
}
pub(crate) use map;

/// `list![value, …]`.
macro_rules! list {
    ($($value:expr),* $(,)?) => {
        $crate::render::yaml::Node::List(vec![$($crate::render::yaml::Node::from($value)),*])
    };
}
pub(crate) use list;

impl Node {
    /// A mapping without its absent entries.
    pub(crate) fn map(entries: Vec<(&'static str, Node)>) -> Self {
        Node::Map(
            entries
                .into_iter()
                .filter(|(_, node)| *node != Node::Absent)
                .collect(),
        )
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Node::Text(text.to_owned())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Node::Text(text)
    }
}

impl From<bool> for Node {
    fn from(value: bool) -> Self {
        Node::Bool(value)
    }
}

impl From<u64> for Node {
    fn from(value: u64) -> Self {
        Node::Number(value)
    }
}

impl From<u32> for Node {
    fn from(value: u32) -> Self {
        Node::Number(value.into())
    }
}

impl From<u16> for Node {
    fn from(value: u16) -> Self {
        Node::Number(value.into())
    }
}

impl<T: Into<Node>> From<Vec<T>> for Node {
    fn from(items: Vec<T>) -> Self {
        Node::List(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Node>> From<Option<T>> for Node {
    fn from(item: Option<T>) -> Self {
        item.map_or(Node::Absent, Into::into)
    }
}

/// The text of a document.
pub(crate) fn document(root: &Node) -> String {
    let mut out = String::new();
    block(root, 0, &mut out);
    out
}

/// Writes `node` in lines of their own, indented by `indent`.
fn block(node: &Node, indent: usize, out: &mut String) {
    match node {
        Node::Map(entries) if !entries.is_empty() => {
            for (index, (key, value)) in entries.iter().enumerate() {
                // The first line of a list's element stands beside its dash.
                if index > 0 || out.is_empty() || out.ends_with('\n') {
                    out.push_str(&" ".repeat(indent));
                }
                out.push_str(&scalar(key));
                out.push(':');
                after_colon(value, indent, out);
            }
        }
        Node::List(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&" ".repeat(indent));
                out.push_str("- ");
                match one_line(item, LINE_MAX.saturating_sub(indent + 2)) {
                    Some(text) => {
                        out.push_str(&text);
                        out.push('\n');
                    }
                    None => block(item, indent + 2, out),
                }
            }
        }
        Node::Text(text) if is_block(text) => literal(text, indent + 2, out),
        other => {
            out.push_str(&flow(other));
            out.push('\n');
        }
    }
}

/// Writes the value of a key: on the same line where it fits.
fn after_colon(value: &Node, indent: usize, out: &mut String) {
    let column = out.len() - out.rfind('\n').map_or(0, |newline| newline + 1);
    if let Some(text) = one_line(value, LINE_MAX.saturating_sub(column + 1)) {
        out.push(' ');
        out.push_str(&text);
        out.push('\n');
        return;
    }
    match value {
        Node::Map(_) => {
            out.push('\n');
            block(value, indent + 2, out);
        }
        Node::List(_) => {
            out.push('\n');
            block(value, indent, out);
        }
        _ => {
            out.push(' ');
            block(value, indent, out);
        }
    }
}

/// `node` in one line, if it belongs there: scalars, and what is small and flat enough to be read at a glance.
fn one_line(node: &Node, width: usize) -> Option<String> {
    match node {
        Node::Text(text) if is_block(text) => None,
        Node::Map(_) | Node::List(_) => {
            let text = flow(node);
            (depth(node) <= 3 && breadth(node) <= 6 && text.chars().count() <= width).then_some(text)
        }
        scalar => Some(flow(scalar)),
    }
}

fn depth(node: &Node) -> usize {
    match node {
        Node::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Node::Map(entries) => 1 + entries.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        _ => 0,
    }
}

/// Scalars in `node`; a mapping of several mappings is never small.
fn breadth(node: &Node) -> usize {
    match node {
        Node::List(items) => items.iter().map(breadth).sum(),
        Node::Map(entries) => entries.iter().map(|(_, value)| breadth(value)).sum(),
        Node::Text(text) if is_block(text) => usize::MAX / 2,
        _ => 1,
    }
}

fn flow(node: &Node) -> String {
    match node {
        Node::Absent => "null".to_owned(),
        Node::Text(text) => scalar(text),
        Node::Number(number) => number.to_string(),
        Node::Bool(value) => value.to_string(),
        Node::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Node::Map(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", scalar(key), flow(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

fn scalar(text: &str) -> String {
    if is_plain(text) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// Whether every YAML reader takes `text` for text.
fn is_plain(text: &str) -> bool {
    if is_duration(text) {
        return true;
    }
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+' | '.');
    starts && text.chars().all(rest) && !WORDS_WITH_MEANING.contains(&text.to_ascii_lowercase().as_str())
}

/// `0.5s` is text to everyone, and there are many of it.
fn is_duration(text: &str) -> bool {
    text.strip_suffix('s').is_some_and(|number| {
        number.starts_with(|c: char| c.is_ascii_digit())
            && number.chars().all(|c| c.is_ascii_digit() || c == '.')
    })
}

/// `text` as JSON, with everything escaped that YAML does not count among the printable characters.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if is_printable(c) => out.push(c),
            c => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
    out
}

fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

/// Whether `text` is written as a literal block: several lines, and nothing that a block cannot hold.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n'])
        && !text.ends_with('\n')
        && text.chars().all(|c| c == '\n' || is_printable(c))
}

fn literal(text: &str, indent: usize, out: &mut String) {
    out.push_str("|-\n");
    for line in text.lines() {
        if !line.is_empty() {
            out.push_str(&" ".repeat(indent));
            out.push_str(line);
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_mappings_stand_in_one_line_and_others_do_not() {
        let node = map! {
            "address" => map! { "socket_address" => map! { "address" => "0.0.0.0", "port_value" => 4000u16 } },
            "list" => list![map! { "name" => "first", "config" => "a\nb" }, list!["x"]],
            "none" => Node::Absent,
        };
        let expected = "address: {socket_address: {address: \"0.0.0.0\", port_value: 4000}}\n\
                        list:\n- name: first\n  config: |-\n    a\n    b\n- [x]\n";
        assert_eq!(document(&node), expected);
    }

    #[test]
    fn a_text_that_reads_as_something_else_is_quoted() {
        for text in [
            "", "on", "No", "1", "0.5", "-", "1e3", "a: b", "a #b", "*", "~", "@type", " x", "[", "é",
        ] {
            assert_eq!(scalar(text), format!("\"{text}\""));
        }
        for text in [
            "us-west-2+us-east-1",
            "STRICT_DNS",
            "/etc/ssl/certs",
            "envoy.clusters.composite",
        ] {
            assert_eq!(scalar(text), text);
        }
    }

    #[test]
    fn quotes_and_control_characters_are_escaped() {
        assert_eq!(
            scalar("a\"\\\u{1}\u{7f}\u{2028}\u{1f600}\t"),
            "\"a\\\"\\\\\\u0001\\u007f\\u2028\\ud83d\\ude00\\u0009\""
        );
    }

    #[test]
    fn a_text_that_no_block_can_hold_stays_in_one_line() {
        for text in ["a\n\u{1}", "\nb", "a\n", " a\nb"] {
            assert!(scalar(text).starts_with('"') && !is_block(text), "{text:?}");
        }
    }
}
