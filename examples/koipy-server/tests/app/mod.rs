//! Runs the binary of this example for a test.

#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]
#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tower::{Layer, ServiceExt};
use tower_callback::{Action, action::InterpretLayer, koipy::OnMessage};
use tower_callback_sim::{Effect, parse};

pub type Http = Client<HttpConnector, Full<Bytes>>;

pub fn client() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

pub async fn ask(client: Http, url: String, body: String) -> Action {
    let bot = InterpretLayer::for_contract(OnMessage::new()).layer(client);
    let request = axum::http::Request::post(url).body(Full::from(body)).unwrap();
    bot.oneshot(request).await.unwrap().into_body()
}

/// The server in a process of its own, which records what its handlers do.
pub struct Server {
    process: Child,
    pub address: String,
    pub effects_file: PathBuf,
}

impl Server {
    pub fn start(args: &[&str]) -> Self {
        Self::start_with_log(args, Stdio::null())
    }

    pub fn start_with_log(args: &[&str], log: Stdio) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}.jsonl", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let effects_file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut process = Command::new(env!("CARGO_BIN_EXE_koipy-server"))
            .args(["--addr", "127.0.0.1:0", "--effects"])
            .arg(&effects_file)
            .args(args)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let line = lines.find(|line| line.contains("/stats")).expect("the server's address");
        let address = line.split('/').nth(2).unwrap().to_owned();
        Self { process, address, effects_file }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn ask(&self, path: &str, body: &str) -> Action {
        ask(client(), self.url(path), body.to_owned()).await
    }

    pub async fn stats(&self) -> Value {
        let (status, body) = self.get("/stats").await;
        assert_eq!(status, 200);
        serde_json::from_str(&body).unwrap()
    }

    pub async fn get(&self, path: &str) -> (u16, String) {
        let response = client().get(self.url(path).parse().unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status.as_u16(), String::from_utf8(body.into()).unwrap())
    }

    /// What the handlers did.
    pub fn effects(&self) -> Vec<Effect> {
        parse(&fs::read_to_string(&self.effects_file).unwrap()).unwrap()
    }

    /// Ends it. Returns what it logged, if its log is piped.
    pub fn end(mut self) -> String {
        self.process.kill().unwrap();
        let mut log = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        log
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(&self.effects_file);
    }
}
