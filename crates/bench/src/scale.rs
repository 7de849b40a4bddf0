//! Measures how the cost of a callback grows.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::{join, join_all};
use http::{Request, Response};
use http_body_util::Full;
use serde::Serialize;
use tokio::{process::Command, sync::Notify, time::Instant};
use tower::{Layer, ServiceExt, service_fn};
use tower_callback::{Buffered, dedup::MemoryStore, wulai::WulaiLayer};

use crate::{
    load::{Credentials, Failure, Load, Traffic},
    payload::Kind,
    process::Server,
    report::{Table, median},
    server::Variant,
};

pub(crate) const ABOUT: &str = "`WulaiLayer::delivery()` around a handler that is always ready, \
    500 B, in process: first deliveries, by how many ids are remembered, and by how many users they go \
    to; duplicates that join one run, by how many there are; and requests a second over loopback, by \
    connections. Flat is good.";

/// One size of something.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) size: u64,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
}

const SIZE: usize = 500;
const CALLS: u64 = 5_000;
const ROUNDS: u64 = 5;

pub(crate) async fn run() -> Result<(Vec<Row>, Table), Failure> {
    let mut rows = Vec::new();
    remembered(&mut rows).await?;
    for users in [100, 1_000, 10_000, 100_000, 1_000_000] {
        let value = conversations(users).await?;
        rows.push(Row { what: "conversations", size: users, value, unit: "ns each" });
    }
    for deliveries in [1, 10, 100, 1_000, 10_000] {
        let value = joined(deliveries).await?;
        rows.push(Row { what: "deliveries of one id", size: deliveries, value, unit: "ns each" });
    }
    for connections in [1, 4, 16, 64] {
        let value = requests(connections).await?;
        rows.push(Row { what: "connections", size: connections, value, unit: "requests/s" });
    }
    let mut tables = String::new();
    for group in rows.chunk_by(|one, other| one.what == other.what) {
        let mut table = Table::new(&[group[0].what, group[0].unit]);
        for Row { size, value, .. } in group {
            table.row([size.to_string(), format!("{value:.0}")]);
        }
        tables.push_str(table.text());
        tables.push('\n');
    }
    Ok((rows, tables.into()))
}

type Req = Request<Full<Bytes>>;

fn message(number: u64, users: u64) -> Result<Req, Failure> {
    let body = Full::new(Kind::Delivery.body(number, users, SIZE));
    Ok(Request::post(Kind::Delivery.path()).body(body)?)
}

/// First deliveries, by how many ids are remembered already.
async fn remembered(rows: &mut Vec<Row>) -> Result<(), Failure> {
    let layer = WulaiLayer::delivery().with_store(MemoryStore::with_budget(u64::MAX));
    let service = layer.layer(service_fn(handle));
    let mut number = 0;
    for size in [1_000, 10_000, 100_000, 1_000_000, 10_000_000] {
        while number < size {
            number += 1;
            service.clone().oneshot(message(number, 1_000)?).await?;
        }
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            rounds.push(timed(&service, number + 1, 1_000).await?);
            number += CALLS;
        }
        let value = median(rounds.into_iter());
        rows.push(Row { what: "remembered ids", size, value, unit: "ns each" });
    }
    Ok(())
}

/// First deliveries, by how many users they go to, all of whom are known already.
async fn conversations(users: u64) -> Result<f64, Failure> {
    let service = WulaiLayer::delivery().layer(service_fn(handle));
    for number in 0..users {
        service.clone().oneshot(message(number, users)?).await?;
    }
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        rounds.push(timed(&service, users + round * CALLS, users).await?);
    }
    Ok(median(rounds.into_iter()))
}

async fn timed<S>(service: &S, from: u64, users: u64) -> Result<f64, Failure>
where
    S: tower::Service<Req, Error = Infallible> + Clone,
{
    let requests: Vec<_> =
        (from..from + CALLS).map(|number| message(number, users)).collect::<Result<_, _>>()?;
    let start = Instant::now();
    for request in requests {
        service.clone().oneshot(request).await?;
    }
    Ok(nanos_each(start.elapsed(), CALLS))
}

/// Several deliveries of one id, which all come while the first one runs.
async fn joined(deliveries: u64) -> Result<f64, Failure> {
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let gate = Arc::new(Notify::new());
        let closed = Arc::clone(&gate);
        let slow = service_fn(move |request: Request<Buffered<Full<Bytes>>>| {
            let closed = Arc::clone(&closed);
            async move {
                closed.notified().await;
                handle(request).await
            }
        });
        let layer = WulaiLayer::delivery()
            .dedup(|dedup| dedup.max_waiters(usize::try_from(deliveries).unwrap_or(usize::MAX)));
        let service = layer.layer(slow);
        let all: Vec<_> = (0..deliveries)
            .map(|_| Ok(service.clone().oneshot(message(round, 1)?)))
            .collect::<Result<_, Failure>>()?;
        let start = Instant::now();
        // All have come before the run ends.
        let (replies, ()) = join(join_all(all), async { gate.notify_one() }).await;
        let took = start.elapsed();
        if replies.iter().any(|reply| !matches!(reply, Ok(reply) if reply.status() == 200)) {
            return Err("a duplicate was refused".into());
        }
        rounds.push(nanos_each(took, deliveries));
    }
    Ok(median(rounds.into_iter()))
}

async fn requests(connections: u64) -> Result<f64, Failure> {
    let mut rounds = Vec::new();
    for _ in 0..3 {
        let mut command = Command::new(std::env::current_exe()?);
        let server = Server::start(command.args(["serve", &Variant::Delivery.name()])).await?;
        let load = Load {
            port: server.port,
            kind: Kind::Delivery,
            traffic: Traffic::Unique,
            size: SIZE,
            users: 10_000,
            connections,
            requests: 20_000,
            from: 1,
            rate: None,
            credentials: Credentials::default(),
        };
        rounds.push(load.run().await?.per_second);
    }
    Ok(median(rounds.into_iter()))
}

async fn handle(_: Request<Buffered<Full<Bytes>>>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("success")))
}

#[expect(clippy::cast_precision_loss, reason = "some thousands")]
fn nanos_each(took: Duration, calls: u64) -> f64 {
    took.as_nanos() as f64 / calls as f64
}
