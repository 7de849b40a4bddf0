//! Runs a receiver of this folder for a test of an example.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, ErrorKind, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// Far longer than an interpreter takes to start.
const DEADLINE: Duration = Duration::from_secs(20);

/// The running interpreter. Ended when dropped.
pub(crate) struct Receiver {
    process: Child,
    pub(crate) address: String,
    pub(crate) effects_file: PathBuf,
}

impl Receiver {
    /// Starts `{name}_receiver.py`. `None` if Python or a package is missing, which is printed, and fails
    /// the test if `RECEIVERS_REQUIRED=1`.
    pub(crate) fn start(name: &str) -> Option<Self> {
        let test = thread::current().name().expect("a test").replace("::", "_");
        let file =
            |end| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{name}{end}"));
        let (effects_file, log) = (file(".jsonl"), file(".log"));
        let _ = fs::remove_file(&effects_file);
        let started = Command::new(interpreter())
            // Writes no compiled files into the source tree.
            .arg("-B")
            .arg(root().join(format!("tests/receivers/{name}_receiver.py")))
            .arg("--effects")
            .arg(&effects_file)
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn();
        let mut process = match started {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                missing(name, "there is no python3");
                return None;
            }
            started => started.unwrap(),
        };
        let printed = process.stdout.take().unwrap();
        let mut receiver = Self { process, address: String::new(), effects_file };
        let line = first_line(printed);
        if let Some(address) = line.strip_prefix("listening on ") {
            address.trim_end().clone_into(&mut receiver.address);
            return Some(receiver);
        }
        let log = fs::read_to_string(log).unwrap();
        let last = log.lines().last().unwrap_or_default();
        assert!(last.starts_with("ModuleNotFoundError"), "{name} did not start: {log}");
        missing(name, last);
        None
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The interpreter of the virtual environment `receivers/venv` in the target directory, if there is one.
fn interpreter() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("receivers/venv/bin/python");
    if python.exists() { python } else { "python3".into() }
}

/// The first line; empty if there is no line. The rest is read and dropped, because a process stops when
/// nobody reads what it prints.
fn first_line(printed: ChildStdout) -> String {
    let (first, line) = mpsc::channel();
    thread::spawn(move || {
        let mut printed = BufReader::new(printed);
        let mut line = String::new();
        let _ = printed.read_line(&mut line);
        let _ = first.send(line);
        let _ = io::copy(&mut printed, &mut io::sink());
    });
    line.recv_timeout(DEADLINE).expect("an address in time")
}

fn missing(name: &str, why: &str) {
    let is_required = std::env::var_os("RECEIVERS_REQUIRED").is_some_and(|value| value == "1");
    assert!(!is_required, "the {name} receiver is required: {why}");
    // Not `eprintln`, which is shown only when a test fails.
    let _ = writeln!(
        io::stderr(),
        "\nSKIPPED: the {name} receiver does not run: {why}; the README says what it needs\n"
    );
}
