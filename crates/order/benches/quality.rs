//! How well a hold keeps the order, and what it costs in delay: seeded traffic through the layer, in
//! virtual time. `cargo bench -p tower-callback-order --bench quality`.

#![expect(clippy::cast_precision_loss, reason = "shares are read to a few digits")]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Request, Response, request};
use http_body_util::Full;
use rand::{Rng, SeedableRng, rngs::StdRng};
use rand_distr::{Distribution, Exp, LogNormal};
use tokio::time::{Instant, advance, sleep_until};
use tower::{Layer, ServiceExt, service_fn};
use tower_callback_contract::{Body, Contract, Envelope, Refusal, Timestamp, Timing};
use tower_callback_order::{Hold, OrderLayer, Position};
use tower_callback_stack::Buffered;

const MESSAGES: usize = 200_000;
const TARGET: f64 = 0.999;
/// How long the fastest message travels, in seconds.
const FASTEST: f64 = 0.03;

/// Times in seconds since the start.
#[derive(Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "the crate's word")]
struct Sent {
    conversation: u32,
    sent_at: f64,
    arrives: f64,
}

struct Quality {
    late: f64,
    /// Late, although a hold up to the longest would have helped.
    avoidable: f64,
    mean: f64,
    p99: f64,
}

fn main() {
    // `cargo test --benches` runs this too, and must not take its time.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    println!(
        "{MESSAGES} messages in conversations of five, 20 ms and then 300 ms on average apart; \
         delays in ms.\n"
    );
    println!("| traffic | hold | late | of these avoidable | mean delay | p99 |");
    println!("|---|---|---|---|---|---|");
    for (name, rate, travel) in TRAFFIC {
        let traffic = traffic(rate, travel);
        for millis in [50, 200, 1_000] {
            let quality = replay(&traffic, Hold::fixed(Duration::from_millis(millis)));
            print(name, &format!("fixed {millis} ms"), &quality);
        }
        let adaptive = replay(&traffic, Hold::adaptive(TARGET));
        print(name, "adaptive", &adaptive);
        if name.starts_with("storms") {
            let (hold, fixed) = as_good(&traffic, adaptive.late);
            print(name, &format!("fixed {hold} ms, as few late"), &fixed);
            println!("| | | | | × {:.1} | |", fixed.mean / adaptive.mean);
        }
    }
}

fn print(traffic: &str, hold: &str, quality: &Quality) {
    let Quality { late, avoidable, mean, p99 } = quality;
    let [late, avoidable] = [late, avoidable].map(|share| share * 100.0);
    println!("| {traffic} | {hold} | {late:.3} % | {avoidable:.3} % | {mean:.1} | {p99:.1} |");
}

// ===== Traffic =====

type Travel = fn(f64, &mut StdRng) -> f64;

/// Name, messages each second, and how long one that is sent at a time travels beyond the fastest.
const TRAFFIC: [(&str, f64, Travel); 5] = [
    ("in order", 100.0, |_, _| 0.0),
    ("light jitter", 100.0, |_, rng| jitter(rng)),
    ("heavy tail", 100.0, |_, rng| {
        jitter(rng)
            + match rng.random_range(0..1_000) {
                0..3 => 5.0,
                3..13 => 1.0,
                _ => 0.0,
            }
    }),
    ("storms, 100 a second", 100.0, storms),
    ("storms, 20 a second", 20.0, storms),
];

fn jitter(rng: &mut StdRng) -> f64 {
    LogNormal::new(0.02_f64.ln(), 0.5).expect("finite").sample(rng)
}

/// One minute out of ten.
fn storms(sent_at: f64, rng: &mut StdRng) -> f64 {
    if (300.0..360.0).contains(&(sent_at % 600.0)) {
        LogNormal::new(0.15_f64.ln(), 1.0).expect("finite").sample(rng)
    } else {
        jitter(rng) / 4.0
    }
}

fn traffic(rate: f64, travel: Travel) -> Vec<Sent> {
    let mut rng = StdRng::seed_from_u64(7);
    let (burst, gap) =
        (Exp::new(rate / 5.0).expect("finite"), Exp::new(1.0 / 0.3).expect("finite"));
    let (mut start, mut conversation) = (0.0, 0);
    let mut traffic = Vec::new();
    while traffic.len() < MESSAGES {
        start += burst.sample(&mut rng);
        conversation += 1;
        let mut sent_at = start;
        for _ in 0..5 {
            let arrives = sent_at + FASTEST + travel(sent_at, &mut rng);
            traffic.push(Sent { conversation, sent_at, arrives });
            sent_at += 0.02 + gap.sample(&mut rng);
        }
    }
    traffic.sort_by(|one, other| one.arrives.total_cmp(&other.arrives));
    traffic
}

