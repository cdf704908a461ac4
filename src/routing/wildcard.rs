//! Wildcards in model names and model ids.

/// A name in which each `*` matches any sequence of characters.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// The text between the wildcards: at least two parts, possibly empty.
    parts: Vec<String>,
}

impl Pattern {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        name.contains('*').then(|| Self {
            parts: name.split('*').map(str::to_owned).collect(),
        })
    }

    pub(super) fn literal_bytes(&self) -> usize {
        self.parts.iter().map(String::len).fold(0, usize::saturating_add)
    }

    /// Matches `name` and returns what each `*` matched. All but the last match as little as
    /// possible.
    pub(crate) fn captures(&self, name: &str) -> Option<Vec<String>> {
        let (first, rest) = self.parts.split_first()?;
        let (last, middle) = rest.split_last()?;
        let mut left = name.strip_prefix(first.as_str())?.strip_suffix(last.as_str())?;
        let mut captures = Vec::with_capacity(rest.len());
        for part in middle {
            let (captured, after) = left.split_once(part.as_str())?;
            captures.push(captured.to_owned());
            left = after;
        }
        captures.push(left.to_owned());
        Some(captures)
    }
}

/// Replaces the n-th `*` in `template` with the n-th of `captures`, as in LiteLLM.
pub(crate) fn substitute(template: &str, captures: &[String]) -> String {
    let mut parts = template.split('*');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (index, part) in parts.enumerate() {
        text.push_str(captures.get(index).map_or("*", String::as_str));
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_capture_what_they_match() {
        let captures = |pattern: &str, name: &str| Pattern::parse(pattern).unwrap().captures(name);
        assert_eq!(captures("a*b*c", "a1b2c").unwrap(), ["1", "2"]);
        assert_eq!(captures("a*b*c", "abc").unwrap(), ["", ""]);
        assert_eq!(captures("ab*ba", "aba"), None);
        assert_eq!(captures("a*b*c", "a1c"), None);
    }

    #[test]
    fn captures_replace_wildcards_in_the_model_id() {
        let captures = ["x".to_owned(), "y".to_owned()];
        assert_eq!(substitute("us.*", &captures), "us.x");
        assert_eq!(substitute("*-*", &captures), "x-y");
        assert_eq!(substitute("fixed", &captures), "fixed");
        assert_eq!(substitute("*-*", &captures[..1]), "x-*");
    }
}
