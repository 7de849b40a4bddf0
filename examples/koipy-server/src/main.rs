//! A callback server for koipy. koipy 回调服务器。
//!
//! Run it, and put its addresses into the bot's configuration:
//!
//! ```sh
//! cargo run -p koipy-server
//! ```
//!
//! Start reading at [`app`]: a layer for each hook, and a handler in plain terms.

mod app;
mod card;
mod grade;
mod ledger;
mod rules;

use std::{
    error::Error,
    io::{self, IsTerminal},
    path::PathBuf,
    time::Duration,
};

use clap::Parser;
use tokio::{net::TcpListener, signal, sync::oneshot, time::timeout};
use tower_callback_sim::demo::{DemoLayer, EffectsFile};
use tracing::{info, level_filters::LevelFilter, warn};
use tracing_subscriber::EnvFilter;

use crate::{
    app::{Care, OnFailure, Server},
    ledger::{Ledger, Tariff},
    rules::{Backends, Blocklist},
};

/// How long idle connections may take to close after the callbacks have ended.
const FAREWELL: Duration = Duration::from_secs(1);

/// A callback server for koipy: a blocklist, points, back ends, pictures, columns, statistics.
/// koipy 回调服务器：黑名单、积分、后端、图片、新列、统计。
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Where to listen; port 0 takes a free port and prints it. 监听地址
    #[arg(long, default_value = "127.0.0.1:8080")]
    addr: String,

    /// The file for points and statistics. Without it, they are lost when the process ends. 状态文件
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// Refuses a user: an id, a name, or the start of names and `*`. Can be repeated. 黑名单
    #[arg(long, value_name = "USER")]
    block: Vec<String>,

    /// How many points a user starts with. 初始积分
    #[arg(long, default_value_t = 10, value_name = "POINTS")]
    points: u32,

    /// How many points a test costs. 每次测试的积分
    #[arg(long, default_value_t = 1, value_name = "POINTS")]
    cost: u32,

    /// The back ends of users: a JSON object from user ids to the changed fields of the task's `slave`.
    /// 用户后端
    #[arg(long, value_name = "FILE")]
    backends: Option<PathBuf>,

    /// Refuses tests when this server fails. By default, they go on. 出错时拒绝测试
    #[arg(long)]
    fail_closed: bool,

    /// How long a handler may take before it fails; the bot waits for 5 s. 处理超时
    #[arg(long, default_value = "3s", value_parser = humantime::parse_duration)]
    timeout: Duration,

    /// How long running callbacks may take to end after Ctrl-C. 退出前的等待时间
    #[arg(long, default_value = "10s", value_parser = humantime::parse_duration)]
    grace: Duration,

    /// Appends a line of JSON to this file for every handler run. 处理记录文件
    #[arg(long, value_name = "FILE")]
    effects: Option<PathBuf>,

    /// For `callback-sim`: obeys messages such as `#sim slow 2s` and `#sim fail once`, and shows the
    /// file of --effects at /effects. 供 callback-sim 使用
    #[arg(long, requires = "effects")]
    sim: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let filter =
        EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();

    let server = args.server()?;
    let listener = TcpListener::bind(&args.addr)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", args.addr))?;
    let address = listener.local_addr()?;
    println!(
        "callbacks:\n  onMessage: http://{address}/onMessage\n  onPreSend: http://{address}/onPreSend\n  \
         onResult: http://{address}/onResult\n# statistics: http://{address}/stats"
    );
    serve(listener, &server, args.grace).await?;
    Ok(())
}

/// Serves until Ctrl-C. Then it refuses new callbacks, and lets the running ones end.
async fn serve(listener: TcpListener, server: &Server, grace: Duration) -> io::Result<()> {
    let (close, closed) = oneshot::channel::<()>();
    let serving = axum::serve(listener, app::app(server)).with_graceful_shutdown(async {
        let _ = closed.await;
    });
    let serving = tokio::spawn(serving.into_future());
    stop_signal().await?;
    drain(server, grace).await;
    drop(close);
    if timeout(FAREWELL, serving).await.is_err() {
        warn!("some connections did not close");
    }
    Ok(())
}

async fn drain(server: &Server, grace: Duration) {
    info!(?grace, "draining");
    let abandoned = server.drain(grace).await;
    info!(abandoned, "drained");
}

/// Ctrl-C, or what a service manager sends.
async fn stop_signal() -> io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    signal::ctrl_c().await
}

impl Args {
    fn server(&self) -> Result<Server, String> {
        let tariff = Tariff { start: self.points, cost: self.cost };
        let named = |what: &str, path: &PathBuf, error: &dyn Error| {
            format!("cannot read {what} {}: {error}", path.display())
        };
        let ledger = match &self.state {
            Some(path) => {
                Ledger::open(path, tariff).map_err(|error| named("the state", path, &error))?
            }
            None => Ledger::in_memory(tariff),
        };
        let backends = match &self.backends {
            Some(path) => {
                Backends::read(path).map_err(|error| named("the back ends", path, &error))?
            }
            None => Backends::default(),
        };
        Ok(Server::new(Blocklist::new(&self.block), backends, ledger, self.care()?))
    }

    fn care(&self) -> Result<Care, String> {
        let on_failure = if self.fail_closed { OnFailure::Refuse } else { OnFailure::GoOn };
        let (timeout, demo) = (self.timeout, DemoLayer::new());
        let mut care = Care { on_failure, timeout, demo, shown: None };
        let Some(path) = &self.effects else { return Ok(care) };
        let file = EffectsFile::open(path)
            .map_err(|error| format!("cannot open {}: {error}", path.display()))?;
        care.demo = care.demo.record(file.clone());
        if self.sim {
            // Not an event, so that no filter hides it.
            eprintln!(
                "DEMO MODE: everybody can make handlers slow or fail by `#sim …`, and read /effects"
            );
            care.demo = care.demo.obey("/message/text");
            care.shown = Some(file);
        }
        Ok(care)
    }
}
