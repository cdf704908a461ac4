//! What the operator should know about a usable configuration: notes, each with its location and
//! class.

use std::fmt;
use std::io::Write as _;

use crate::document::location::{Location, without_indices};

/// Most locations of one field in a line of text; the others are counted.
const LOCATIONS_MAX: usize = 3;
/// Most reasons for settings that are not needed in the text.
const REASONS_MAX: usize = 8;
/// Most lines about settings without effect that show their locations in full. With more, each line
/// is shortened so that the report fits on a screen.
const LONG_LINES_MAX: usize = 12;
/// Most details in a line of text; the others are counted.
const DETAILS_MAX: usize = 3;

/// Most providers of skipped deployments that get a line each.
const PROVIDER_LINES_MAX: usize = 5;

/// The kind of a note, in the order of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A protecting setting that does not work here and is accepted with `--accept-unprotected`.
    Accepted,
    /// A deployment that cannot be served, left out with `--leave-out-unsupported`.
    LeftOut,
    /// A deployment for another provider, or one that is blocked or drained.
    Skipped,
    /// A name that neither LiteLLM nor this gateway knows: probably a misspelling.
    Unknown,
    /// A setting without effect, and what is lost.
    NoEffect,
    /// Any other note.
    General,
    /// A setting that this gateway does not need.
    NotNeeded,
}

impl Class {
    /// The name in the JSON output of `check`.
    pub fn name(self) -> &'static str {
        match self {
            Class::Accepted => "accepted",
            Class::LeftOut => "left_out",
            Class::Skipped => "skipped",
            Class::Unknown => "unknown",
            Class::NoEffect => "no_effect",
            Class::General => "note",
            Class::NotNeeded => "not_needed",
        }
    }

    /// The heading in the text.
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Class::Accepted => "accepted without this protection",
            Class::LeftOut => "left out: cannot be served",
            Class::Skipped => "skipped",
            Class::Unknown => "unknown settings, ignored",
            Class::NoEffect => "settings without effect",
            Class::General => "notes",
            Class::NotNeeded => "settings that are not needed",
        }
    }
}

/// One finding at one location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Where it was found.
    pub location: Location,
    /// Its kind.
    pub class: Class,
    /// The message. Notes with the same message are shown together.
    pub text: String,
    /// The part of the message that differs between locations; may be empty.
    pub detail: String,
    /// The provider of a skipped deployment that is not for Bedrock's runtime.
    pub provider: Option<String>,
}

impl Note {
    /// A note without a detail.
    pub(crate) fn new(class: Class, location: &Location, text: impl Into<String>) -> Self {
        Note {
            location: location.clone(),
            class,
            text: text.into(),
            detail: String::new(),
            provider: None,
        }
    }

    /// The note that the deployment at `location` is for another provider.
    pub(crate) fn other_provider(location: &Location, provider: String) -> Self {
        let text = format!("not for Bedrock's runtime but for {provider}");
        Note {
            provider: Some(provider),
            ..Note::new(Class::Skipped, location, text)
        }
    }

    /// The note with `detail` after its text.
    pub(crate) fn with_detail(self, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Note { detail, ..self }
    }
}

/// Notes of one class and text.
#[derive(Clone, Debug)]
pub struct NoteGroup<'a> {
    /// Their class.
    pub class: Class,
    text: &'a str,
    details: Vec<&'a str>,
    provider: Option<&'a str>,
    /// Their locations, in the order of the files; never empty.
    pub locations: Vec<&'a Location>,
}

/// The notes grouped by class and text. Within a class, in the order in which each text first
/// appears.
pub fn grouped(notes: &[Note]) -> Vec<NoteGroup<'_>> {
    let mut groups: Vec<NoteGroup<'_>> = Vec::new();
    for note in notes {
        let same = |group: &&mut NoteGroup<'_>| group.class == note.class && group.text == note.text;
        let group = match groups.iter_mut().find(same) {
            Some(group) => group,
            None => {
                groups.push(NoteGroup {
                    class: note.class,
                    text: &note.text,
                    details: Vec::new(),
                    provider: note.provider.as_deref(),
                    locations: Vec::new(),
                });
                let last = groups.len() - 1;
                &mut groups[last]
            }
        };
        if !note.detail.is_empty() && !group.details.contains(&note.detail.as_str()) {
            group.details.push(&note.detail);
        }
        if !group.locations.contains(&&note.location) {
            group.locations.push(&note.location);
        }
    }
    groups.sort_by_key(|group| group.class);
    groups
}

