//! A chat page fed by Wulai's callbacks. 由吾来回调驱动的聊天页面。
//!
//! Run it, open the page that it names, and paste the `curl` lines that it prints:
//!
//! ```sh
//! cargo run -p wulai-chat
//! ```
//!
//! Start reading at [`app`]: an app has to do no more than that.

mod app;
mod hub;
mod message;
mod page;
mod route;
mod trials;
mod welcome;
mod ws;

use std::{
    error::Error,
    io::{self, IsTerminal},
    num::NonZeroU64,
    path::PathBuf,
    time::Duration,
};

use clap::Parser;
use tokio::{net::TcpListener, signal, sync::oneshot, time::timeout};
use tower_callback::order::Hold;
use tower_callback_sim::demo::{DemoLayer, EffectsFile};
use tracing::{info, level_filters::LevelFilter, warn};
use tracing_subscriber::EnvFilter;

use crate::{app::Chat, trials::Trials};

/// How long browsers and idle connections may take to close after the callbacks have ended.
const FAREWELL: Duration = Duration::from_secs(1);

/// A chat page fed by Wulai's callbacks. 由吾来回调驱动的聊天页面。
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Where to listen; port 0 takes a free port and prints it. 监听地址
    #[arg(long, default_value = "127.0.0.1:3000")]
    addr: String,

    /// How long running callbacks may take to end after Ctrl-C. 退出前的等待时间
    #[arg(long, default_value = "10s", value_parser = humantime::parse_duration)]
    grace: Duration,

    /// How long each message is held, so that one sent before it can go first. Default: no longer than the
    /// traffic needs. 排序等待时间，默认自适应
    #[arg(long, value_parser = humantime::parse_duration)]
    hold: Option<Duration>,

    /// Makes every handler take this long, such as 2s or 250ms. 处理延时
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration)]
    delay: Duration,

    /// Makes every N-th handler run respond with 500. 每 N 次处理失败一次
    #[arg(long, value_name = "N")]
    fail_every: Option<NonZeroU64>,

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

    let chat = Chat::new(args.trials()?, args.hold.map_or_else(Hold::default, Hold::fixed));
    let listener = TcpListener::bind(&args.addr)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", args.addr))?;
    println!("{}", welcome::text(listener.local_addr()?));

    serve(listener, &chat, args.grace).await?;
    Ok(())
}

/// Serves until Ctrl-C. Then it refuses new callbacks with 503, and lets the running ones end.
async fn serve(listener: TcpListener, chat: &Chat, grace: Duration) -> io::Result<()> {
    let (close, closed) = oneshot::channel::<()>();
    let server = axum::serve(listener, app::app(chat)).with_graceful_shutdown(async {
        let _ = closed.await;
    });
    let server = tokio::spawn(server.into_future());

    stop_signal().await?;
    info!(?grace, "draining; a second signal stops at once");
    if !drain(chat, grace).await? {
        return Ok(());
    }
    drop(close);
    let farewell = async { tokio::join!(server, chat.close_browsers()) };
    if timeout(FAREWELL, farewell).await.is_err() {
        warn!("some connections did not close");
    }
    Ok(())
}

/// Returns whether it waited for the running callbacks, and was not stopped by a second signal.
async fn drain(chat: &Chat, grace: Duration) -> io::Result<bool> {
    let abandoned = tokio::select! {
        abandoned = chat.drain(grace) => Some(abandoned),
        stopped = stop_signal() => stopped.map(|()| None)?,
    };
    if let Some(abandoned) = abandoned {
        info!(abandoned, "drained");
    } else {
        warn!("stopped at once");
    }
    Ok(abandoned.is_some())
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
    fn trials(&self) -> Result<Trials, String> {
        let (delay, fail_every) = (self.delay, self.fail_every);
        let mut trials = Trials { delay, fail_every, ..Trials::default() };
        let Some(path) = &self.effects else { return Ok(trials) };
        let file = EffectsFile::open(path)
            .map_err(|error| format!("cannot open {}: {error}", path.display()))?;
        trials.demo = DemoLayer::new().record(file.clone());
        if self.sim {
            // Not an event, so that no filter hides it.
            eprintln!(
                "DEMO MODE: everybody can make handlers slow or fail by `#sim …`, and read /effects"
            );
            trials.demo = trials.demo.obey("/msg_body/text/content");
            trials.shown = Some(file);
        }
        Ok(trials)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_sound_and_durations_have_units() {
        let args = Args::parse_from(["wulai-chat", "--delay", "250ms", "--fail-every", "3"]);
        assert_eq!(args.delay, Duration::from_millis(250));
        assert_eq!(args.grace, Duration::from_secs(10));
        assert_eq!(args.addr, "127.0.0.1:3000");
        for wrong in [["--delay", "2"], ["--fail-every", "0"]] {
            let args = ["wulai-chat"].into_iter().chain(wrong);
            assert!(Args::try_parse_from(args).is_err(), "{wrong:?}");
        }
    }
}
