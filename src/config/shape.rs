//! What may stand in a configuration, said once: the reader, the schema and the page are made of it.

use serde_json::Value;

use super::suggest::nearest;

/// A table with names of its own.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) about: String,
    pub(super) members: Vec<Member>,
}

/// One name in a table.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) about: String,
    pub(super) default: Option<Value>,
    pub(super) is_required: bool,
    /// Holds a connection or state, so that a change takes a restart.
    pub(super) needs_restart: bool,
    pub(super) shape: Shape,
}

/// What a value may be.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Flag,
    Whole {
        least: u64,
        most: u64,
    },
    /// A duration in seconds.
    Span {
        least: u64,
        most: u64,
    },
    /// In bytes.
    Size {
        least: u64,
        most: u64,
    },
    Text,
    Url,
    Words(Vec<&'static str>),
    Secret,
    List(Box<Shape>),
    Table(Table),
    /// A table whose names are the operator's.
    Map(Box<Shape>),
    /// Anything.
    Free,
    Either(Vec<Shape>),
}

impl Shape {
    /// Whether this shape is the one meant by a value, right or wrong within.
    pub(super) fn takes(&self, value: &Value) -> bool {
        match self {
            Self::Flag => value.is_boolean(),
            Self::Whole { .. } => value.is_number(),
            Self::Size { .. } => value.is_number() || value.is_string(),
            Self::Span { .. } | Self::Text | Self::Url | Self::Words(_) => value.is_string(),
            Self::Secret => value.is_string() || value.is_object(),
            Self::List(_) => value.is_array(),
            Self::Table(_) | Self::Map(_) => value.is_object(),
            Self::Free => true,
            Self::Either(shapes) => shapes.iter().any(|shape| shape.takes(value)),
        }
    }

    /// Whether what stands here may be repeated in a message: settings that hold no text of the
    /// operator's choice hold no secret either, unless it stands in the wrong place.
    pub(super) fn is_showable(&self) -> bool {
        match self {
            Self::Flag
            | Self::Whole { .. }
            | Self::Span { .. }
            | Self::Size { .. }
            | Self::Text
            | Self::Url
            | Self::Words(_) => true,
            Self::Secret | Self::List(_) | Self::Table(_) | Self::Map(_) | Self::Free => false,
            Self::Either(shapes) => shapes.iter().all(Self::is_showable),
        }
    }

    /// For people: `a duration from 1m to 60m, such as "30s"`.
    pub(super) fn to_words(&self) -> String {
        match self {
            Self::Flag => "`true` or `false`".into(),
            Self::Whole { least, most } => format!("a whole number, {least} to {most}"),
            Self::Span { least, most } => {
                format!("a duration, {} to {}", span(*least), span(*most))
            }
            Self::Size { least, most } => format!("a size, {} to {}", size(*least), size(*most)),
            Self::Text => "text".into(),
            Self::Url => "a URL".into(),
            Self::Words(words) => format!("`{}`", words.join("`, `")),
            Self::Secret => "a secret".into(),
            Self::List(item) => match &**item {
                Self::Table(_) => "a list of tables".into(),
                item => format!("a list of {}", item.to_plural()),
            },
            Self::Table(_) => "a table".into(),
            Self::Map(_) => "a table with names of your own".into(),
            Self::Free => "anything".into(),
            Self::Either(shapes) => {
                let all: Vec<_> = shapes.iter().map(Self::to_words).collect();
                all.join("; or ")
            }
        }
    }

    /// The same with an example, for those who have written something else.
    pub(super) fn to_remedy(&self) -> String {
        let words = self.to_words();
        match self {
            Self::List(item) => match **item {
                Self::Text => format!("{words}, e.g. [\"one\", \"two\"]"),
                Self::Table(_) => format!("{words}: in TOML each begins with its name in [[…]]"),
                _ => words,
            },
            Self::Either(shapes) => {
                let all: Vec<_> = shapes.iter().map(Self::to_remedy).collect();
                all.join("; or ")
            }
            _ => words,
        }
    }

    /// The text, if words are wanted here and it is none of them, nor nearly one.
    pub(super) fn foreign_word<'v>(&self, value: &'v Value) -> Option<&'v str> {
        let (Self::Words(words), Value::String(text)) = (self, value) else {
            return None;
        };
        let is_known =
            words.contains(&text.as_str()) || nearest(text, words.iter().copied()).is_some();
        (!is_known).then_some(text)
    }

    fn to_plural(&self) -> String {
        match self {
            Self::Text => "texts".into(),
            Self::Url => "URLs".into(),
            Self::List(item) => format!("lists of {}", item.to_plural()),
            shape => shape.to_words(),
        }
    }
}

const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
const SIZES: [(u64, &str); 4] = [
    (1 << 30, "GiB"),
    (1 << 20, "MiB"),
    (1 << 10, "KiB"),
    (1, "B"),
];

/// Seconds as they are written: in the largest unit that leaves no rest.
pub(super) fn span(seconds: u64) -> String {
    in_units(seconds, &UNITS, "s")
}

/// Bytes as they are written.
pub(super) fn size(bytes: u64) -> String {
    in_units(bytes, &SIZES, "B")
}

fn in_units(amount: u64, units: &[(u64, &str)], smallest: &str) -> String {
    let fits = |unit: &&(u64, &str)| amount != 0 && amount.is_multiple_of(unit.0);
    match units.iter().find(fits) {
        Some((unit, name)) => format!("{}{name}", amount.checked_div(*unit).unwrap_or(amount)),
        None => format!("{amount}{smallest}"),
    }
}

/// `30s`, `5m`, `24h`, `7d`, in seconds.
pub(super) fn parse_span(text: &str) -> Option<u64> {
    parse(text, &UNITS)
}

/// `512B`, `8KiB`, `32MiB`, `1GiB`, in bytes.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    parse(text, &SIZES)
}

fn parse(text: &str, units: &[(u64, &str)]) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (amount, unit) = text.split_at(end);
    let (factor, _) = units
        .iter()
        .find(|(_, name)| *name == unit.trim_start_matches(' '))?;
    amount.parse::<u64>().ok()?.checked_mul(*factor)
}

/// The lines of a doc comment as one paragraph.
pub(super) fn paragraph(lines: &str) -> String {
    let lines: Vec<_> = lines.lines().map(str::trim).collect();
    lines.join(" ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_as_they_are_read() {
        for (text, seconds) in [
            ("0s", 0),
            ("30s", 30),
            ("5m", 300),
            ("24h", 86_400),
            ("7d", 604_800),
        ] {
            assert_eq!(parse_span(text), Some(seconds), "{text}");
            assert_eq!(parse_span(&span(seconds)), Some(seconds), "{text}");
        }
        for (text, bytes) in [
            ("0B", 0),
            ("8KiB", 8192),
            ("32MiB", 33_554_432),
            ("16GiB", 17_179_869_184),
        ] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
            assert_eq!(size(bytes), text);
        }
        for bad in [
            "",
            "s",
            "30",
            "-1s",
            "1.5h",
            "30 sec",
            "99999999999999999999s",
            "9999999999999999999d",
            "8kb",
            "１s",
        ] {
            assert_eq!((parse_span(bad), parse_size(bad)), (None, None), "{bad}");
        }
    }
}
