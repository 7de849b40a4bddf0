use http::{HeaderMap, HeaderName};

/// A header's value with parameters: `main; name=value; name="quoted; value"`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Params {
    /// In lower case.
    pub(super) main: String,
    /// Names in lower case.
    params: Vec<(String, String)>,
}

impl Params {
    /// The value of the header's first line, if there is one.
    pub(super) fn of(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let value = headers.get(name)?.as_bytes();
        // Servers write names in UTF-8, though no standard allows it; anything else is Latin-1.
        let value = std::str::from_utf8(value)
            .map_or_else(|_| value.iter().copied().map(char::from).collect(), str::to_owned);
        Some(Self::parse(&value))
    }

    fn parse(value: &str) -> Self {
        let mut parts = split(value).into_iter();
        let main = parts.next().unwrap_or_default().trim().to_lowercase();
        let named = |part: &str| {
            let (name, value) = part.split_once('=')?;
            Some((name.trim().to_lowercase(), unquoted(value.trim())))
        };
        Self { main, params: parts.filter_map(named).collect() }
    }

    /// The first parameter of this name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.params.iter().find(|(param, _)| param == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// At every semicolon that is not quoted.
fn split(value: &str) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, character) in value.char_indices() {
        match character {
            '"' if !escaped => quoted = !quoted,
            ';' if !quoted => {
                parts.push(&value[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        escaped = quoted && character == '\\' && !escaped;
    }
    parts.push(&value[start..]);
    parts
}

/// A quoted value without its quotes. A backslash escapes a quote or another backslash; elsewhere it is
/// itself, as in the paths that some senders write.
fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"') else {
        return value.to_owned();
    };
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    let (mut text, mut characters) = (String::new(), inner.chars().peekable());
    while let Some(character) = characters.next() {
        let escapes = character == '\\' && matches!(characters.peek(), Some('"' | '\\'));
        text.extend(if escapes { characters.next() } else { Some(character) });
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_are_told_apart_outside_of_quotes_only() {
        let params = Params::parse(r#" Attachment ; FileName = "a;b=\"c\".txt" ; x=y; z"#);
        assert_eq!(params.main, "attachment");
        assert_eq!(params.get("filename"), Some(r#"a;b="c".txt"#));
        assert_eq!((params.get("x"), params.get("z")), (Some("y"), None));
    }

    #[test]
    fn a_backslash_that_escapes_nothing_is_itself() {
        for (value, expected) in [
            (r#""C:\dir\a.txt""#, r"C:\dir\a.txt"),
            (r#""C:\\dir\\a.txt""#, r"C:\dir\a.txt"),
            (r#""open"#, "open"),
            (r#"""#, ""),
            (r"plain\", r"plain\"),
        ] {
            assert_eq!(unquoted(value), expected);
        }
    }

    proptest! {
        #[test]
        fn whatever_stands_in_quotes_comes_out_of_them(text in ".*") {
            let quoted = text.replace('\\', r"\\").replace('"', "\\\"");
            let params = Params::parse(&format!("a; b=\"{quoted}\"; c=d"));
            prop_assert_eq!(params.get("b"), Some(&*text));
            prop_assert_eq!(params.get("c"), Some("d"));
        }

        #[test]
        fn text_of_any_kind_never_panics(value in "[\"\\\\;= a-cé]{0,40}") {
            let params = Params::parse(&value);
            prop_assert!(params.params.len() <= value.len());
        }
    }
}