/// The shortest fixed hold, to ten milliseconds, that leaves so few late.
fn as_good(traffic: &[Sent], late: f64) -> (u64, Quality) {
    let (mut short, mut long) = (0, 500);
    while long - short > 1 {
        let hold = u64::midpoint(short, long);
        let quality = replay(traffic, Hold::fixed(Duration::from_millis(hold * 10)));
        if quality.late > late { short = hold } else { long = hold }
    }
    (long * 10, replay(traffic, Hold::fixed(Duration::from_millis(long * 10))))
}

// ===== Replay =====

fn replay(traffic: &[Sent], hold: Hold) -> Quality {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
    let delays = runtime.block_on(deliver(traffic, hold));
    let count = delays.len() as f64;
    let late = delays.iter().filter(|(_, is_late)| *is_late).count() as f64;
    let mut millis: Vec<_> = delays.iter().map(|(delay, _)| delay.as_secs_f64() * 1e3).collect();
    millis.sort_by(f64::total_cmp);
    Quality {
        late: late / count,
        avoidable: (late - beyond(traffic) as f64).max(0.0) / count,
        mean: millis.iter().sum::<f64>() / count,
        p99: millis[millis.len() * 99 / 100],
    }
}

/// How many messages come more than the longest hold after one that was sent later.
fn beyond(traffic: &[Sent]) -> usize {
    let mut seen: std::collections::HashMap<u32, Vec<Sent>> = std::collections::HashMap::new();
    let is_beyond = |sent: &&Sent| {
        let before = seen.entry(sent.conversation).or_default();
        let first = before.iter().find(|other| other.sent_at > sent.sent_at).copied();
        before.push(**sent);
        first.is_some_and(|first| sent.arrives - first.arrives > Hold::DEFAULT_MAX.as_secs_f64())
    };
    traffic.iter().filter(is_beyond).count()
}

/// How long each message waited for its turn, and whether it came too late for it.
async fn deliver(traffic: &[Sent], hold: Hold) -> Vec<(Duration, bool)> {
    let delays = Arc::new(Mutex::new(Vec::with_capacity(traffic.len())));
    let noted = Arc::clone(&delays);
    let handler = service_fn(move |request: Request<Buffered<Full<Bytes>>>| {
        let extensions = request.extensions();
        let Arrival { at, .. } = extensions.get().expect("sent by us");
        let is_late = matches!(extensions.get(), Some(Position::Late { .. }));
        noted.lock().expect("no panic").push((at.elapsed(), is_late));
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
    });
    let service = OrderLayer::for_contract(Replayed).hold(hold).layer(handler);
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let start = Instant::now();
    let mut responses = tokio::task::JoinSet::new();
    for sent in traffic {
        sleep_until_about(start + Duration::from_secs_f64(sent.arrives)).await;
        let sent_at = wall + Duration::from_secs_f64(sent.sent_at);
        let sent_at = Timestamp::from_magnitude(u64::try_from(sent_at.as_micros()).expect("now"));
        let mut request = Request::post("/").body(Full::from("{}")).expect("a request");
        let arrival = Arrival { at: Instant::now(), conversation: sent.conversation, sent_at };
        request.extensions_mut().insert(arrival);
        responses.spawn(service.clone().oneshot(request));
        // It arrives before the next one.
        tokio::task::yield_now().await;
        while responses.try_join_next().is_some() {}
    }
    while responses.join_next().await.is_some() {}
    drop(service);
    Arc::into_inner(delays).expect("nobody else").into_inner().expect("no panic")
}

/// Timers of the runtime go by whole milliseconds: two that arrive in one would arrive together.
async fn sleep_until_about(at: Instant) {
    sleep_until(at - Duration::from_millis(1)).await;
    let rest = at.saturating_duration_since(Instant::now());
    if !rest.is_zero() {
        advance(rest).await;
    }
}

#[derive(Clone, Copy)]
struct Arrival {
    at: Instant,
    conversation: u32,
    sent_at: Timestamp,
}

/// Finds what identifies a message in the extensions, where the bench has put it.
struct Replayed;

impl Contract for Replayed {
    fn name(&self) -> &'static str {
        "replayed"
    }

    fn timing(&self) -> Timing {
        Timing::new(Duration::from_secs(60), Duration::from_secs(3_600))
    }

    fn identify(&self, head: &request::Parts, _: &Body) -> Result<Envelope, Refusal> {
        let Arrival { conversation, sent_at, .. } = head.extensions.get().expect("sent by us");
        Ok(Envelope::default().conversation(conversation.to_string()).sent_at(*sent_at))
    }
}
