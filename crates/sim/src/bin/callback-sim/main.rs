//! A chat platform on your desk, with its worst habits. 在你桌上的聊天平台，带着它最坏的习惯。

mod check;
mod paths;
mod storm;
mod target;

use std::{
    iter::successors,
    process::ExitCode,
    slice,
    time::{Duration, SystemTime},
};

use clap::{Args, Parser, Subcommand};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_callback_sim::{Body, Event, Platform, platform};

use crate::target::Target;

/// A chat platform on your desk, with its worst habits. 模拟聊天平台的各种坏习惯，检验你的回调接收端。
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays conversations of many users: duplicates, disorder, disconnects, redeliveries. 风暴测试
    Storm(storm::Options),
    /// Runs the named cases that every receiver should pass. 合规检查
    Check(check::Options),
    /// Sends one callback and prints the response. 发送一条回调
    Trigger {
        #[command(flatten)]
        callback: Callback,
        #[command(flatten)]
        target: Target,
        /// How long to wait for the response, with a unit: 5s, 500ms. 等待响应的时间
        #[arg(long, default_value = "30s", value_parser = humantime::parse_duration)]
        timeout: Duration,
    },
    /// Prints the payload of one callback. 打印一条回调的内容
    Payload {
        #[command(flatten)]
        callback: Callback,
    },
}

/// One callback.
#[derive(Debug, Args)]
struct Callback {
    /// The platform: wulai or koipy. 平台
    platform: String,
    /// The kind of callback, such as delivery or on-message. 回调种类
    kind: String,
    /// The text of the message. 内容
    #[arg(long, default_value = "您好")]
    text: String,
    /// The user. 用户
    #[arg(long, default_value = "anna")]
    user: String,
    /// The id, a number; a new one by default. 消息 ID
    #[arg(long)]
    id: Option<u64>,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Storm(options) => storm::run(options).await,
        Command::Check(options) => check::run(options).await,
        Command::Trigger { callback, target, timeout } => {
            trigger(&callback, &target, timeout).await
        }
        Command::Payload { callback } => payload(&callback),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprint!("callback-sim: {failure}");
            let causes = successors(failure.source(), |&error| error.source());
            causes.for_each(|cause| eprint!(": {cause}"));
            eprintln!();
            ExitCode::from(2)
        }
    }
}

async fn trigger(callback: &Callback, target: &Target, timeout: Duration) -> Result<bool, Failure> {
    let platform = find(&callback.platform, &callback.kind)?;
    let request = platform.request(&callback.event(), Body::from);
    let receiver = target.service(slice::from_ref(&platform))?;
    let response = tokio::time::timeout(timeout, receiver.oneshot(request)).await;
    let response = response.map_err(|_| format!("no response within {timeout:?}"))?;
    let (head, body) = response?.into_parts();
    let body = body.collect().await?.to_bytes();
    println!("{}\n{:?}\n{}", head.status, head.headers, String::from_utf8_lossy(&body));
    let response = http::Response::from_parts(head, body);
    println!("the platform: {:?}", platform.action(&response));
    if let Some(breach) = platform.breach(&response) {
        println!("but {breach}");
    }
    Ok(platform.breach(&response).is_none())
}

fn payload(callback: &Callback) -> Result<bool, Failure> {
    let payload = find(&callback.platform, &callback.kind)?.payload(&callback.event());
    println!("{payload:#}");
    Ok(true)
}

/// All kinds of one platform.
fn kinds(platform: &str) -> Vec<Platform> {
    let is_of_it = |it: &Platform| it.name.split_once(' ').is_some_and(|(of, _)| of == platform);
    platform::all().into_iter().filter(is_of_it).collect()
}

fn find(platform: &str, kind: &str) -> Result<Platform, Failure> {
    let (name, all) = (format!("{platform} {kind}"), platform::all());
    let names: Vec<_> = all.iter().map(|platform| platform.name).collect();
    let unknown = format!("there is no `{name}`; there are {}", names.join(", "));
    all.into_iter().find(|platform| platform.name == name).ok_or_else(|| unknown.into())
}

impl Callback {
    fn event(&self) -> Event {
        let now = now_millis();
        let number = self.id.unwrap_or(now);
        Event { number, user: self.user.clone(), sent_at: now, text: self.text.clone() }
    }
}

fn now_millis() -> u64 {
    let now: Duration =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.as_millis().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_sound() {
        Cli::command().debug_assert();
    }
}
