//! The binary, used wrongly.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::{
    io::{Read, Write},
    net::TcpListener,
    path::PathBuf,
    process::Command,
    thread,
};

#[test]
fn a_storm_that_gets_nowhere_says_why() {
    let nobody = format!("http://{}", nobody());
    let storm = ["storm", "wulai", "delivery", "--messages", "5", "--retry", "10ms"];
    let ran = run(&storm, &["--to", &nobody]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let flaws = ran.out.split("not clean:\n").nth(1).unwrap();
    let mut flaws = flaws.lines().map(str::trim);
    let first = flaws.next().unwrap();
    assert!(first.starts_with("nothing got through: ") && first.contains("refused"), "{ran:?}");
    assert_eq!(flaws.next(), Some("5 given up: neither accepted nor refused"));
}

#[test]
fn a_suite_ends_with_a_count_of_its_verdicts() {
    let receiver = format!("http://{}", refuses_all());
    let ran = run(&["check", "wulai", "--only", "a"], &["--to", &receiver]);
    let verdicts = ["pass", "FAIL", "n/a"]
        .map(|verdict| ran.out.lines().filter(|line| line.starts_with(verdict)).count());
    let [passed, failed, not_applicable] = verdicts;
    let sum = format!("{passed} passed, {failed} failed, {not_applicable} not applicable");
    assert_eq!(ran.out.lines().last(), Some(&*sum));
    assert!(verdicts.iter().all(|count| *count > 0), "{ran:?}");
    assert_eq!(ran.code, 1);
}

#[test]
fn a_missing_file_of_effects_is_an_error() {
    let nobody = format!("http://{}", nobody());
    let missing = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no-such-effects.jsonl");
    let to = ["--to", &*nobody, "--effects", missing.to_str().unwrap()];
    for command in [&["check", "wulai"][..], &["storm", "wulai", "delivery"]] {
        let ran = run(command, &to);
        assert_eq!((ran.code, &*ran.out), (2, ""), "{ran:?}");
        assert!(ran.err.contains("there is no file") && ran.err.contains("no-such"), "{ran:?}");
    }
}

#[test]
fn a_path_for_all_kinds_is_refused_and_one_for_each_is_taken() {
    let receiver = refuses_all();
    let (root, hook) = (format!("http://{receiver}"), format!("http://{receiver}/hook"));
    let ran = run(&["check", "koipy"], &["--to", &hook]);
    assert_eq!((ran.code, &*ran.out), (2, ""), "{ran:?}");
    assert!(ran.err.contains("--path on-message=/hook"), "{ran:?}");
    // Every response names the path of its request.
    for to in [&["--to", &*hook][..], &["--to", &root, "--path", "on-message=/hook"]] {
        let ran = run(&["trigger", "koipy", "on-message"], to);
        assert!(ran.out.contains("nothing at /hook"), "{ran:?}");
    }
}

#[test]
fn a_time_without_a_unit_is_refused_and_the_help_says_what_it_is() {
    let ran = run(&["check", "wulai"], &["--to", "http://127.0.0.1:1", "--timeout", "8"]);
    assert_eq!(ran.code, 2);
    for (command, default) in [("storm", "5s for Wulai and koipy"), ("check", "[default: 30s]")] {
        let help = run(&[command], &["--help"]).out;
        let help = help.split("--timeout").nth(1).unwrap().split("--").next().unwrap();
        assert!(help.contains("with a unit") && help.contains(default), "{command}: {help}");
    }
}

#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run(command: &[&str], more: &[&str]) -> Ran {
    let binary = env!("CARGO_BIN_EXE_callback-sim");
    let ran = Command::new(binary).args(command).args(more).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: ran.status.code().unwrap(), out: text(ran.stdout), err: text(ran.stderr) }
}

/// An address where nobody listens any more.
fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A receiver that responds to every request with 404 and the path.
fn refuses_all() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for connection in listener.incoming() {
            thread::spawn(move || {
                let (mut connection, mut head) = (connection.unwrap(), [0; 1024]);
                let read = connection.read(&mut head).unwrap_or_default();
                let head = String::from_utf8_lossy(&head[..read]);
                let body = format!("nothing at {}", head.split(' ').nth(1).unwrap_or_default());
                let _ = write!(
                    connection,
                    "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                // Reads on: otherwise the rest of the request resets the connection before the response
                // is read.
                let _ = std::io::copy(&mut connection, &mut std::io::sink());
            });
        }
    });
    address
}
