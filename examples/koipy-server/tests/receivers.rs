//! The conformance suite, run on a callback server written the way koipy's documents show it, and on this
//! example. It prints the table in `docs/receivers.md`:
//!
//! ```sh
//! cargo test -p koipy-server --test receivers -- --nocapture
//! ```

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

mod app;
#[path = "../../../tests/receivers/python.rs"]
mod python;
#[path = "../../../tests/receivers/client.rs"]
mod sender;
#[path = "../../../tests/receivers/table.rs"]
mod table;

use std::{fs, path::Path, time::Duration};

use axum::http::{Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower_callback_sim::{
    Storm,
    check::{CaseResult, Suite, Verdict},
    parse, platform,
};

use self::{
    app::{Server, client},
    python::{Receiver, root},
    sender::client as sender,
    table::{Table, must_say_why},
};

/// A receiver that still reads a body by then reads it for ever.
const LATEST: Duration = Duration::from_secs(8);

/// A receiver with one spelling and without limits fails these, whatever else it does.
const BOUND_TO_FAIL: &[&str] = &[
    "as-the-bot-sends-it",
    "both-spellings",
    "every-sender",
    "absent-fields",
    "failed-test",
    "refusal-says-why",
    "picture-is-sent",
    "slow-handler",
    "failing-handler",
    "garbage",
    "stalled-body",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_the_layers_change() {
    let server = Server::start(&["--sim", "--block", "koipybot*", "--points", "1000"]);
    let aiohttp = Receiver::start("aiohttp");
    let theirs = async {
        match &aiohttp {
            Some(receiver) => Some(check(&receiver.address, &receiver.effects_file).await),
            None => None,
        }
    };
    let (ours, theirs) = tokio::join!(check(&server.address, &server.effects_file), theirs);
    for result in &ours {
        assert_eq!(result.verdict, Verdict::Pass, "{}", result.case);
    }
    must_say_why(root(), &ours);
    let Some(theirs) = theirs else { return };
    for case in BOUND_TO_FAIL {
        let result = theirs.iter().find(|result| result.case == *case).unwrap();
        assert!(matches!(result.verdict, Verdict::Fail(_)), "{case}: {:?}", result.verdict);
    }
    let table = Table::new(&["aiohttp", "`koipy-server`"], &[&theirs, &ours]);
    println!("{table}");
    table.must_be_on_the_pages(root());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_each_hook_is_clean() {
    let server = Server::start(&["--points", "1000"]);
    for hook in [
        platform::koipy::on_message(),
        platform::koipy::on_pre_send(),
        platform::koipy::on_result(),
    ] {
        let storm = Storm::new(hook).messages(100).users(10).slow_bodies(0.1).duplicates(0.3);
        let report = storm.run(sender(&server.address)).await;
        let report = report.with_effects(&server.effects(), &[]);
        assert!(report.is_clean() && report.attempts > 100, "{report}");
        assert_eq!(report.effects.as_ref().unwrap().handled, 100, "{report}");
    }
    // Duplicates are neither paid for nor counted.
    let stats = server.stats().await;
    assert_eq!((&stats["tests"], &stats["results"]), (&json!(100), &json!(100)), "{stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aiohttp_receiver_responds() {
    let Some(receiver) = Receiver::start("aiohttp") else { return };
    let message = |name: &str| json!({"message": {"id": 7, "chat": {"id": -1}, "from_user": {"username": name}}});
    let send = async |hook, body| post(&format!("http://{}/{hook}", receiver.address), &body).await;

    let welcome = send("onMessage", message("anna")).await;
    assert_eq!(welcome.status(), 200);
    assert_eq!(welcome.headers()["content-type"], "application/json");
    assert_eq!(send("onMessage", message("koipybot7")).await.status(), 403);

    let picture = send("onPreSend", message("anna")).await;
    assert_eq!(picture.status(), 403);
    assert!(picture.body().starts_with(b"\x89PNG"));

    let mut raw = message("anna");
    raw["result"] = json!({"节点名称": ["a", "b"], "HTTP延迟": [12, 34]});
    let merged: Value = serde_json::from_slice(send("onResult", raw).await.body()).unwrap();
    assert_eq!(merged["result"]["New"], json!(["new", "new"]));
    assert_eq!(merged["result"]["HTTP延迟"], json!([12, 34]));

    let effects = parse(&fs::read_to_string(&receiver.effects_file).unwrap()).unwrap();
    let ids: Vec<_> = effects.iter().filter_map(|effect| effect.id.as_deref()).collect();
    assert_eq!(ids, ["-1/7"; 4]);
}

async fn check(address: &str, effects_file: &Path) -> Vec<CaseResult> {
    let effects = async || {
        let lines = fs::read_to_string(effects_file).map_err(|error| error.to_string())?;
        parse(&lines).map(Some)
    };
    let suite = Suite::of("koipy").unwrap().response_timeout(LATEST);
    suite.run(sender(address), effects, None).await.unwrap()
}

async fn post(url: &str, body: &Value) -> Response<Bytes> {
    let request = Request::post(url).header("content-type", "application/json");
    let request = request.body(Full::from(body.to_string())).unwrap();
    let (head, body) = client().request(request).await.unwrap().into_parts();
    Response::from_parts(head, body.collect().await.unwrap().to_bytes())
}
