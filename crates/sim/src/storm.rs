use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};
use tower::{Service, ServiceExt};
use tower_callback_contract::Action;

use crate::{
    Body, Disorder, Event, Platform, Report, cause,
    plan::{Send as Sending, Settings},
    report::{Fate, Tally},
};

/// A platform on a bad day: many users, messages that overtake each other, duplicates, slow bodies,
/// disconnects, and redeliveries of what was not accepted.
///
/// It drives any tower service, in virtual time on tokio's paused clock, or in real time. The same seed
/// plays the same storm.
#[derive(Clone)]
pub struct Storm {
    platform: Platform,
    settings: Settings,
    timeout: Duration,
    retries: Vec<Duration>,
    at_once: usize,
    on_end: Arc<dyn Fn() + Send + Sync>,
}

/// A storm that runs.
struct Run {
    storm: Storm,
    /// The start, in milliseconds since the Unix epoch.
    epoch: u64,
    said: Vec<crate::plan::Said>,
    tally: Mutex<Tally>,
    slots: Semaphore,
}

/// What the platform does after an attempt.
enum Next {
    End(Fate),
    Redeliver { after: Duration },
}

/// The most that is read of a response.
const RESPONSE: usize = 1024 * 1024;

/// How long the second half of a slow body takes to arrive.
const PAUSE: Duration = Duration::from_millis(300);

// ===== impl Storm =====

impl Storm {
    /// A storm of 1 000 messages to 100 users, 200 a second in bursts of five, with jitter. If the
    /// platform redelivers callbacks, 30 % of the messages are sent twice.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        let settings = Settings {
            messages: 1_000,
            users: 100,
            rate: 200.0,
            burst: 5,
            duplicates: if platform.redelivers() { 0.3 } else { 0.0 },
            disorder: Disorder::Jitter,
            slow: 0.0,
            seed: 1,
        };
        let timeout = platform.timeout();
        let retries: &[u64] = if platform.redelivers() { &[1, 2, 5, 10, 30] } else { &[] };
        let retries = retries.iter().copied().map(Duration::from_secs).collect();
        Self { platform, settings, timeout, retries, at_once: 1_000, on_end: Arc::new(|| ()) }
    }

    /// Sets how many messages are sent.
    #[must_use]
    pub fn messages(mut self, messages: u64) -> Self {
        self.settings.messages = messages;
        self
    }

    /// Sets to how many users they are sent.
    ///
    /// # Panics
    /// If it is zero.
    #[must_use]
    pub fn users(mut self, users: u32) -> Self {
        assert!(users > 0, "nobody to send to");
        self.settings.users = users;
        self
    }

    /// Sets how many messages are sent a second.
    ///
    /// # Panics
    /// If it is not a number above zero.
    #[must_use]
    pub fn rate(mut self, rate: f64) -> Self {
        assert!(rate.is_finite() && rate > 0.0, "{rate} is not a rate");
        self.settings.rate = rate;
        self
    }

    /// Sets how many messages a user gets in a row, about 300 ms apart. Default: 5.
    ///
    /// # Panics
    /// If it is zero.
    #[must_use]
    pub fn burst(mut self, messages: u32) -> Self {
        assert!(messages > 0, "nothing in a burst");
        self.settings.burst = messages;
        self
    }

    /// Sets the share of messages that are sent twice, whatever the response. Default: 0.3, or 0 for a
    /// platform that redelivers nothing.
    ///
    /// # Panics
    /// If it is not from 0 to 1.
    #[must_use]
    pub fn duplicates(mut self, share: f64) -> Self {
        self.settings.duplicates = checked(share);
        self
    }

    /// Sets how much messages overtake each other.
    #[must_use]
    pub fn disorder(mut self, disorder: Disorder) -> Self {
        self.settings.disorder = disorder;
        self
    }

    /// Sets the share of messages whose body arrives in two halves.
    ///
    /// # Panics
    /// If it is not from 0 to 1.
    #[must_use]
    pub fn slow_bodies(mut self, share: f64) -> Self {
        self.settings.slow = checked(share);
        self
    }

    /// Sets how long the platform waits before it disconnects. Default: the timeout of its contract.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how long the platform waits before each redelivery of what was not accepted; after the last
    /// one, it gives up. Default: 1, 2, 5, 10 and 30 seconds; none for a platform that redelivers nothing.
    #[must_use]
    pub fn retries(mut self, retries: impl Into<Vec<Duration>>) -> Self {
        self.retries = retries.into();
        self
    }

    /// Sets how many requests may be under way at once. Default: 1 000.
    #[must_use]
    pub fn at_once(mut self, requests: usize) -> Self {
        self.at_once = requests.max(1);
        self
    }

    /// Sets the seed. Another seed plays another storm.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// Calls a function whenever the platform is done with a message.
    #[must_use]
    pub fn on_end(mut self, done: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_end = Arc::new(done);
        self
    }

    /// Plays the storm to a service.
    ///
    /// # Panics
    /// If the function given to [`on_end`](Self::on_end) panics.
    pub async fn run<S, B>(self, service: S) -> Report
    where
        S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
            + Clone
            + Send
            + 'static,
        B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        // Read first: planning takes time, which a paused clock does not count.
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let epoch = since_epoch.unwrap_or_default().as_millis().try_into().unwrap_or(0);
        let (said, sends) = self.settings.plan();
        let (tally, slots) = (Mutex::new(Tally::new(said.len())), Semaphore::new(self.at_once));
        let run = Arc::new(Run { storm: self, epoch, said, tally, slots });
        let start = Instant::now();
        let mut sending = JoinSet::new();
        for send in sends {
            sleep_until(start + send.at).await;
            sending.spawn(deliver(Arc::clone(&run), service.clone(), send));
            while sending.try_join_next().is_some() {}
        }
        while sending.join_next().await.is_some() {}
        let Run { storm, epoch, said, tally, .. } =
            Arc::into_inner(run).expect("every task has ended");
        let envelopes = (0..said.len())
            .map(|message| storm.platform.envelope(&event(epoch, &said, &storm, message)));
        let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (name, settings) = (storm.platform.name, storm.settings.clone());
        tally.report(name, settings, envelopes)
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn checked(share: f64) -> f64 {
    assert!((0.0..=1.0).contains(&share), "{share} is not a share");
    share
}

