//! The conformance suite, run against receivers written the way the platforms' documents and
//! tutorials show them, and against this example. The table it prints stands in the README:
//!
//! ```sh
//! cargo test -p wulai-chat --test receivers -- --nocapture
//! ```

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

mod app;
mod python;

use std::{
    fmt::{self, Display},
    fs,
    path::Path,
    time::Duration,
};

use axum::{body::Body, http::Request};
use futures_util::future::join_all;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tokio::time::timeout;
use tower_callback_sim::{
    check::{CaseResult, Suite, Verdict},
    parse,
};

use self::{
    app::{App, PATIENCE, Reply, client},
    python::{Receiver, root},
};

/// The platform hangs up after 5 s: a receiver that still reads a body by now reads it for ever.
const LATEST: Duration = Duration::from_secs(8);

/// Who knows no ids, no order and no limits fails these, whatever else it does.
const BOUND_TO_FAIL: &[&str] = &[
    "copies-together",
    "copy-later",
    "hang-up-then-retry",
    "both-spellings",
    "garbage",
    "ambiguous-id",
    "too-large-body",
    "stalled-body",
    "disorder-within-200-ms",
    "error-reported-once",
];

/// What came of one case at each receiver.
struct Row<'a>([&'a CaseResult; 3]);

#[tokio::test(flavor = "multi_thread")]
async fn what_the_layers_change() {
    let app = App::start(&["--sim", "--hold", "500ms"]);
    let theirs: Vec<_> = ["tornado", "flask"].into_iter().filter_map(Receiver::start).collect();
    let checks = theirs.iter().map(|receiver| check(&receiver.address, &receiver.effects_file));
    let (ours, checked) = tokio::join!(check(&app.address, &app.effects_file), join_all(checks));
    for result in &ours {
        assert_eq!(result.verdict, Verdict::Pass, "{}", result.case);
    }
    for results in &checked {
        for case in BOUND_TO_FAIL {
            let result = results.iter().find(|result| result.case == *case).unwrap();
            assert!(matches!(result.verdict, Verdict::Fail(_)), "{case}: {:?}", result.verdict);
        }
    }
    let [tornado, flask] = &*checked else { return };
    println!("| | Tornado | Flask | `wulai-chat` |\n|---|---|---|---|");
    let cases = tornado.iter().zip(flask).zip(&ours);
    let rows: Vec<_> = cases.map(|((one, two), ours)| Row([one, two, ours])).collect();
    for row in &rows {
        println!("{row}");
    }
    for file in ["README.md", "README.zh-CN.md"] {
        let readme = fs::read_to_string(root().join(file)).unwrap();
        for row in &rows {
            assert_eq!(row.marks_in(&readme), row.marks(), "{file} says something else: {row}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_koipy_receiver_answers() {
    let Some(receiver) = Receiver::start("aiohttp") else { return };
    let message = |name: &str| json!({"message": {"id": 7, "chat": {"id": -1}, "from_user": {"username": name}}});
    let send = async |hook, body| post(&format!("http://{}/{hook}", receiver.address), &body).await;

    let welcome = send("onMessage", message("anna")).await;
    assert_eq!(welcome.status, 200);
    assert_eq!(welcome.headers["content-type"], "application/json");
    assert_eq!(send("onMessage", message("koipybot7")).await.status, 403);

    let picture = send("onPreSend", message("anna")).await;
    assert_eq!(picture.status, 403);
    assert!(picture.body.starts_with(b"\x89PNG"));

    let mut raw = message("anna");
    raw["result"] = json!({"节点名称": ["a", "b"], "HTTP延迟": [12, 34]});
    let merged: Value = serde_json::from_slice(&send("onResult", raw).await.body).unwrap();
    assert_eq!(merged["result"]["New"], json!(["new", "new"]));
    assert_eq!(merged["result"]["HTTP延迟"], json!([12, 34]));

    let effects = parse(&fs::read_to_string(&receiver.effects_file).unwrap()).unwrap();
    let ids: Vec<_> = effects.iter().filter_map(|effect| effect.id.as_deref()).collect();
    assert_eq!(ids, ["onMessage/-1/7", "onMessage/-1/7", "onPreSend/-1/7", "onResult/-1/7"]);
}

async fn check(address: &str, effects_file: &Path) -> Vec<CaseResult> {
    let effects = async || {
        let lines = fs::read_to_string(effects_file).map_err(|error| error.to_string())?;
        parse(&lines).map(Some)
    };
    let suite = Suite::of("wulai").unwrap().patience(LATEST);
    suite.run(client(address), effects, None).await.unwrap()
}

async fn post(url: &str, body: &Value) -> Reply {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::post(url).header("content-type", "application/json");
    let reply = client.request(request.body(Body::from(body.to_string())).unwrap());
    Reply::of(timeout(PATIENCE, reply).await.expect("in time").unwrap()).await
}

impl Row<'_> {
    fn marks(&self) -> Vec<char> {
        self.0.iter().map(|result| mark(&result.verdict).0).collect()
    }

    /// Those in the table of a README.
    fn marks_in(&self, readme: &str) -> Vec<char> {
        let start = format!("| `{}`", self.0[0].case);
        let row = readme.lines().find(|line| line.starts_with(&start)).unwrap_or_default();
        row.split('|').skip(2).filter_map(|cell| cell.trim().chars().next()).collect()
    }
}

impl Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| `{}` {} |", self.0[0].case, self.0[0].matters)?;
        for result in self.0 {
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
