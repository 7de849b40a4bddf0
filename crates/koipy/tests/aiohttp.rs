//! A callback server of aiohttp's, as koipy's users write them, against our sending side.
//!
//! Its responses are recorded beside this file. With aiohttp and pillow installed, this asks it
//! again: `KOIPY_PYTHON=python3 cargo test -p tower-callback-koipy --test aiohttp -- --ignored`.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::{
    env,
    process::{Child, Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::sleep,
};
use tower::{Layer, ServiceExt};
use tower_callback_action::InterpretLayer;
use tower_callback_contract::{Action, Content};
use tower_callback_koipy::OnMessage;

const ON_PRE_SEND: &str = include_str!("payloads/on_pre_send.json");
const ON_RESULT: &str = include_str!("payloads/on_result.json");

/// Path, request, and the recorded response.
fn exchanges() -> [(&'static str, String, &'static [u8]); 6] {
    let message = |username: &str| {
        json!({"message": {"id": 1, "chat": {"id": 5}, "from_user": {"id": 7, "username": username}}})
            .to_string()
    };
    [
        ("/onMessage", message("anna"), include_bytes!("aiohttp/on_message.http")),
        ("/onMessage", message("koipybot_fan"), include_bytes!("aiohttp/on_message_refused.http")),
        ("/onPreSend", ON_PRE_SEND.to_owned(), include_bytes!("aiohttp/on_pre_send.http")),
        ("/onResult", ON_RESULT.to_owned(), include_bytes!("aiohttp/on_result.http")),
        ("/text", "{}".to_owned(), include_bytes!("aiohttp/text.http")),
        ("/nothing", "{}".to_owned(), include_bytes!("aiohttp/nothing.http")),
    ]
}

/// What koipy does on each of them.
fn assert_is_expected(path: &str, request: &str, action: &Action) {
    match (path, action) {
        // An empty document; nothing at all.
        ("/onMessage", Action::Accept) if !request.contains("koipybot") => {}
        ("/nothing", Action::Accept) => {}
        ("/onMessage", Action::Refuse { text }) if request.contains("koipybot") => {
            assert_eq!(text, "你已被拉黑！");
        }
        // A picture under a status that refuses is not shown: that is the server's mistake.
        ("/onPreSend", Action::Refuse { text }) => assert_eq!(text, ""),
        ("/onResult", Action::Use(Content::Merge(document))) => {
            let document: Value = serde_json::from_slice(document).unwrap();
            assert_eq!(document["result"]["NewKey"], json!(["新增 0", "新增 1", "新增 2"]));
        }
        ("/text", Action::Use(Content::Text(text))) => assert_eq!(text, "提示"),
        (path, other) => panic!("{path}: {other:?}"),
    }
}

async fn ask(url: String, body: String) -> Action {
    let client: Client<HttpConnector, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).build_http();
    let bot = InterpretLayer::for_contract(OnMessage::new()).layer(client);
    let request = Request::post(url).header("content-type", "application/json");
    let request = request.body(Full::from(body)).unwrap();
    bot.oneshot(request).await.unwrap().into_body()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aiohttp_answered_is_read_as_koipy_reads_it() {
    for (path, body, recorded) in exchanges() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 64 * 1024];
            assert!(connection.read(&mut request).await.unwrap() > 0);
            connection.write_all(recorded).await.unwrap();
        });
        let action = ask(format!("http://{address}{path}"), body.clone()).await;
        assert_is_expected(path, &body, &action);
    }
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs python with aiohttp and pillow, named by KOIPY_PYTHON"]
async fn what_aiohttp_answers_is_read_as_koipy_reads_it() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let python = env::var("KOIPY_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let server = Command::new(python)
        .args([concat!(env!("CARGO_MANIFEST_DIR"), "/tests/aiohttp/server.py"), &port.to_string()])
        .stdout(Stdio::null())
        .spawn();
    let _server = Server(server.unwrap());
    let mut tries = 0;
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tries += 1;
        assert!(tries < 200, "the server does not come up");
        sleep(Duration::from_millis(50)).await;
    }
    for (path, body, _) in exchanges() {
        let action = ask(format!("http://127.0.0.1:{port}{path}"), body.clone()).await;
        assert_is_expected(path, &body, &action);
    }
}
