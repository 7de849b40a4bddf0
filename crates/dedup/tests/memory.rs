//! What is remembered, and what it takes.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use tokio::time::advance;
use tower_callback_dedup::{
    Attempt, Claim, Fingerprint, Key, MemoryStore, Ownership, Previous, Record, Reply, Store, Token,
};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn a_full_store_still_remembers_new_ids() {
    let room = 3_000;
    let store = MemoryStore::with_budget(room * 450);
    for id in 0..room {
        finish(&store, id).await;
        // Often seen ids are what an admitting policy would keep against all newcomers.
        for _ in 0..2 {
            assert!(known(&store, id).await);
        }
    }
    for id in room..2 * room {
        finish(&store, id).await;
        assert!(known(&store, id).await);
    }
    let _ = store.stats();
    let mut remembered = 0;
    for id in room..2 * room {
        remembered += u64::from(known(&store, id).await);
    }
    assert_eq!(remembered, room);
}

#[tokio::test(start_paused = true)]
async fn d17_a_million_ids_stay_within_the_budget_and_what_is_lost_is_counted() {
    let budget = 4 * 1024 * 1024;
    let store = MemoryStore::with_budget(budget);
    assert_eq!(store.stats().reaches_back, None);
    for id in 0..1_000_000 {
        finish(&store, id).await;
        if id % 1_000 == 0 {
            advance(Duration::from_secs(1)).await;
        }
    }
    let stats = store.stats();
    assert!(stats.bytes <= budget, "{stats:?}");
    assert!((9_000..11_000).contains(&stats.ids), "{stats:?}");
    assert_eq!(stats.evicted_early, 1_000_000 - stats.ids);
    // A thousand ids a second, and some ten thousand of them known.
    let reaches_back = stats.reaches_back.expect("it forgot some").as_secs();
    assert!((9..12).contains(&reaches_back), "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn large_replies_count_by_their_size() {
    let store = MemoryStore::with_budget(1024 * 1024);
    for id in 0..100 {
        let reply = Response::new(Bytes::from(vec![b'x'; 64 * 1024]));
        finish_with(&store, id, Some(Reply::new(&reply))).await;
    }
    let stats = store.stats();
    assert!((14..=16).contains(&stats.ids), "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn d18_nobody_pays_for_ids_that_expire_while_idle() {
    let store = MemoryStore::with_budget(u64::MAX);
    let ids = 200_000;
    let mut extra = Vec::new();
    for round in 0..4 {
        // Half of the ids come again, and the sweep of the others would be paid for by one call.
        let mut hundreds = Vec::new();
        let mut before = on_cpu();
        for id in round * ids / 2..round * ids / 2 + ids {
            finish(&store, id).await;
            if id % 100 == 99 {
                let after = on_cpu();
                hundreds.push(after.saturating_sub(before));
                before = after;
            }
        }
        hundreds.sort_unstable();
        let (median, most) = (hundreds[hundreds.len() / 2], hundreds[hundreds.len() - 1]);
        extra.push(most.saturating_sub(median));
        advance(2 * HOUR).await;
    }
    // A sweep takes 270 ns an id and more, in every round. One round may be disturbed by others
    // on this machine, hardly all of them.
    let least = extra[1..].iter().min().expect("rounds");
    assert!(*least < Duration::from_millis(20), "{extra:?}");
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_changed_only_by_its_holder() {
    let store = MemoryStore::new();
    let (key, ours, theirs) = (Key::new(&["1"]), Token::unique(), Token::unique());
    assert_eq!(claim(&store, &key, ours).await, Claim::Granted(Attempt::FIRST));
    assert_eq!(claim(&store, &key, ours).await, Claim::Granted(Attempt::FIRST));
    assert_eq!(claim(&store, &key, theirs).await, Claim::Held);
    assert_eq!(store.renew(&key, theirs).await, Ok(Ownership::Lost));
    assert_eq!(store.renew(&key, ours).await, Ok(Ownership::Ours));
    assert_eq!(store.complete(&key, theirs, record(None), HOUR).await, Ok(Ownership::Lost));
    assert_eq!(store.release(&key, theirs, Previous::Failed, HOUR).await, Ok(Ownership::Lost));
    assert_eq!(claim(&store, &key, theirs).await, Claim::Held);

    assert_eq!(store.release(&key, ours, Previous::Failed, HOUR).await, Ok(Ownership::Ours));
    let second = Attempt::new(2, Some(Previous::Failed));
    assert_eq!(claim(&store, &key, theirs).await, Claim::Granted(second));
    assert_eq!(store.complete(&key, ours, record(None), HOUR).await, Ok(Ownership::Lost));
    assert_eq!(store.complete(&key, theirs, record(None), HOUR).await, Ok(Ownership::Ours));
    assert_eq!(claim(&store, &key, ours).await, Claim::Done(record(None)));
}

#[tokio::test(start_paused = true)]
async fn how_a_run_ended_is_forgotten_with_the_window() {
    let store = MemoryStore::new();
    let (key, token) = (Key::new(&["1"]), Token::unique());
    let _ = claim(&store, &key, token).await;
    let _ = store.release(&key, token, Previous::Failed, HOUR).await;
    advance(HOUR + Duration::from_secs(1)).await;
    assert_eq!(claim(&store, &key, token).await, Claim::Granted(Attempt::FIRST));
}

async fn finish(store: &MemoryStore, id: u64) {
    finish_with(store, id, None).await;
}

async fn finish_with(store: &MemoryStore, id: u64, reply: Option<Reply>) {
    let (key, token) = (key(id), Token::unique());
    assert_eq!(claim(store, &key, token).await, Claim::Granted(Attempt::FIRST));
    let done = store.complete(&key, token, record(reply), HOUR).await;
    assert_eq!(done, Ok(Ownership::Ours));
}

/// Whether the id is remembered. Gives back the claim that asking made.
async fn known(store: &MemoryStore, id: u64) -> bool {
    let (key, token) = (key(id), Token::unique());
    if let Claim::Done(_) = claim(store, &key, token).await {
        return true;
    }
    let _ = store.release(&key, token, Previous::Failed, Duration::ZERO).await;
    false
}

async fn claim(store: &MemoryStore, key: &Key, token: Token) -> Claim {
    let Ok(claim) = store.claim(key, token).await;
    claim
}

fn key(id: u64) -> Key {
    Key::new(&["shop.order", "/orders", &id.to_string()])
}

fn record(reply: Option<Reply>) -> Record {
    Record::new(Some(Fingerprint(1)), reply.map(Into::into))
}

/// How long this thread has run, where that is known. Real time would count other processes too.
fn on_cpu() -> Duration {
    let nanos = std::fs::read_to_string("/proc/thread-self/schedstat").ok().and_then(|stat| {
        let nanos = stat.split(' ').next()?;
        nanos.parse().ok()
    });
    nanos.map_or_else(since_start, Duration::from_nanos)
}

#[expect(clippy::disallowed_types, reason = "real time is what is measured")]
fn since_start() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}
