//! Tables of what was measured, with the command and the machine.

use std::{fmt::Write, fs, path::Path, process::Command};

use serde::Serialize;

use crate::load::Failure;

/// A table in Markdown.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    text: String,
}

/// The machine, and the command.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    date: String,
    cpu: String,
    cores: usize,
    kernel: String,
    rustc: String,
    command: String,
}

impl Table {
    pub(crate) fn new(columns: &[&str]) -> Self {
        let mut text = String::new();
        let _ = writeln!(text, "| {} |", columns.join(" | "));
        let _ = writeln!(text, "|{}", "---|".repeat(columns.len()));
        Self { text }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<_> = cells.into_iter().collect();
        let _ = writeln!(self.text, "| {} |", cells.join(" | "));
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// Several tables, one below the other.
impl From<String> for Table {
    fn from(text: String) -> Self {
        Self { text: text.trim_end().to_owned() + "\n" }
    }
}

impl Machine {
    pub(crate) fn this() -> Self {
        let said = |command: &str, args: &[&str]| {
            let output = Command::new(command).args(args).output().ok();
            output.map_or_else(String::new, |it| {
                String::from_utf8_lossy(&it.stdout).trim().to_owned()
            })
        };
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
        let args: Vec<_> = std::env::args().skip(1).collect();
        Self {
            date: said("date", &["-u", "+%Y-%m-%d"]),
            cpu: cpu.unwrap_or("unknown").to_owned(),
            cores: std::thread::available_parallelism().map_or(0, Into::into),
            kernel: said("uname", &["-sr"]),
            rustc: said("rustc", &["--version"]),
            command: format!("cargo run --release -p bench -- {}", args.join(" ")),
        }
    }
}

/// Prints a section. With a folder, also writes it with its figures there, and into the page of the
/// folder's name.
pub(crate) fn publish(
    name: &str,
    about: &str,
    table: &Table,
    rows: &impl Serialize,
    out: Option<&Path>,
) -> Result<(), Failure> {
    let machine = Machine::this();
    let Machine { date, cpu, cores, kernel, rustc, command } = &machine;
    let section = format!(
        "## {name}\n\n{about}\n\n{}\n`{command}`, {date}: {cores} cores of {cpu}, {kernel}, {rustc}.\n",
        table.text()
    );
    println!("{section}");
    if let Some(out) = out {
        fs::create_dir_all(out)?;
        let stem = name.to_lowercase().replace(' ', "-");
        fs::write(out.join(format!("{stem}.md")), &section)?;
        let page = out.with_extension("md");
        if let Ok(text) = fs::read_to_string(&page) {
            fs::write(page, with_section(&text, name, &section))?;
        }
        let all = serde_json::json!({ "machine": machine, "rows": rows });
        fs::write(out.join(format!("{stem}.json")), serde_json::to_string_pretty(&all)?)?;
    }
    Ok(())
}

/// The page with this section in place of the one with the same name, or at the end.
fn with_section(page: &str, name: &str, section: &str) -> String {
    let Some(start) = page.find(&format!("## {name}\n")) else {
        return format!("{}\n\n{section}", page.trim_end());
    };
    let (before, old) = page.split_at(start);
    let after = old.find("\n## ").map_or("", |end| &old[end..]);
    format!("{before}{section}{after}")
}

/// The middle one; of an even number, the lower of the two.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_takes_the_place_of_its_predecessor() {
        let page = "# Page\n\n## One\n\nold\n\n## Two\n\n2\n";
        let new = with_section(page, "One", "## One\n\nnew\n");
        assert_eq!(new, "# Page\n\n## One\n\nnew\n\n## Two\n\n2\n");
        let last = with_section(&new, "Two", "## Two\n\n3\n");
        assert_eq!(last, "# Page\n\n## One\n\nnew\n\n## Two\n\n3\n");
        let more = with_section("# Page\n", "One", "## One\n");
        assert_eq!(more, "# Page\n\n## One\n");
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < f64::EPSILON);
        assert!((median([4.0, 1.0, 2.0, 3.0].into_iter()) - 2.0).abs() < f64::EPSILON);
        assert!(median(std::iter::empty()).is_nan());
    }
}
