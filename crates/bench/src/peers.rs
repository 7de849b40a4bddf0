//! Measures what people would use instead, each set up as its own docs say: under the same load, and in the
//! same trouble.

mod behaviour;
mod install;
mod served;
mod speed;

use std::{env::current_exe, fmt::Write, fs, path::Path, process::Stdio};

use http::{HeaderValue, Request, header};
use http_body_util::Full;
use serde::Serialize;
use tokio::process::Command;

pub(crate) use self::served::Served;
use self::{
    behaviour::fetch,
    install::{APPS, Installed},
};
use crate::{
    load::{Credentials, Failure, connect},
    process::Server,
    report::{Table, publish},
};

/// A server to compare with; the first is ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    name: &'static str,
    runtime: Runtime,
    /// How many sessions are opened first. Each message goes with one of them.
    sessions: u64,
}

#[derive(Clone, Copy, Debug)]
enum Runtime {
    Rust(Served),
    Python(&'static str),
    Node(&'static str),
}

const PEERS: [Peer; 9] = [
    Peer::new("tower-callback, delivery preset", Runtime::Rust(Served::Delivery)),
    Peer::new("tower-callback, dedup only", Runtime::Rust(Served::Dedup)),
    Peer::new("bare axum", Runtime::Rust(Served::Bare)),
    Peer::new("axum-idempotent, a session per user", Runtime::Rust(Served::AxumIdempotent))
        .with_sessions(USERS),
    Peer::new("axum-idempotent, one session", Runtime::Rust(Served::AxumIdempotent))
        .with_sessions(1),
    Peer::new("Tornado", Runtime::Python("tornado_app.py")),
    Peer::new("Flask, waitress", Runtime::Python("flask_app.py")),
    Peer::new("Starlette, asgi-idempotency-header", Runtime::Python("starlette_app.py")),
    Peer::new("Express, express-idempotency", Runtime::Node("express_app.js")),
];

/// Few enough that axum-idempotent's store keeps all their sessions.
const USERS: u64 = 1_000;

const SPEED: &str = "Each in one process, started as its docs say, one after the other in three \
    rounds, 32 connections over loopback, 500 B, medians; the load runs on the same cores. Python and \
    Node use one core, axum uses all. Each message's id also goes as an `Idempotency-Key`, which the \
    platform does not send. axum-idempotent remembers in sessions only, which the platform does not \
    keep either: it runs once with a session for each of 1 000 users, and once with one session for \
    the platform. The ratio is the requests/s of the delivery preset to those of the server.";

const BEHAVIOUR: &str = "How often the handler ran, as its app counts it, and the responses. The \
    handler takes 200 ms in the first and the third case, where the platform disconnects after 50 ms. \
    A callback that does not get a 200 is redelivered every 200 ms, three times.";

/// The results, and how busy the machine was before.
#[derive(Debug, Serialize)]
struct Results<'a, R> {
    load_average_before: &'a str,
    missing: Vec<(&'static str, &'a str)>,
    rows: Vec<R>,
}

pub(crate) async fn run(requests: u64, out: Option<&Path>) -> Result<(), Failure> {
    let load_average = fs::read_to_string("/proc/loadavg")?;
    let load_average = load_average.split(' ').next().unwrap_or("unknown");
    let installed = Installed::new()?;
    let (mut present, mut missing) = (Vec::new(), Vec::new());
    for peer in PEERS {
        match peer.command(&installed) {
            Ok(_) => present.push(peer),
            Err(why) => missing.push((peer.name, why)),
        }
    }
    let mut behaviour = Vec::new();
    for &peer in &present {
        eprintln!("in trouble: {}", peer.name);
        let of = |why| format!("{}: {why}", peer.name);
        behaviour.push(behaviour::measure(peer, &installed).await.map_err(of)?);
    }
    let speed = speed::measure(&present, requests, &installed).await?;

    let mut notes = format!("\n\nLoad average before: {load_average}.\n");
    for it in &behaviour {
        let _ = write!(notes, "\n* {}: {}.", it.peer, it.versions);
    }
    let with_missing = |mut table: Table| {
        for (name, why) in &missing {
            table.row([(*name).to_owned(), format!("not measured: {why}")]);
        }
        table
    };
    let missing = || missing.iter().map(|(name, why)| (*name, why.as_str())).collect();
    let table = with_missing(speed::table(&speed));
    let rows = Results { load_average_before: load_average, missing: missing(), rows: speed };
    publish("Peers by speed", &format!("{SPEED}{notes}"), &table, &rows, out)?;
    let table = with_missing(behaviour::table(&behaviour));
    let rows = Results { load_average_before: load_average, missing: missing(), rows: behaviour };
    publish("Peers by behaviour", &format!("{BEHAVIOUR}{notes}"), &table, &rows, out)
}

impl Peer {
    const fn new(name: &'static str, runtime: Runtime) -> Self {
        Self { name, runtime, sessions: 0 }
    }

    const fn with_sessions(self, sessions: u64) -> Self {
        Self { sessions, ..self }
    }

    fn command(self, installed: &Installed) -> Result<Command, String> {
        match self.runtime {
            Runtime::Rust(served) => {
                let mut command = Command::new(current_exe().map_err(|why| why.to_string())?);
                command.args(["serve-peer", &served.name()]);
                Ok(command)
            }
            Runtime::Python(app) => {
                let mut command = Command::new(installed.python.as_ref().map_err(Clone::clone)?);
                // Writes no compiled files beside the sources.
                command.arg("-B").arg(format!("{APPS}/{app}"));
                Ok(command)
            }
            Runtime::Node(app) => {
                let mut command = Command::new(installed.node.as_ref().map_err(Clone::clone)?);
                command.arg(app).current_dir(&installed.node_folder).env("NODE_ENV", "production");
                Ok(command)
            }
        }
    }

    async fn start(self, installed: &Installed) -> Result<Server, Failure> {
        Server::start(self.command(installed)?.stderr(Stdio::null())).await
    }

    async fn versions(self, server: &Server) -> Result<String, Failure> {
        Ok(String::from_utf8(fetch(server.port, "/versions").await?.into())?)
    }

    /// The id of each message as a key, and the sessions.
    async fn credentials(self, server: &Server) -> Result<Credentials, Failure> {
        let mut cookies = Vec::new();
        let (mut sender, connection) = connect(server.port).await?;
        for _ in 0..self.sessions {
            let request = Request::post("/session").header(header::HOST, "localhost");
            sender.ready().await?;
            let response = sender.send_request(request.body(Full::default())?).await?;
            let cookie = response.headers().get(header::SET_COOKIE).ok_or("no session")?;
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
            cookies.push(HeaderValue::from_str(pair)?);
        }
        connection.abort();
        Ok(Credentials { keys: true, cookies: cookies.into() })
    }
}
