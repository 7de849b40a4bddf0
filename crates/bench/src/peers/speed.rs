//! Measures the same load for each of them.

use serde::Serialize;

use super::{Peer, USERS, install::Installed};
use crate::{
    load::{Failure, Load, Measured, Traffic},
    payload::Kind,
    process::Used,
    report::{Table, median},
};

const ROUNDS: usize = 3;
const TRAFFICS: [Traffic; 2] = [Traffic::Unique, Traffic::AllDuplicates];

/// One server under one kind of traffic.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    peer: &'static str,
    traffic: Traffic,
    per_second: f64,
    /// Our requests a second to those of this server.
    ratio: f64,
    /// Microseconds.
    p50: u64,
    p99: u64,
    cpu_seconds_per_100_000: f64,
    resident_mib: f64,
    /// How many requests did not get a 200, at most in a round.
    refused: u64,
}

struct Round {
    full: Measured,
    cpu_seconds: f64,
    resident_mib: f64,
}

pub(crate) async fn measure(
    peers: &[Peer],
    requests: u64,
    installed: &Installed,
) -> Result<Vec<Row>, Failure> {
    let all = || peers.iter().flat_map(|&peer| TRAFFICS.map(|traffic| (peer, traffic)));
    let mut rounds: Vec<Vec<Round>> = Vec::new();
    rounds.resize_with(all().count(), Vec::new);
    for round in 0..ROUNDS {
        eprintln!("round {} of {ROUNDS}", round + 1);
        for ((peer, traffic), rounds) in all().zip(&mut rounds) {
            let measured = once(peer, traffic, requests, installed).await;
            rounds.push(measured.map_err(|why| format!("{}: {why}", peer.name))?);
        }
    }
    let mut rows: Vec<Row> =
        all().zip(&rounds).map(|((peer, traffic), rounds)| row(peer, traffic, rounds)).collect();
    let ours: Vec<_> = rows.iter().take(TRAFFICS.len()).map(|row| row.per_second).collect();
    for (row, ours) in rows.iter_mut().zip(ours.iter().cycle()) {
        row.ratio = ours / row.per_second;
    }
    Ok(rows)
}

async fn once(
    peer: Peer,
    traffic: Traffic,
    requests: u64,
    installed: &Installed,
) -> Result<Round, Failure> {
    let server = peer.start(installed).await?;
    let load = Load {
        port: server.port,
        kind: Kind::Delivery,
        traffic,
        size: 500,
        users: USERS,
        connections: 32,
        requests: requests / 10,
        from: 1,
        rate: None,
        credentials: peer.credentials(&server).await?,
    };
    load.run().await?;
    let before = server.used()?;
    let from = if traffic == Traffic::AllDuplicates { 1 } else { 1_000_000 };
    let full = Load { requests, from, ..load }.run().await?;
    let Used { cpu_seconds, resident_mib } = server.used()?;
    #[expect(clippy::cast_precision_loss, reason = "some millions at most")]
    let cpu_seconds = (cpu_seconds - before.cpu_seconds) * 100_000.0 / requests as f64;
    Ok(Round { full, cpu_seconds, resident_mib })
}

fn row(peer: Peer, traffic: Traffic, rounds: &[Round]) -> Row {
    let of = |value: fn(&Round) -> f64| median(rounds.iter().map(value));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "microseconds")]
    #[expect(clippy::cast_precision_loss, reason = "microseconds")]
    let micros =
        |value: fn(&Round) -> u64| median(rounds.iter().map(|round| value(round) as f64)) as u64;
    Row {
        peer: peer.name,
        traffic,
        per_second: of(|round| round.full.per_second),
        ratio: f64::NAN,
        p50: micros(|round| round.full.p50),
        p99: micros(|round| round.full.p99),
        cpu_seconds_per_100_000: of(|round| round.cpu_seconds),
        resident_mib: of(|round| round.resident_mib),
        refused: rounds.iter().map(|round| round.full.failed).max().unwrap_or(0),
    }
}

pub(crate) fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        "server",
        "traffic",
        "requests/s",
        "ratio",
        "p50 µs",
        "p99 µs",
        "CPU s / 100 000",
        "RSS MiB",
        "refused",
    ]);
    for row in rows {
        table.row([
            row.peer.to_owned(),
            row.traffic.name().to_owned(),
            format!("{:.0}", row.per_second),
            format!("{:.1}", row.ratio),
            row.p50.to_string(),
            row.p99.to_string(),
            format!("{:.2}", row.cpu_seconds_per_100_000),
            format!("{:.0}", row.resident_mib),
            row.refused.to_string(),
        ]);
    }
    table
}
