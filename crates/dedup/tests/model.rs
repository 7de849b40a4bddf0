//! Random traffic against a naive model: nothing runs twice, nothing is lost, nobody waits on.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::{collections::HashMap, time::Duration};

use proptest::prelude::*;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tower_callback_contract::Callback;
use tower_callback_dedup::{Attempt, DedupLayer, Outcome, Previous};
use tower_test::mock::SendResponse;

use support::{ORDERS, Receiver, Res, order, outcome, reply, settle};

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

const IDS: usize = 3;
const WINDOW: Duration = Duration::from_secs(60);
const WAIT: Duration = Duration::from_secs(9);

#[derive(Clone, Copy, Debug)]
enum Event {
    /// A copy arrives.
    Send(usize),
    /// The handler that runs for this id answers with this status.
    Answer(usize, u16),
    /// Some client of this id hangs up.
    HangUp(usize, usize),
    Pass(Duration),
}

/// What is expected of one id.
#[derive(Default)]
struct Expected {
    /// The run that goes on, and the copies that are still there, the lead first if it is.
    running: Option<Attempt>,
    failed: Option<(Attempt, Instant)>,
    succeeded: Option<Instant>,
}

struct Copy {
    response: JoinHandle<Res>,
    is_lead: bool,
    since: Instant,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let id = 0..IDS;
    let event = prop_oneof![
        4 => id.clone().prop_map(Event::Send),
        3 => (id.clone(), prop::sample::select(vec![200, 204, 404, 500, 503]))
            .prop_map(|(id, status)| Event::Answer(id, status)),
        1 => (id, 0..4_usize).prop_map(|(id, copy)| Event::HangUp(id, copy)),
        1 => (0..12_u64).prop_map(|seconds| Event::Pass(Duration::from_secs(seconds * seconds))),
    ];
    prop::collection::vec(event, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_copy_gets_what_the_model_says(events in events()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(play(events));
    }
}

async fn play(events: Vec<Event>) {
    let mut receiver = Receiver::new(&DedupLayer::for_contract(ORDERS).window(WINDOW));
    let mut expected: [Expected; IDS] = Default::default();
    let mut copies: [Vec<Copy>; IDS] = Default::default();
    let mut runs: HashMap<String, (Attempt, SendResponse<Res>)> = HashMap::new();
    for event in events {
        match event {
            Event::Send(id) => {
                send(&mut receiver, &mut expected[id], &mut copies[id], &id.to_string()).await;
            }
            Event::Answer(id, status) => {
                if let Some((_, respond)) = runs.remove(&id.to_string()) {
                    respond.send_response(reply(status, ""));
                    answered(&mut expected[id], &mut copies[id], status).await;
                }
            }
            Event::HangUp(id, copy) => {
                if copy < copies[id].len() {
                    copies[id].remove(copy).response.abort();
                }
            }
            Event::Pass(time) => sleep(time).await,
        }
        settle().await;
        for copies in &mut copies {
            time_out(copies).await;
        }
        // Every run that the layer started, and no other, was expected.
        while let std::task::Poll::Ready(Some((request, respond))) = receiver.handler.poll_request()
        {
            let callback: &Callback = request.extensions().get().unwrap();
            let id = callback.envelope().id.as_ref().unwrap().as_str().to_owned();
            let attempt = *request.extensions().get::<Attempt>().unwrap();
            assert!(runs.insert(id, (attempt, respond)).is_none(), "it ran twice at once");
        }
        for (id, expected) in expected.iter().enumerate() {
            let run = runs.get(&id.to_string()).map(|(attempt, _)| *attempt);
            assert_eq!(run, expected.running, "{event:?}");
        }
    }
}

async fn send(
    receiver: &mut Receiver<tower_callback_dedup::MemoryStore>,
    expected: &mut Expected,
    copies: &mut Vec<Copy>,
    id: &str,
) {
    let (response, since) = (receiver.send(order(id)), Instant::now());
    if expected.running.is_none() && expected.succeeded.is_some_and(|until| until > since) {
        assert_eq!(outcome(&response.await.unwrap()), Outcome::Replayed);
        return;
    }
    let is_lead = expected.running.is_none();
    if is_lead {
        let failed = expected.failed.filter(|(_, until)| *until > since);
        let next = |(attempt, _): (Attempt, _)| attempt.next(Previous::Failed);
        expected.running = Some(failed.map_or(Attempt::FIRST, next));
    }
    copies.push(Copy { response, is_lead, since });
}

async fn answered(expected: &mut Expected, copies: &mut Vec<Copy>, status: u16) {
    let attempt = expected.running.take().expect("it ran");
    let until = Instant::now() + WINDOW;
    (expected.failed, expected.succeeded) =
        if status >= 500 { (Some((attempt, until)), None) } else { (None, Some(until)) };
    for copy in copies.drain(..) {
        let response = copy.response.await.unwrap();
        assert_eq!(response.status(), status);
        let first = if copy.is_lead { Outcome::First } else { Outcome::Joined };
        assert_eq!(outcome(&response), first);
    }
}

/// Followers give up after the wait bound; the lead stays as long as its client does.
async fn time_out(copies: &mut Vec<Copy>) {
    let now = Instant::now();
    for copy in std::mem::take(copies) {
        if copy.is_lead || now < copy.since + WAIT {
            assert!(!copy.response.is_finished());
            copies.push(copy);
        } else {
            let response = copy.response.await.unwrap();
            assert_eq!((response.status().as_u16(), outcome(&response)), (503, Outcome::Refused));
        }
    }
}
