use std::{io::IsTerminal, slice, time::Duration};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use tower_callback_sim::{Disorder, Storm};

use crate::{Failure, find, target::Target};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The platform: wulai or koipy. 平台
    platform: String,
    /// The kind of callback, such as delivery or on-message. 回调种类
    kind: String,
    #[command(flatten)]
    target: Target,
    /// How many messages. 消息数
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    messages: u64,
    /// To how many users they go. 用户数
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    users: u32,
    /// How many messages a second. 每秒消息数
    #[arg(long, default_value_t = 200.0, value_parser = rate)]
    rate: f64,
    /// How many messages a user gets in a row. 连发数
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    burst: u32,
    /// The share of messages that are sent twice. Default: 0.3, or 0 for a platform that redelivers
    /// nothing. 重复比例
    #[arg(long, value_parser = share)]
    duplicates: Option<f64>,
    /// The share of messages whose body arrives in two halves. 慢请求体比例
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    slow: f64,
    /// How much messages overtake each other. 乱序程度
    #[arg(long, value_enum, default_value = "jitter")]
    disorder: Spread,
    /// How long the platform waits for a response before it disconnects, with a unit: 5s, 1500ms.
    /// Default: that of its contract, 5s for Wulai and koipy. 平台超时
    #[arg(long, value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// How long the platform waits before each redelivery; after the last one it gives up. Default:
    /// 1s,2s,5s,10s,30s, or none for a platform that redelivers nothing. 重试间隔
    #[arg(long, value_delimiter = ',', value_parser = humantime::parse_duration)]
    retry: Option<Vec<Duration>>,
    /// How many requests may be under way at once. 并发数
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..))]
    at_once: u16,
    /// The same seed plays the same storm. 随机种子
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Prints the report as JSON, with the ids of what was lost, handled twice or out of order.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Spread {
    /// They arrive in order.
    None,
    /// They travel for 20 ms, some for half as long, some for three times as long.
    Jitter,
    /// The same; besides, one in a hundred takes a second longer, and one in three hundred takes five.
    HeavyTail,
}

/// Returns whether the report is clean.
pub(crate) async fn run(options: Options) -> Result<bool, Failure> {
    let platform = find(&options.platform, &options.kind)?;
    let service = options.target.service(slice::from_ref(&platform))?;
    let before = options.target.effects().await?.map_or(0, |effects| effects.len());
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new(options.messages)
    } else {
        ProgressBar::hidden()
    };
    let style = "{wide_bar} {pos}/{len} messages, {elapsed} of about {duration}";
    bar.set_style(ProgressStyle::with_template(style)?);
    let ended = bar.clone();
    let mut storm = Storm::new(platform)
        .messages(options.messages)
        .users(options.users)
        .rate(options.rate)
        .slow_bodies(options.slow)
        .disorder(match options.disorder {
            Spread::None => Disorder::None,
            Spread::Jitter => Disorder::Jitter,
            Spread::HeavyTail => Disorder::HeavyTail,
        })
        .burst(options.burst)
        .at_once(options.at_once.into())
        .seed(options.seed)
        .on_end(move || ended.inc(1));
    if let Some(timeout) = options.timeout {
        storm = storm.timeout(timeout);
    }
    if let Some(share) = options.duplicates {
        storm = storm.duplicates(share);
    }
    if let Some(retries) = options.retry {
        storm = storm.retries(retries);
    }
    let mut report = storm.run(service).await;
    bar.finish_and_clear();
    if let Some(effects) = options.target.effects().await? {
        report = report.with_effects(effects.get(before..).unwrap_or(&effects), &[]);
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    Ok(report.is_clean())
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().map_err(|_| "expected a number from 0 to 1".to_owned())?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err("expected a number from 0 to 1".to_owned())
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "expected a number above 0".to_owned())?;
    if rate > 0.0 && rate <= 100_000.0 {
        Ok(rate)
    } else {
        Err("expected a number above 0, up to 100000".to_owned())
    }
}
