//! A list in a form: one field for each entry, some empty ones, and beside each what is wrong with it.

use tower_mcp_auth::error::Problem;

/// Fields for new entries.
const EMPTY: usize = 2;

pub(crate) struct Line {
    /// Of the field in the page.
    pub(crate) id: String,
    pub(crate) number: usize,
    pub(crate) value: String,
    pub(crate) error: Option<String>,
}

pub(crate) struct Lines {
    /// Of the fields in the form.
    pub(crate) name: &'static str,
    /// What an entry is called, beside its number.
    pub(crate) label: &'static str,
    pub(crate) example: &'static str,
    pub(crate) entries: Vec<Line>,
    /// What is wrong with the whole.
    pub(crate) error: Option<String>,
}

/// A mistake in the summary at the top, with the field it leads to.
pub(crate) struct Mistake {
    pub(crate) id: String,
    pub(crate) text: String,
}

impl Lines {
    pub(crate) fn new(
        name: &'static str,
        label: &'static str,
        example: &'static str,
        values: Vec<String>,
    ) -> Self {
        let empty = std::iter::repeat_n(String::new(), EMPTY);
        let lines = values.into_iter().chain(empty).enumerate();
        let line = |(index, value)| Line {
            id: format!("{name}-{index}"),
            number: index + 1,
            value,
            error: None,
        };
        Self {
            name,
            label,
            example,
            entries: lines.map(line).collect(),
            error: None,
        }
    }

    /// Puts problems beside the entries they are about: `path[2]`, or `path` with the entry's value.
    pub(crate) fn blame(&mut self, path: &str, problems: &[Problem]) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        for problem in problems {
            let Some(rest) = problem.field.strip_prefix(path) else {
                continue;
            };
            let index = rest
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'));
            let index = index.and_then(|index| index.parse::<usize>().ok());
            if !rest.is_empty() && index.is_none() {
                continue;
            }
            let same = |line: &Line| !line.value.is_empty() && line.value == problem.value;
            let index = index.or_else(|| self.entries.iter().position(same));
            let line = index.and_then(|index| self.entries.get_mut(index));
            let id = if let Some(line) = line {
                line.error = Some(sentence(&problem.remedy));
                line.id.clone()
            } else {
                self.error = Some(sentence(&problem.remedy));
                format!("{}-0", self.name)
            };
            let text = format!("{}: {}", problem.value, problem.remedy);
            mistakes.push(Mistake { id, text });
        }
        mistakes
    }
}

/// A remedy as a sentence of its own.
pub(crate) fn sentence(remedy: &str) -> String {
    let mut letters = remedy.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}
