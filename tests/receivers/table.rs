//! What a suite says of several receivers, side by side: printed, and as it stands in the READMEs.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::{
    fmt::{self, Display},
    fs,
    path::Path,
};

use tower_callback_sim::check::{CaseResult, Verdict};

/// A column for each receiver, a row for each case.
pub(crate) struct Table<'a> {
    receivers: &'a [&'a str],
    rows: Vec<Row<'a>>,
}

/// What came of one case at each receiver.
struct Row<'a>(Vec<&'a CaseResult>);

impl<'a> Table<'a> {
    pub(crate) fn new(receivers: &'a [&'a str], results: &[&'a [CaseResult]]) -> Self {
        let of_case = |case| Row(results.iter().map(|results| &results[case]).collect());
        Self { receivers, rows: (0..results[0].len()).map(of_case).collect() }
    }

    /// Each README has the same marks in a table of the same head.
    pub(crate) fn must_stand_in_readmes(&self, root: &Path) {
        for file in ["README.md", "README.zh-CN.md"] {
            let readme = fs::read_to_string(root.join(file)).unwrap();
            let table = readme.lines().skip_while(|line| *line != self.head());
            let table: Vec<_> = table.skip(2).take_while(|line| line.starts_with('|')).collect();
            for row in &self.rows {
                assert_eq!(row.marks_in(&table), row.marks(), "{file} says something else: {row}");
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

    /// Those in the table of a README.
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
