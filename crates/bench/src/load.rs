//! The load: some connections, each with one request at a time.

use std::{
    error::Error,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use hdrhistogram::Histogram;
use http::{HeaderMap, HeaderValue, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::{
    net::TcpStream,
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep_until, timeout},
};

use crate::payload::Kind;

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

pub(crate) type Sender = SendRequest<Full<Bytes>>;

/// Which of the messages are duplicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Traffic {
    Unique,
    HalfDuplicates,
    AllDuplicates,
}

/// What to send, where, and how fast.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) port: u16,
    pub(crate) kind: Kind,
    pub(crate) traffic: Traffic,
    pub(crate) size: usize,
    pub(crate) users: u64,
    pub(crate) connections: u64,
    pub(crate) requests: u64,
    /// The number of the first message.
    pub(crate) from: u64,
    /// Requests a second; `None` for as fast as responses come.
    pub(crate) rate: Option<f64>,
    pub(crate) credentials: Credentials,
}

/// The headers of each message, for servers that do not read its body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Credentials {
    /// Whether the number of the message goes as an `Idempotency-Key`.
    pub(crate) keys: bool,
    /// The cookies, one for each user.
    pub(crate) cookies: Arc<[HeaderValue]>,
}

impl Credentials {
    pub(crate) fn put(&self, number: u64, headers: &mut HeaderMap) {
        if self.keys {
            headers.insert("idempotency-key", number.into());
        }
        if let Some(users) = NonZeroUsize::new(self.cookies.len()) {
            let user = usize::try_from(number).unwrap_or(0) % users;
            headers.insert(header::COOKIE, self.cookies[user].clone());
        }
    }
}

/// The results. Times are in microseconds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) per_second: f64,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) failed: u64,
}

/// No run takes longer.
const LONGEST: Duration = Duration::from_secs(120);

impl Traffic {
    pub(crate) const ALL: [Self; 3] = [Self::Unique, Self::HalfDuplicates, Self::AllDuplicates];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unique => "unique",
            Self::HalfDuplicates => "half duplicates",
            Self::AllDuplicates => "all duplicates",
        }
    }

    fn message(self, request: u64) -> u64 {
        match self {
            Self::Unique => request,
            Self::HalfDuplicates if request % 2 == 0 => request / 2,
            Self::HalfDuplicates => (request / 2).saturating_sub(500),
            Self::AllDuplicates => request % 100,
        }
    }
}

/// A connection, and the task that drives it.
pub(crate) async fn connect(port: u16) -> Result<(Sender, JoinHandle<hyper::Result<()>>), Failure> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    Ok((sender, tokio::spawn(connection)))
}

impl Load {
    pub(crate) async fn run(&self) -> Result<Measured, Failure> {
        let sent = Arc::new(AtomicU64::new(0));
        let start = Instant::now();
        let mut connections = JoinSet::new();
        for _ in 0..self.connections {
            connections.spawn(self.clone().connection(Arc::clone(&sent), start));
        }
        let all = async {
            let (mut took, mut failed) = (Histogram::<u64>::new(3)?, 0);
            while let Some(connection) = connections.join_next().await {
                let (its, its_failed) = connection??;
                took.add(its)?;
                failed += its_failed;
            }
            Ok::<_, Failure>((took, failed))
        };
        let (took, failed) = timeout(LONGEST, all).await??;
        #[expect(clippy::cast_precision_loss, reason = "some millions at most")]
        let per_second = took.len() as f64 / start.elapsed().as_secs_f64();
        let at = |quantile| took.value_at_quantile(quantile);
        Ok(Measured { per_second, p50: at(0.5), p99: at(0.99), p999: at(0.999), failed })
    }

    async fn connection(
        self,
        sent: Arc<AtomicU64>,
        start: Instant,
    ) -> Result<(Histogram<u64>, u64), Failure> {
        let (mut sender, connection) = connect(self.port).await?;
        let (mut took, mut failed) = (Histogram::new(3)?, 0);
        loop {
            let number = sent.fetch_add(1, Ordering::Relaxed);
            if number >= self.requests {
                break;
            }
            let due = match self.rate {
                #[expect(clippy::cast_precision_loss, reason = "some millions at most")]
                Some(rate) => {
                    let due = start + Duration::from_secs_f64(number as f64 / rate);
                    sleep_until(due).await;
                    due
                }
                None => Instant::now(),
            };
            let message = self.from + self.traffic.message(number);
            let body = self.kind.body(message, self.users, self.size);
            let mut request = Request::post(self.kind.path())
                .header(header::HOST, "localhost")
                .header(header::CONTENT_TYPE, "application/json")
                .body(Full::new(body))?;
            self.credentials.put(message, request.headers_mut());
            sender.ready().await?;
            let reply = sender.send_request(request).await?;
            failed += u64::from(reply.status() != 200);
            reply.into_body().collect().await?;
            took.record(u64::try_from(due.elapsed().as_micros())?)?;
        }
        drop(sender);
        connection.await??;
        Ok((took, failed))
    }
}
