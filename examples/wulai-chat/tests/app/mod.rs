//! Runs the binary of this example for a test.

#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]
#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::time::timeout;

/// Far longer than anything here takes.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The running binary. Ended when dropped.
pub struct App {
    pub process: Child,
    // Stays open, because the app prints more than we read.
    _printed: BufReader<ChildStdout>,
    pub address: String,
    pub effects_file: PathBuf,
    pub client: Client<HttpConnector, Body>,
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl App {
    pub fn start(args: &[&str]) -> Self {
        let name = std::thread::current().name().expect("a test").replace("::", "_");
        let effects = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.jsonl"));
        let _ = std::fs::remove_file(&effects);
        Self::start_at("127.0.0.1:0", effects, args, Stdio::null())
    }

    /// With a pipe for its log, which must be read: otherwise the app stops when it is full.
    pub fn start_with_log(args: &[&str]) -> Self {
        let effects = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("log.jsonl");
        Self::start_at("127.0.0.1:0", effects, args, Stdio::piped())
    }

    /// Kills it, and starts it again at the same address.
    pub fn kill_and_restart(&mut self, args: &[&str]) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        *self = Self::start_at(&self.address, self.effects_file.clone(), args, Stdio::null());
    }

    fn start_at(address: &str, effects: PathBuf, args: &[&str], log: Stdio) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_wulai-chat"))
            .args(["--addr", address, "--effects"])
            .arg(&effects)
            .args(args)
            .env("RUST_LOG", "wulai_chat=debug")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut printed = BufReader::new(process.stdout.take().unwrap());
        printed.read_line(&mut line).unwrap();
        let address = line.split_whitespace().nth(2).expect("an address").to_owned();
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { process, _printed: printed, address, effects_file: effects, client }
    }

    pub fn request(&self, path: &str, body: &str) -> Request<Body> {
        Request::post(format!("http://{}{path}", self.address))
            .header("content-type", "application/json")
            .body(Body::from(body.to_owned()))
            .unwrap()
    }

    pub async fn post(&self, path: &str, body: &str) -> Reply {
        let reply = self.client.request(self.request(path, body));
        Reply::of(timeout(DEADLINE, reply).await.expect("in time").unwrap()).await
    }

    /// What the handlers did.
    pub fn effects(&self) -> Vec<Value> {
        self.effects_text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The lines of the file.
    pub fn effects_text(&self) -> String {
        std::fs::read_to_string(&self.effects_file).unwrap_or_default()
    }
}

impl Reply {
    pub async fn of<B>(response: axum::http::Response<B>) -> Self
    where
        B: axum::body::HttpBody<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
    {
        let (head, body) = response.into_parts();
        let body = to_bytes(Body::new(body), 1024 * 1024).await.unwrap();
        Self { status: head.status, headers: head.headers, body }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
