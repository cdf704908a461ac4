//! What the operator should know about a file that can be used: notes, each with its place and its class.

use std::fmt;
use std::io::Write as _;

use crate::document::location::{Location, without_indices};

/// Most places of one field that a line of text shows; the others are counted.
const PLACES_MAX: usize = 3;
/// Most reasons why settings are not needed that the text shows.
const REASONS_MAX: usize = 8;
/// Most reasons why settings have no effect for which the text shows places in full. With more, a line is to be enough
/// for each, so that the report fits on a screen.
const FULL_PLACES_MAX: usize = 12;
/// Most details that a line of text shows; the others are counted.
const DETAILS_MAX: usize = 3;

/// Most providers of skipped deployments that have a line each.
const SKIPPED_MAX: usize = 5;
/// How the note about a deployment of another provider begins; the provider follows.
pub(crate) const ELSEWHERE: &str = "not for Bedrock's runtime but for ";

/// What kind of note it is, in the order in which the text shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A setting that protects and does not work here, accepted with `--accept-unprotected`.
    Accepted,
    /// A deployment that cannot be served, left out with `--leave-out-unsupported`.
    LeftOut,
    /// A deployment that is not meant for this gateway.
    Skipped,
    /// A name that neither LiteLLM nor this gateway knows: probably a slip.
    Unknown,
    /// A setting without effect, with what is lost.
    NoEffect,
    /// Anything else.
    General,
    /// A setting that this gateway does not need.
    NotNeeded,
}

impl Class {
    /// The name in the JSON of `check`.
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

    /// The heading in text.
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Class::Accepted => "accepted without this protection",
            Class::LeftOut => "left out: cannot be served",
            Class::Skipped => "skipped",
            Class::Unknown => "unknown settings, ignored",
            Class::NoEffect => "settings without effect",
            Class::General => "notes",
            Class::NotNeeded => "settings that are not needed here",
        }
    }
}

/// One finding at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Where.
    pub location: Location,
    /// Of what kind.
    pub class: Class,
    /// What it says. Notes with the same text are told together.
    pub text: String,
    /// What follows the text and differs from place to place; may be empty.
    pub detail: String,
}

/// Notes of one class and text.
#[derive(Clone, Debug)]
pub struct NoteGroup<'a> {
    /// Their class.
    pub class: Class,
    text: &'a str,
    details: Vec<&'a str>,
    /// Their places, in the order of the files; never empty.
    pub locations: Vec<&'a Location>,
}

/// The notes by class and text, in the order in which each text first appears.
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

/// Writes the notes to standard error, for the commands that have something else to print.
pub fn tell(notes: &[Note]) {
    let mut stderr = anstream::stderr();
    for (class, line) in lines(notes) {
        let _ = match class {
            Class::General => writeln!(stderr, "note: {line}"),
            class => writeln!(stderr, "note: {}: {line}", class.heading()),
        };
    }
}

/// The notes as lines of text, by class. Where many settings have no effect, their places are short; where many are not
/// needed, they are only named: the others matter more.
pub(crate) fn lines(notes: &[Note]) -> Vec<(Class, String)> {
    let groups = grouped(notes);
    let (needless, others): (Vec<_>, Vec<_>) =
        groups.iter().partition(|group| group.class == Class::NotNeeded);
    let no_effect = others.iter().filter(|group| group.class == Class::NoEffect);
    let is_long = no_effect.count() > FULL_PLACES_MAX;
    let elsewhere: Vec<&NoteGroup<'_>> = others
        .iter()
        .copied()
        .filter(|group| group.provider().is_some())
        .collect();
    let mut lines = Vec::new();
    for group in others {
        let line = match group.class {
            Class::NoEffect if is_long => format!("{}: {}", named(&group.locations), group.message()),
            Class::Skipped if elsewhere.len() > SKIPPED_MAX && group.provider().is_some() => {
                if elsewhere.first().map(|first| first.text) != Some(group.text) {
                    continue;
                }
                providers(&elsewhere)
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
        let text = format!("{names} (the reasons: --json, or docs/litellm-settings.md)");
        lines.push((Class::NotNeeded, text));
    }
    lines
}

/// One line for all deployments of other providers: `not for Bedrock's runtime: azure:3…, openai:9`.
fn providers(groups: &[&NoteGroup<'_>]) -> String {
    let name = |group: &&NoteGroup<'_>| {
        let more = if group.locations.len() > 1 { "…" } else { "" };
        let line = group
            .locations
            .first()
            .and_then(|location| line(location))
            .unwrap_or_default();
        format!("{}:{line}{more}", group.provider().unwrap_or_default())
    };
    let names: Vec<String> = groups.iter().map(name).collect();
    format!("not for Bedrock's runtime: {}", names.join(", "))
}

impl NoteGroup<'_> {
    /// Whom its deployments are for, if not for Bedrock's runtime.
    fn provider(&self) -> Option<&str> {
        self.text.strip_prefix(ELSEWHERE)
    }

    /// What it says, without the places.
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

    /// One line of text: the places, then the message.
    pub fn line(&self) -> String {
        let locations = match self.class {
            // Each deployment that is left out is named, wherever in it the reason is.
            Class::LeftOut => left_out(&self.locations),
            _ => shown(&self.locations, PLACES_MAX),
        };
        let message = self.message();
        if locations.is_empty() {
            return message;
        }
        format!("{locations}: {message}")
    }
}

/// Each place; where many are the same field of different deployments, that is named once.
fn left_out(locations: &[&Location]) -> String {
    let field = |location: &Location| location.path.split_once("].").map(|(_, field)| field.to_owned());
    let first = locations.first().and_then(|location| field(location));
    let is_shared = locations.len() > PLACES_MAX && locations.iter().all(|location| field(location) == first);
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

/// Each field once, as shortly as possible: `drop_params:16, mode:21…` is there in line 16, and in 21 and others.
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

/// The line, with the file's name where it is not the main one.
fn line(location: &Location) -> Option<String> {
    match (location.file_index, location.line) {
        (0, line) => line.map(|line| line.to_string()),
        (_, None) => Some(location.file.to_string()),
        (_, Some(line)) => Some(format!("{}:{line}", location.file)),
    }
}

/// The setting without the section that it stands in.
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