/// Prints the notes to standard error, for commands whose standard output is something else.
pub fn print(notes: &[Note]) {
    let mut stderr = anstream::stderr();
    for line in texts(notes) {
        let _ = writeln!(stderr, "note: {line}");
    }
}

/// The notes as lines of text, each with its class.
pub fn texts(notes: &[Note]) -> impl Iterator<Item = String> {
    lines(notes).into_iter().map(|(class, line)| match class {
        Class::General => line,
        class => format!("{}: {line}", class.heading()),
    })
}

/// The notes as lines of text, by class. If many settings have no effect, their locations are
/// shortened. If many are not needed, those are only named, because the others matter more.
pub(crate) fn lines(notes: &[Note]) -> Vec<(Class, String)> {
    let groups = grouped(notes);
    let (needless, others): (Vec<_>, Vec<_>) =
        groups.iter().partition(|group| group.class == Class::NotNeeded);
    let no_effect = others.iter().filter(|group| group.class == Class::NoEffect);
    let is_long = no_effect.count() > LONG_LINES_MAX;
    let of_others: Vec<&NoteGroup<'_>> = others
        .iter()
        .copied()
        .filter(|group| group.provider.is_some())
        .collect();
    let mut lines = Vec::new();
    for group in others {
        let line = match group.class {
            Class::NoEffect if is_long => format!("{}: {}", named(&group.locations), group.message()),
            Class::Skipped if of_others.len() > PROVIDER_LINES_MAX && group.provider.is_some() => {
                if of_others.first().map(|first| first.text) != Some(group.text) {
                    continue;
                }
                providers(&of_others)
            }
            _ => group.line(),
        };
        lines.push((group.class, line));
    }
    if needless.len() <= REASONS_MAX {
        lines.extend(needless.iter().map(|group| (group.class, group.line())));
    } else {
        let locations: Vec<&Location> = needless
            .iter()
            .flat_map(|group| &group.locations)
            .copied()
            .collect();
        let names = named(&locations);
        let text = format!("{names} (for the reasons, see --json or docs/litellm-settings.md)");
        lines.push((Class::NotNeeded, text));
    }
    lines
}

/// One line for the deployments of all other providers: `not for Bedrock's runtime: azure:3…,
/// openai:9`.
fn providers(groups: &[&NoteGroup<'_>]) -> String {
    let name = |group: &&NoteGroup<'_>| {
        let more = if group.locations.len() > 1 { "…" } else { "" };
        let line = group
            .locations
            .first()
            .and_then(|location| line(location))
            .unwrap_or_default();
        format!("{}:{line}{more}", group.provider.unwrap_or_default())
    };
    let names: Vec<String> = groups.iter().map(name).collect();
    format!("not for Bedrock's runtime: {}", names.join(", "))
}

impl NoteGroup<'_> {
    /// The message without the locations.
    pub fn message(&self) -> String {
        if self.details.is_empty() {
            return self.text.to_owned();
        }
        let mut shown = self.details.iter().take(DETAILS_MAX).copied().collect::<Vec<_>>();
        let more = format!("and {} more", self.details.len().saturating_sub(DETAILS_MAX));
        if self.details.len() > DETAILS_MAX {
            shown.push(&more);
        }
        format!("{}: {}", self.text, shown.join("; "))
    }

    /// One line of text: the locations, then the message.
    pub fn line(&self) -> String {
        let locations = match self.class {
            // Every deployment that is left out is listed.
            Class::LeftOut => left_out(&self.locations),
            _ => shown(&self.locations, LOCATIONS_MAX),
        };
        let message = self.message();
        if locations.is_empty() {
            return message;
        }
        format!("{locations}: {message}")
    }
}

/// All locations. A field that many deployments share is named once.
fn left_out(locations: &[&Location]) -> String {
    let field = |location: &Location| location.path.split_once("].").map(|(_, field)| field.to_owned());
    let first = locations.first().and_then(|location| field(location));
    let is_shared =
        locations.len() > LOCATIONS_MAX && locations.iter().all(|location| field(location) == first);
    let name = |location: &Location| match location.path.split_once("].") {
        Some((entry, _)) if is_shared => format!("{entry}]"),
        _ => location.path.clone(),
    };
    let all: Vec<String> = locations
        .iter()
        .map(|location| located(&name(location), location))
        .collect();
    match first {
        Some(field) if is_shared => format!("{field} of {}", all.join(", ")),
        _ => all.join(", "),
    }
}

