//! Brings messages from callbacks to browsers. Nothing waits here: a callback only adds a message to its
//! conversation, and every browser catches up at its own pace.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use axum::extract::ws::Utf8Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::Instant,
};

/// How many messages of a conversation are kept, for browsers that open later or fall behind.
const MESSAGES: usize = 50;

/// How many conversations are kept.
const CONVERSATIONS: usize = 500;

/// The longest user id in bytes: 128 characters. Wulai has no longer ones.
const USER_ID: usize = 512;

/// How many browsers are served at once. Fewer than conversations, so that there is always one without
/// a browser, which can make room.
const BROWSERS: u16 = 250;

pub(crate) struct Hub {
    conversations: Mutex<HashMap<Box<str>, Conversation>>,
    seats: Arc<Semaphore>,
}

struct Conversation {
    recent: watch::Sender<Recent>,
    used: Instant,
}

#[derive(Default)]
struct Recent {
    messages: VecDeque<Utf8Bytes>,
    /// Includes those that are no longer kept.
    total: usize,
}

/// What one browser sees of a conversation.
pub(crate) struct Feed {
    recent: watch::Receiver<Recent>,
    seen: usize,
    _seat: OwnedSemaphorePermit,
}

// ===== impl Hub =====

impl Hub {
    pub(crate) fn new() -> Self {
        Self { conversations: Mutex::default(), seats: Arc::new(Semaphore::new(BROWSERS.into())) }
    }

    pub(crate) fn deliver(&self, user: &str, message: Utf8Bytes) {
        if user.len() > USER_ID {
            return;
        }
        let recent = Conversation::of(user, &mut self.lock()).recent.clone();
        recent.send_modify(|recent| recent.push(message));
    }

    /// Follows a conversation from the oldest message that is kept; `None` if there are too many browsers.
    pub(crate) fn follow(&self, user: &str) -> Option<Feed> {
        if user.len() > USER_ID {
            return None;
        }
        let seat = Arc::clone(&self.seats).try_acquire_owned().ok()?;
        let recent = Conversation::of(user, &mut self.lock()).recent.subscribe();
        Some(Feed { recent, seen: 0, _seat: seat })
    }

    /// Ends all feeds, and returns when the last browser has left.
    pub(crate) async fn close(&self) {
        self.lock().clear();
        // Fails only if the semaphore is closed, and nothing closes it.
        let _ = self.seats.acquire_many(BROWSERS.into()).await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Conversation>> {
        self.conversations.lock().expect("nothing panics while it is locked")
    }
}

// ===== impl Conversation =====

impl Conversation {
    fn of<'a>(user: &str, all: &'a mut HashMap<Box<str>, Self>) -> &'a mut Self {
        if !all.contains_key(user) && all.len() >= CONVERSATIONS {
            forget_one(all);
        }
        let conversation = all
            .entry(user.into())
            .or_insert_with(|| Self { recent: watch::Sender::default(), used: Instant::now() });
        conversation.used = Instant::now();
        conversation
    }
}

/// Forgets the conversation that has been idle for longest, of those without a browser.
fn forget_one(all: &mut HashMap<Box<str>, Conversation>) {
    let idle = all
        .iter()
        .filter(|(_, conversation)| conversation.recent.receiver_count() == 0)
        .min_by_key(|(_, conversation)| conversation.used)
        .map(|(user, _)| user.clone());
    if let Some(user) = idle {
        all.remove(&user);
    }
}

// ===== impl Recent =====

impl Recent {
    fn push(&mut self, message: Utf8Bytes) {
        if self.messages.len() == MESSAGES {
            self.messages.pop_front();
        }
        self.messages.push_back(message);
        self.total += 1;
    }

    fn since(&self, seen: usize) -> Vec<Utf8Bytes> {
        let forgotten = self.total - self.messages.len();
        let known = seen.saturating_sub(forgotten);
        self.messages.iter().skip(known).cloned().collect()
    }
}

// ===== impl Feed =====

impl Feed {
    /// Waits for messages that this browser has not seen; `None` when the hub closes. A browser that fell
    /// too far behind gets those that are still kept.
    pub(crate) async fn next(&mut self) -> Option<Vec<Utf8Bytes>> {
        loop {
            let unseen = self.unseen();
            if !unseen.is_empty() {
                return Some(unseen);
            }
            self.recent.changed().await.ok()?;
        }
    }

    /// The messages that this browser has not seen, without waiting.
    fn unseen(&mut self) -> Vec<Utf8Bytes> {
        let recent = self.recent.borrow_and_update();
        let unseen = recent.since(self.seen);
        self.seen = recent.total;
        unseen
    }
}

#[cfg(test)]
impl Feed {
    /// What a browser would show next, parsed.
    pub(crate) fn now(&mut self) -> Vec<serde_json::Value> {
        let parse = |message: Utf8Bytes| serde_json::from_str(&message).unwrap();
        self.unseen().into_iter().map(parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_that_opens_later_sees_what_was_kept() {
        let hub = Hub::new();
        deliver_numbers(&hub, "anna", 0..60);
        assert_eq!(hub.follow("anna").unwrap().now(), numbers(10..60));
        assert!(hub.follow("ben").unwrap().now().is_empty());
    }

    #[tokio::test]
    async fn a_browser_waits_and_sees_each_message_once() {
        let hub = Hub::new();
        let mut feed = hub.follow("anna").unwrap();
        let wait_then_deliver = async {
            tokio::task::yield_now().await;
            hub.deliver("anna", "1".into());
        };
        let (seen, ()) = tokio::join!(feed.next(), wait_then_deliver);
        assert_eq!(seen.unwrap(), ["1"]);
        assert!(feed.now().is_empty());
    }

    #[test]
    fn a_browser_that_falls_behind_delays_nobody() {
        let hub = Hub::new();
        let mut slow = hub.follow("anna").unwrap();
        deliver_numbers(&hub, "anna", 0..1_000);
        assert_eq!(slow.now(), numbers(950..1_000));
    }

    #[tokio::test(start_paused = true)]
    async fn the_conversation_that_was_idle_for_longest_makes_room() {
        let hub = Hub::new();
        let watched = hub.follow("watched");
        for user in 0..=CONVERSATIONS {
            tokio::time::advance(std::time::Duration::from_millis(1)).await;
            deliver_numbers(&hub, &user.to_string(), 0..1);
            deliver_numbers(&hub, "0", 0..1);
        }
        let all = hub.lock();
        assert_eq!(all.len(), CONVERSATIONS);
        assert!(watched.is_some() && all.contains_key("watched"));
        assert!(all.contains_key("0") && !all.contains_key("1") && !all.contains_key("2"));
    }

    #[tokio::test]
    async fn closing_ends_the_feeds_and_waits_for_the_browsers() {
        let hub = Hub::new();
        let mut feed = hub.follow("anna").unwrap();
        let leave = async move { assert_eq!(feed.next().await, None) };
        tokio::join!(hub.close(), leave);
    }

    #[test]
    fn too_many_browsers_are_turned_away() {
        let hub = Hub::new();
        let feeds: Vec<_> = (0..BROWSERS).map(|_| hub.follow("anna").unwrap()).collect();
        assert!(hub.follow("anna").is_none());
        drop(feeds);
        assert!(hub.follow("anna").is_some());
    }

    fn deliver_numbers(hub: &Hub, user: &str, numbers: std::ops::Range<u32>) {
        for number in numbers {
            hub.deliver(user, number.to_string().into());
        }
    }

    fn numbers(numbers: std::ops::Range<u32>) -> Vec<serde_json::Value> {
        numbers.map(Into::into).collect()
    }
}
