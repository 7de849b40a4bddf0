//! Counts instructions, which do not depend on what else the machine does.

use std::{
    env::current_exe,
    process::{Command, Stdio},
};

use crate::load::Failure;

/// The difference between a run of many calls and a run of few contains neither start nor end.
const CALLS: [u64; 2] = [200, 1_200];

pub(crate) fn is_there() -> bool {
    let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    let is_there = version.is_ok_and(|status| status.success());
    if !is_there {
        eprintln!("no valgrind here: instructions are not counted");
    }
    is_there
}

/// The instructions of one call, with making its request.
pub(crate) fn per_call(case: &str, size: usize) -> Result<u64, Failure> {
    let [few, many] = CALLS;
    let counted = count(case, size, many)?.saturating_sub(count(case, size, few)?);
    Ok(counted / (many - few))
}

fn count(case: &str, size: usize, calls: u64) -> Result<u64, Failure> {
    let (size, calls) = (size.to_string(), calls.to_string());
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(current_exe()?)
        .args(["call", case, &size, &calls])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let count = said.lines().find_map(|line| line.split("Collected :").nth(1));
    let count = count.ok_or_else(|| format!("callgrind counted nothing: {said}"))?;
    Ok(count.trim().parse()?)
}
