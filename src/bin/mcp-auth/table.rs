//! Tables for people, whatever the data holds.

/// Whether a character could change what a terminal shows of the rest: controls, and the formatting characters
/// that reverse, hide or join text.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The text with those characters written out, as `\u{1b}`.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Rows under a head, each column as wide as its widest cell so far.
#[derive(Debug)]
pub(crate) struct Table {
    head: Option<Vec<String>>,
    widths: Vec<usize>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(head: [&str; N]) -> Self {
        let head: Vec<_> = head.iter().map(|cell| cell.to_uppercase()).collect();
        Self {
            widths: head.iter().map(|cell| cell.chars().count()).collect(),
            head: Some(head),
            rows: Vec::new(),
        }
    }

    /// Adds a row. An empty cell is shown as `-`, so that columns can be counted.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        let cells = cells.map(|cell| match escape(&cell) {
            empty if empty.is_empty() => "-".to_owned(),
            cell => cell,
        });
        for (width, cell) in self.widths.iter_mut().zip(&cells) {
            *width = cell.chars().count().max(*width);
        }
        self.rows.push(cells.into());
    }

    /// The rows since the last call, after the head at the first.
    pub(crate) fn take(&mut self) -> String {
        let rows = self.head.take().into_iter().chain(self.rows.drain(..));
        let mut text = String::new();
        for row in rows {
            let padded = row.iter().zip(&self.widths);
            let line: Vec<_> = padded
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            text.push_str(line.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fit_and_nothing_moves_the_cursor() {
        let mut table = Table::new(["id", "name"]);
        table.row(["a".into(), "é\u{1b}[2J".into()]);
        table.row(["longer".into(), String::new()]);
        assert_eq!(
            table.take(),
            "ID      NAME\na       é\\u{1b}[2J\nlonger  -\n"
        );
        table.row(["b".into(), "later".into()]);
        assert_eq!(table.take(), "b       later\n");
        assert_eq!(table.take(), "");
    }

    #[test]
    fn whatever_a_terminal_obeys_is_written_out() {
        for c in [
            '\u{1b}', '\r', '\n', '\u{7f}', '\u{9b}', '\u{202e}', '\u{2066}', '\u{200b}',
        ] {
            assert!(escape(&format!("a{c}b")).starts_with("a\\u{"), "{c:?}");
        }
        assert_eq!(escape("Ada Lovelace é 漢"), "Ada Lovelace é 漢");
    }
}
