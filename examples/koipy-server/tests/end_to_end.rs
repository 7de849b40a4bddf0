//! The binary, as the bot sees it: real payloads, real sockets, and a real client with the layer that a
//! bot in Rust would use.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

mod app;

use std::{
    fs,
    path::PathBuf,
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tower_callback::{Action, Content};
use tower_callback_sim::{Outcome, parse};

use self::app::{Server, ask, client};

const ON_MESSAGE: &str = include_str!("../../../crates/koipy/tests/payloads/on_message.json");
const ON_PRE_SEND: &str = include_str!("../../../crates/koipy/tests/payloads/on_pre_send.json");
const ON_RESULT: &str = include_str!("../../../crates/koipy/tests/payloads/on_result.json");

#[tokio::test(flavor = "multi_thread")]
async fn points_are_taken_once_and_survive_the_process() {
    let state = State::new();
    let args = ["--state", state.path(), "--points", "2"];
    let server = Server::start(&args);
    for (message, points) in [(1, 1), (1, 1), (2, 0), (2, 0)] {
        assert_eq!(server.ask("/onMessage", &test(message)).await, Action::Accept);
        assert_eq!(state.points(), points);
    }
    let too_few = "积分不足：测试一次需要 1 分，你还有 0 分。";
    assert_eq!(server.ask("/onMessage", &test(3)).await, refuse(too_few));
    // Killed, not stopped.
    drop(server);

    let server = Server::start(&args);
    assert_eq!(server.ask("/onMessage", &test(4)).await, refuse(too_few));
    // The process before this one has taken the points for it.
    assert_eq!(server.ask("/onMessage", &test(2)).await, Action::Accept);
    let expected = json!({"users": 1, "tests": 2, "refused": 2, "results": 0, "nodes": 0});
    assert_eq!(server.stats().await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_at_once_cost_one_test() {
    let state = State::new();
    let server = Server::start(&["--state", state.path(), "--points", "100"]);
    let asked = (0..50).map(|_| {
        let (url, client) = (server.url("/onMessage"), client());
        tokio::spawn(async move { ask(client, url, test(1)).await })
    });
    for action in asked.collect::<Vec<_>>() {
        assert_eq!(action.await.unwrap(), Action::Accept);
    }
    assert_eq!(state.points(), 99);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_fails_lets_tests_go_on_unless_it_fails_closed() {
    let state = State::new();
    // A file cannot be written where there is a folder.
    fs::create_dir(state.path().to_owned() + ".new").unwrap();
    let open = Server::start(&["--state", state.path()]);
    assert_eq!(open.ask("/onMessage", ON_MESSAGE).await, Action::Accept);
    let closed = Server::start(&["--state", state.path(), "--fail-closed"]);
    assert_eq!(closed.ask("/onMessage", ON_MESSAGE).await, refuse("Internal Server Error"));
    assert!(!state.0.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_can_have_a_back_end_of_their_own() {
    let backends = State::new();
    let tokyo = json!({"10001": {"id": "tokyo", "address": "tokyo.example.com:8765"}});
    fs::write(&backends.0, tokyo.to_string()).unwrap();
    let server = Server::start(&["--backends", backends.path()]);
    let Action::Use(Content::Merge(task)) = server.ask("/onPreSend", ON_PRE_SEND).await else {
        panic!("no document")
    };
    let mut expected: Value = serde_json::from_str(ON_PRE_SEND).unwrap();
    expected["slaveRequest"]["slave"]["id"] = json!("tokyo");
    expected["slaveRequest"]["slave"]["address"] = json!("tokyo.example.com:8765");
    assert_eq!(serde_json::from_slice::<Value>(&task).unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_gets_a_column_and_a_failure_none() {
    let server = Server::start(&[]);
    let failed = json!({"slaveRequest": {"task": {"chatID": 1, "messageID": 1}}, "result": {"error": "timeout"}});
    assert_eq!(server.ask("/onResult", &failed.to_string()).await, Action::Accept);
    let Action::Use(Content::Merge(document)) = server.ask("/onResult", ON_RESULT).await else {
        panic!("no document")
    };
    let expected = json!({"result": {"评级": ["优", "不可用", "中"]}});
    assert_eq!(serde_json::from_slice::<Value>(&document).unwrap(), expected);
    assert_eq!(server.stats().await["nodes"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_gets_a_response_that_the_bot_ignores() {
    let server = Server::start(&[]);
    for garbage in ["", "{", "[]", "{\"message\": 7}", "{\"message\": {\"id\": \"x\"}}"] {
        for hook in ["/onMessage", "/onPreSend", "/onResult"] {
            let action = server.ask(hook, garbage).await;
            assert!(matches!(action, Action::Accept), "{hook} {garbage}: {action:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_handler_has_failed_before_the_bot_stops_waiting() {
    let state = State::new();
    let args = ["--sim", "--timeout", "100ms", "--state", state.path()];
    let server = Server::start(&args);
    assert_eq!(server.ask("/onMessage", &says("#sim slow 9s")).await, Action::Accept);
    assert!(!state.0.exists(), "the points were taken for nothing");
    let closed = Server::start(&[&args[..], &["--fail-closed"]].concat());
    let refused = refuse("Gateway Timeout");
    assert_eq!(closed.ask("/onMessage", &says("#sim slow 9s")).await, refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_mode_is_off_by_default_and_announced() {
    let told = says("#sim fail once");
    let server = Server::start_with_log(&[], Stdio::piped());
    assert_eq!(server.ask("/onMessage", &told).await, Action::Accept);
    assert_eq!(server.effects()[0].outcome, Outcome::Ok);
    assert_eq!(server.get("/effects").await.0, 404);
    assert!(!server.end().contains("DEMO MODE"));

    let server = Server::start_with_log(&["--sim"], Stdio::piped());
    assert_eq!(server.ask("/onMessage", &told).await, Action::Accept);
    let (status, lines) = server.get("/effects").await;
    assert_eq!((status, parse(&lines).unwrap()), (200, server.effects()));
    assert_eq!(server.effects()[0].outcome, Outcome::Failed);
    assert!(server.end().contains("DEMO MODE"));
}

/// A server in aiohttp as koipy's documents show it, whose responses were recorded, and this server, on
/// the same requests.
#[tokio::test(flavor = "multi_thread")]
async fn it_responds_like_the_documented_server_except_for_its_mistakes() {
    let server = Server::start(&["--block", "koipybot*"]);
    let message = |username: &str| {
        json!({"message": {"id": 1, "chat": {"id": 5}, "from_user": {"id": 7, "username": username}}})
            .to_string()
    };

    // Both let the test go on: the other by an empty document under a 200, this one by a 204.
    let theirs = recorded(include_bytes!("../../../crates/koipy/tests/aiohttp/on_message.http"));
    let ours = server.ask("/onMessage", &message("anna")).await;
    assert_eq!((theirs.await, ours), (Action::Accept, Action::Accept));

    let theirs =
        recorded(include_bytes!("../../../crates/koipy/tests/aiohttp/on_message_refused.http"));
    let ours = server.ask("/onMessage", &message("koipybot_fan")).await;
    assert_eq!(theirs.await, ours);
    assert_eq!(ours, refuse("你已被拉黑！"));

    // A picture: the other sends a PNG as a JPEG under a 403, so the task is refused and no picture is
    // shown.
    let theirs = recorded(include_bytes!("../../../crates/koipy/tests/aiohttp/on_pre_send.http"));
    assert_eq!(theirs.await, refuse(""));
    let Action::Use(Content::Image { media_type, bytes }) =
        server.ask("/onPreSend", ON_PRE_SEND).await
    else {
        panic!("no picture")
    };
    assert_eq!((&*media_type, &bytes[..4]), ("image/png", &b"\x89PNG"[..]));

    // One more column: the other sends the whole document back, this one only the new column.
    let theirs = recorded(include_bytes!("../../../crates/koipy/tests/aiohttp/on_result.http"));
    let sent: Value = serde_json::from_str(ON_RESULT).unwrap();
    for (action, column) in
        [(theirs.await, "NewKey"), (server.ask("/onResult", ON_RESULT).await, "评级")]
    {
        let Action::Use(Content::Merge(document)) = action else { panic!("no document") };
        let reply: Value = serde_json::from_slice(&document).unwrap();
        // As the bot merges it.
        let mut merged = sent["result"].as_object().unwrap().clone();
        merged.extend(reply["result"].as_object().unwrap().clone());
        assert_eq!(merged[column].as_array().unwrap().len(), 3);
        merged.remove(column);
        assert_eq!(Value::Object(merged), sent["result"]);
    }
}

/// What the bot does on a recorded response.
async fn recorded(response: &'static [u8]) -> Action {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        assert!(connection.read(&mut [0; 4096]).await.unwrap() > 0);
        connection.write_all(response).await.unwrap();
    });
    ask(client(), url, "{}".to_owned()).await
}

fn test(message: u32) -> String {
    ON_MESSAGE.replace("4711", &message.to_string())
}

fn says(text: &str) -> String {
    let mut message: Value = serde_json::from_str(ON_MESSAGE).unwrap();
    message["message"]["text"] = text.into();
    message.to_string()
}

fn refuse(text: &str) -> Action {
    Action::Refuse { text: text.to_owned() }
}

/// A file that is removed after the test.
struct State(PathBuf);

impl State {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "koipy-server-{}-{}.json",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        Self(std::env::temp_dir().join(name))
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn points(&self) -> u64 {
        let book: Value = serde_json::from_slice(&fs::read(&self.0).unwrap()).unwrap();
        book["points"]["10001"].as_u64().unwrap()
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
        let _ = fs::remove_dir(self.path().to_owned() + ".new");
    }
}