/// Each field once, with its first lines: `cache (line 3), fallbacks (lines 7, 9)`.
fn shown(locations: &[&Location], limit: usize) -> String {
    let mut fields: Vec<(String, Vec<&Location>)> = Vec::new();
    for location in locations {
        let pattern = without_indices(short(&location.path));
        match fields.iter_mut().find(|(known, _)| *known == pattern) {
            Some((_, locations)) => locations.push(location),
            None => fields.push((pattern, vec![location])),
        }
    }
    let texts = fields.iter().map(|(_, locations)| field(locations, limit));
    texts
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Each field once, with its first line: `drop_params:16, mode:21…`. The dots stand for more
/// locations.
fn named(locations: &[&Location]) -> String {
    let mut fields: Vec<(String, &Location, bool)> = Vec::new();
    for location in locations {
        let mut name = without_indices(short(&location.path));
        if name.ends_with("[]") {
            name.truncate(name.len() - "[]".len());
        }
        match fields.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, first, has_more)) => *has_more |= first != location,
            None => fields.push((name, location, false)),
        }
    }
    let name = |(name, first, has_more): &(String, &Location, bool)| {
        let more = if *has_more { "…" } else { "" };
        line(first).map_or_else(|| name.clone(), |line| format!("{name}:{line}{more}"))
    };
    fields.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// One field: `cache (lines 3, 9)`, or `model_list[0] (line 2), model_list[4] (line 9) and 7 more`.
fn field(locations: &[&Location], limit: usize) -> String {
    let Some(first) = locations.first() else {
        return String::new();
    };
    let name = short(&first.path);
    if name.contains('[') {
        let shown = locations.iter().take(limit);
        let more = match locations.len().saturating_sub(limit) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        return shown
            .map(|location| located(short(&location.path), location))
            .collect::<Vec<_>>()
            .join(", ")
            + &more;
    }
    let (shown, more) = if locations.len() > limit {
        (
            locations.get(..1).unwrap_or_default(),
            format!(" and {} more", locations.len() - 1),
        )
    } else {
        (locations, String::new())
    };
    let mut lines: Vec<String> = shown.iter().filter_map(|location| line(location)).collect();
    lines.dedup();
    let what = if lines.len() > 1 { "lines" } else { "line" };
    match (name, lines.as_slice()) {
        (name, []) => name.to_owned(),
        ("", lines) if first.file_index == 0 => format!("{what} {}{more}", lines.join(", ")),
        ("", lines) => format!("{}{more}", lines.join(", ")),
        (name, lines) if first.file_index == 0 => format!("{name} ({what} {}{more})", lines.join(", ")),
        (name, lines) => format!("{name} ({}{more})", lines.join(", ")),
    }
}

/// The line, after the name of the file unless that is the main one.
fn line(location: &Location) -> Option<String> {
    match (location.file_index, location.line) {
        (0, line) => line.map(|line| line.to_string()),
        (_, None) => Some(location.file.to_string()),
        (_, Some(line)) => Some(format!("{}:{line}", location.file)),
    }
}

/// The path without the section that contains the setting.
fn short(path: &str) -> &str {
    const SECTIONS: [&str; 4] = [
        "general_settings.",
        "litellm_settings.",
        "router_settings.",
        "environment_variables.",
    ];
    if let Some(name) = SECTIONS.iter().find_map(|section| path.strip_prefix(section)) {
        return name;
    }
    let within = |part| path.split_once(part).map(|(_, name)| name);
    within("].litellm_params.")
        .or_else(|| within("].model_info."))
        .or_else(|| within("].credential_values."))
        .unwrap_or(path)
}

/// `model_list[0] (line 3)`.
fn located(name: &str, location: &Location) -> String {
    match line(location) {
        None => name.to_owned(),
        Some(line) if location.file_index == 0 => format!("{name} (line {line})"),
        Some(line) => format!("{name} ({line})"),
    }
}

impl fmt::Display for Note {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(
            &grouped(std::slice::from_ref(self))
                .first()
                .map_or_else(String::new, NoteGroup::line),
        )
    }
}
