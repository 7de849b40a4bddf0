//! The conformance suite, run on receivers written the way the platform's documents and tutorials show
//! them, and on this example. It prints the table in `docs/receivers.md`:
//!
//! ```sh
//! cargo test -p wulai-chat --test receivers -- --nocapture
//! ```

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

mod app;
#[path = "../../../tests/receivers/client.rs"]
mod client;
#[path = "../../../tests/receivers/python.rs"]
mod python;
#[path = "../../../tests/receivers/table.rs"]
mod table;

use std::{fs, path::Path, time::Duration};

use futures_util::future::join_all;
use tower_callback_sim::{
    check::{CaseResult, Suite, Verdict},
    parse,
};

use self::{
    app::App,
    client::client,
    python::{Receiver, root},
    table::{Table, must_say_why},
};

/// The platform disconnects after 5 s. A receiver that still reads a body by then reads it for ever.
const LATEST: Duration = Duration::from_secs(8);

/// A receiver without ids, order and limits fails these, whatever else it does.
const BOUND_TO_FAIL: &[&str] = &[
    "duplicates-together",
    "duplicate-later",
    "disconnect-then-retry",
    "both-spellings",
    "garbage",
    "ambiguous-id",
    "too-large-body",
    "stalled-body",
    "disorder-within-200-ms",
    "error-reported-once",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_the_layers_change() {
    let app = App::start(&["--sim", "--hold", "500ms"]);
    let theirs: Vec<_> = ["tornado", "flask"].into_iter().filter_map(Receiver::start).collect();
    let checks = theirs.iter().map(|receiver| check(&receiver.address, &receiver.effects_file));
    let (ours, checked) = tokio::join!(check(&app.address, &app.effects_file), join_all(checks));
    for result in &ours {
        assert_eq!(result.verdict, Verdict::Pass, "{}", result.case);
    }
    must_say_why(root(), &ours);
    for results in &checked {
        for case in BOUND_TO_FAIL {
            let result = results.iter().find(|result| result.case == *case).unwrap();
            assert!(matches!(result.verdict, Verdict::Fail(_)), "{case}: {:?}", result.verdict);
        }
    }
    let [tornado, flask] = &*checked else { return };
    let names = ["Tornado", "Flask", "`wulai-chat`"];
    let table = Table::new(&names, &[tornado, flask, &ours]);
    println!("{table}");
    table.must_be_on_the_pages(root());
}

async fn check(address: &str, effects_file: &Path) -> Vec<CaseResult> {
    let effects = async || {
        let lines = fs::read_to_string(effects_file).map_err(|error| error.to_string())?;
        parse(&lines).map(Some)
    };
    let suite = Suite::of("wulai").unwrap().response_timeout(LATEST);
    suite.run(client(address), effects, None).await.unwrap()
}
