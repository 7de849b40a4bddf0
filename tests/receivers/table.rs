//! The results of a suite for several receivers, side by side: printed, and compared with the pages.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::{
    fmt::{self, Display},
    fs,
    path::Path,
};

use tower_callback_sim::check::{CaseResult, Verdict};

const ENGLISH: &str = "docs/receivers.md";
const CHINESE: &str = "docs/receivers.zh-CN.md";

/// The English page must say of each case why it matters, in the words that the command prints.
pub(crate) fn must_say_why(root: &Path, results: &[CaseResult]) {
    let page = fs::read_to_string(root.join(ENGLISH)).unwrap();
    for CaseResult { case, matters, .. } in results {
        let start = format!("| `{case}` {matters} |");
        let is_there = page.lines().any(|line| line.starts_with(&start));
        assert!(is_there, "{ENGLISH} has no row: {start}");
    }
}

/// One column for each receiver, one row for each case.
pub(crate) struct Table<'a> {
    receivers: &'a [&'a str],
    rows: Vec<Row<'a>>,
}

/// The results of one case, one for each receiver.
struct Row<'a>(Vec<&'a CaseResult>);

impl<'a> Table<'a> {
    pub(crate) fn new(receivers: &'a [&'a str], results: &[&'a [CaseResult]]) -> Self {
        let of_case = |case| Row(results.iter().map(|results| &results[case]).collect());
        Self { receivers, rows: (0..results[0].len()).map(of_case).collect() }
    }

    /// Both pages must have the same marks in a table with the same head.
    pub(crate) fn must_be_on_the_pages(&self, root: &Path) {
        for file in [ENGLISH, CHINESE] {
            let page = fs::read_to_string(root.join(file)).unwrap();
            let table = page.lines().skip_while(|line| *line != self.head());
            let table: Vec<_> = table.skip(2).take_while(|line| line.starts_with('|')).collect();
            for row in &self.rows {
                assert_eq!(row.marks_in(&table), row.marks(), "{file} has other marks: {row}");
            }
            assert_eq!(table.len(), self.rows.len(), "{file}: {table:#?}");
        }
    }

    fn head(&self) -> String {
        format!("| | {} |", self.receivers.join(" | "))
    }
}

impl Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n|{}", self.head(), "---|".repeat(self.receivers.len() + 1))?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

impl Row<'_> {
    fn marks(&self) -> Vec<char> {
        self.0.iter().map(|result| mark(&result.verdict).0).collect()
    }

    /// The marks of this case in the table of a page.
    fn marks_in(&self, table: &[&str]) -> Vec<char> {
        let start = format!("| `{}`", self.0[0].case);
        let row = table.iter().find(|line| line.starts_with(&start)).unwrap_or(&"");
        row.split('|').skip(2).filter_map(|cell| cell.trim().chars().next()).collect()
    }
}

impl Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| `{}` {} |", self.0[0].case, self.0[0].matters)?;
        for result in &self.0 {
            let (mark, why) = mark(&result.verdict);
            write!(f, " {} |", format!("{mark} {why}").trim_end())?;
        }
        Ok(())
    }
}

fn mark(verdict: &Verdict) -> (char, &str) {
    match verdict {
        Verdict::Pass => ('✓', ""),
        Verdict::Fail(why) => ('✗', why),
        Verdict::NotApplicable(why) => ('–', why),
    }
}
