//! Measures a server of each variant in a process of its own, under the same load over loopback, one after
//! the other in several rounds.

use std::env::current_exe;

use serde::Serialize;
use tokio::process::Command;

use crate::{
    load::{Credentials, Failure, Load, Measured, Traffic},
    process::{Server, Used},
    report::{Table, median},
    server::Variant,
};

const VARIANTS: [Variant; 6] = [
    Variant::Bytes,
    Variant::Json,
    Variant::Dedup,
    Variant::Delivery,
    Variant::JsonRoute,
    Variant::Route,
];

pub(crate) const ABOUT: &str = "Each variant in a process of its own, one after the other in five \
    rounds, 32 connections over loopback, 500 B, medians. The ratio is to the bare handler that reads \
    the same type by `axum::Json`. The load runs on the same cores.";

const ROUNDS: usize = 5;
const CONNECTIONS: u64 = 32;
const USERS: u64 = 10_000;

/// One variant under one kind of traffic.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    variant: Variant,
    traffic: Traffic,
    per_second: f64,
    /// To the requests a second of the handler that reads the same type by `axum::Json`.
    ratio: f64,
    /// Microseconds.
    p50: u64,
    p99: u64,
    p999: u64,
    /// At half of its own requests a second.
    p99_at_half: u64,
    cpu_seconds_per_100_000: f64,
    resident_mib: f64,
}

struct Round {
    full: Measured,
    half: Measured,
    cpu_seconds: f64,
    resident_mib: f64,
}

pub(crate) async fn run(requests: u64) -> Result<(Vec<Row>, Table), Failure> {
    let mut rounds: Vec<Vec<Round>> = Vec::new();
    rounds.resize_with(VARIANTS.len() * Traffic::ALL.len(), Vec::new);
    for round in 0..ROUNDS {
        eprintln!("round {} of {ROUNDS}", round + 1);
        for (index, rounds) in rounds.iter_mut().enumerate() {
            let (variant, traffic) = of(index);
            rounds.push(measure(variant, traffic, requests).await?);
        }
    }
    let mut rows: Vec<Row> =
        rounds.iter().enumerate().map(|(index, rounds)| row(of(index), rounds)).collect();
    for index in 0..rows.len() {
        let bare = match rows[index].variant {
            Variant::JsonRoute | Variant::Route => Variant::JsonRoute,
            _ => Variant::Json,
        };
        let traffic = rows[index].traffic;
        let bare = rows.iter().find(|row| (row.variant, row.traffic) == (bare, traffic));
        rows[index].ratio = rows[index].per_second / bare.ok_or("no bare handler")?.per_second;
    }
    let table = table(&rows);
    Ok((rows, table))
}

impl Row {
    pub(crate) fn bar(&self) -> (String, f64) {
        (format!("{}, {}", self.variant.name(), self.traffic.name()), self.per_second)
    }
}

fn of(index: usize) -> (Variant, Traffic) {
    let traffics = Traffic::ALL.len();
    (VARIANTS[index / traffics], Traffic::ALL[index % traffics])
}

async fn measure(variant: Variant, traffic: Traffic, requests: u64) -> Result<Round, Failure> {
    let mut command = Command::new(current_exe()?);
    let server = Server::start(command.args(["serve", &variant.name()])).await?;
    let load = Load {
        port: server.port,
        kind: variant.kind(),
        traffic,
        size: 500,
        users: USERS,
        connections: CONNECTIONS,
        requests: requests / 10,
        from: 1,
        rate: None,
        credentials: Credentials::default(),
    };
    load.run().await?;
    let load = Load {
        requests,
        from: if traffic == Traffic::AllDuplicates { 1 } else { 1_000_000 },
        ..load
    };
    let before = server.used()?;
    let full = load.run().await?;
    let Used { cpu_seconds, resident_mib } = server.used()?;
    let from = if traffic == Traffic::AllDuplicates { 1 } else { 10_000_000 };
    let rate = Some(full.per_second / 2.0);
    let half = Load { requests: requests / 4, from, rate, ..load }.run().await?;
    if full.failed + half.failed > 0 {
        return Err(format!("{} requests failed", full.failed + half.failed).into());
    }
    #[expect(clippy::cast_precision_loss, reason = "some millions at most")]
    let cpu_seconds = (cpu_seconds - before.cpu_seconds) * 100_000.0 / requests as f64;
    Ok(Round { full, half, cpu_seconds, resident_mib })
}

fn row((variant, traffic): (Variant, Traffic), rounds: &[Round]) -> Row {
    let of = |value: fn(&Round) -> f64| median(rounds.iter().map(value));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "microseconds")]
    #[expect(clippy::cast_precision_loss, reason = "microseconds")]
    let micros =
        |value: fn(&Round) -> u64| median(rounds.iter().map(|round| value(round) as f64)) as u64;
    let requests = of(|round| round.full.per_second);
    Row {
        variant,
        traffic,
        per_second: requests,
        ratio: 0.0,
        p50: micros(|round| round.full.p50),
        p99: micros(|round| round.full.p99),
        p999: micros(|round| round.full.p999),
        p99_at_half: micros(|round| round.half.p99),
        cpu_seconds_per_100_000: of(|round| round.cpu_seconds),
        resident_mib: of(|round| round.resident_mib),
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        "variant",
        "traffic",
        "requests/s",
        "ratio",
        "p50 µs",
        "p99 µs",
        "p99.9 µs",
        "p99 at half load",
        "CPU s / 100 000",
        "RSS MiB",
    ]);
    for row in rows {
        table.row([
            row.variant.name(),
            row.traffic.name().to_owned(),
            format!("{:.0}", row.per_second),
            format!("{:.2}", row.ratio),
            row.p50.to_string(),
            row.p99.to_string(),
            row.p999.to_string(),
            row.p99_at_half.to_string(),
            format!("{:.2}", row.cpu_seconds_per_100_000),
            format!("{:.0}", row.resident_mib),
        ]);
    }
    table
}