/// The message of this number. Two storms share no number unless they begin in the same millisecond.
fn event(epoch: u64, said: &[crate::plan::Said], storm: &Storm, message: usize) -> Event {
    let said = &said[message];
    let after = u64::try_from(said.at.as_millis()).unwrap_or(u64::MAX);
    Event {
        number: epoch % 10_000_000_000 * 10_000_000 + message as u64,
        user: format!("user-{}-{}", storm.settings.seed, said.user),
        sent_at: epoch + after,
        text: format!("message {message}"),
    }
}

/// Sends a message, and redelivers it until it is accepted.
async fn deliver<S, B>(run: Arc<Run>, service: S, send: Sending)
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send> + Clone,
    B: http_body::Body<Error: Into<BoxError>>,
{
    let event = event(run.epoch, &run.said, &run.storm, send.message);
    let mut waits = run.storm.retries.iter();
    loop {
        let next = attempt(&run, service.clone(), &event, send.is_slow).await;
        let fate = match (next, send.is_duplicate) {
            (Next::End(fate), _) => fate,
            (Next::Redeliver { .. }, true) => return,
            (Next::Redeliver { after }, false) => match waits.next() {
                Some(wait) => {
                    sleep(after.max(*wait)).await;
                    continue;
                }
                None => Fate::GivenUp,
            },
        };
        run.tally().end(send.message, fate);
        if !send.is_duplicate {
            (run.storm.on_end)();
        }
        return;
    }
}

async fn attempt<S, B>(run: &Run, service: S, event: &Event, is_slow: bool) -> Next
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
    B: http_body::Body<Error: Into<BoxError>>,
{
    let _slot = run.slots.acquire().await.expect("nobody closes it");
    run.tally().attempts += 1;
    let platform = &run.storm.platform;
    let body = |bytes| if is_slow { Body::slow(bytes, PAUSE) } else { Body::from(bytes) };
    let request = platform.request(event, body);
    let start = Instant::now();
    let response = async {
        let (head, body) = service.oneshot(request).await.map_err(Into::into)?.into_parts();
        let body = Limited::new(body, RESPONSE).collect().await?.to_bytes();
        Ok::<_, BoxError>(Response::from_parts(head, body))
    };
    // A handler that panics breaks its connection, as it would behind a server.
    let response = AssertUnwindSafe(timeout(run.storm.timeout, response)).catch_unwind().await;
    let response: Response<Bytes> = match response {
        Ok(Ok(Ok(response))) => response,
        Ok(Err(_)) => {
            run.tally().disconnects += 1;
            return Next::Redeliver { after: Duration::ZERO };
        }
        Ok(Ok(Err(error))) => {
            run.tally().broke(|| cause::in_words(&*error));
            return Next::Redeliver { after: Duration::ZERO };
        }
        Err(_) => {
            run.tally().broke(|| "the receiver panicked".to_owned());
            return Next::Redeliver { after: Duration::ZERO };
        }
    };
    let mut tally = run.tally();
    tally.responded(response.status().as_u16(), start.elapsed());
    if let Some(breach) = platform.breach(&response) {
        *tally.breaches.entry(breach).or_default() += 1;
    }
    match platform.action(&response) {
        Action::Retry { after } => Next::Redeliver { after: after.unwrap_or_default() },
        Action::Refuse { .. } => Next::End(Fate::Refused),
        _ => Next::End(Fate::Accepted),
    }
}

// ===== impl Run =====

impl Run {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Storm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storm")
            .field("platform", &self.platform)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
