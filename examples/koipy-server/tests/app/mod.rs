//! The binary of this example, run for a test.

#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]
#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
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

pub type Http = Client<HttpConnector, Full<Bytes>>;

pub fn client() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

pub async fn ask(client: Http, url: String, body: String) -> Action {
    let bot = InterpretLayer::for_contract(OnMessage::new()).layer(client);
    let request = axum::http::Request::post(url).body(Full::from(body)).unwrap();
    bot.oneshot(request).await.unwrap().into_body()
}

/// The server in a process of its own.
pub struct Server {
    process: Child,
    pub address: String,
}

impl Server {
    pub fn start(args: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_koipy-server"))
            .args(["--addr", "127.0.0.1:0"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let line = lines.find(|line| line.contains("/stats")).expect("the server's address");
        let address = line.split('/').nth(2).unwrap().to_owned();
        Self { process, address }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn ask(&self, path: &str, body: &str) -> Action {
        ask(client(), self.url(path), body.to_owned()).await
    }

    pub async fn stats(&self) -> Value {
        let stats = client().get(self.url("/stats").parse().unwrap()).await.unwrap();
        let body = stats.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&body).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
