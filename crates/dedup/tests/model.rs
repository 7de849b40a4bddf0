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
use tower_callback_testkit::{Platform, Res, response as reply};
use tower_test::mock::SendResponse;

use support::{Receiver, order, outcome, settle};

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

const IDS: usize = 3;
const WINDOW: Duration = Duration::from_secs(60);
const WAIT: Duration = Duration::from_secs(9);

#[derive(Clone, Copy, Debug)]
enum Event {
    /// A delivery arrives.
    Send(usize),
    /// The handler that runs for this id answers with this status.
    Answer(usize, u16),
    /// Some client of this id disconnects.
    Disconnect(usize, usize),
    Pass(Duration),
}

/// What is expected of one id.
#[derive(Default)]
struct Expected {
    /// The run that goes on.
    running: Option<Attempt>,
    failed: Option<(Attempt, Instant)>,
    succeeded: Option<Instant>,
}

struct Delivery {
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
        1 => (id, 0..4_usize).prop_map(|(id, delivery)| Event::Disconnect(id, delivery)),
        1 => (0..12_u64).prop_map(|seconds| Event::Pass(Duration::from_secs(seconds * seconds))),
    ];
    prop::collection::vec(event, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_delivery_gets_what_the_model_says(events in events()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(play(events));
    }
}

async fn play(events: Vec<Event>) {
    let mut receiver = Receiver::new(&DedupLayer::for_contract(Platform::ORDERS).window(WINDOW));
    let mut expected: [Expected; IDS] = Default::default();
    let mut deliveries: [Vec<Delivery>; IDS] = Default::default();
    let mut runs: HashMap<String, (Attempt, SendResponse<Res>)> = HashMap::new();
    for event in events {
        match event {
            Event::Send(id) => {
                send(&mut receiver, &mut expected[id], &mut deliveries[id], &id.to_string()).await;
            }
            Event::Answer(id, status) => {
                if let Some((_, respond)) = runs.remove(&id.to_string()) {
                    respond.send_response(reply(status, ""));
                    answered(&mut expected[id], &mut deliveries[id], status).await;
                }
            }
            Event::Disconnect(id, delivery) => {
                if delivery < deliveries[id].len() {
                    deliveries[id].remove(delivery).response.abort();
                }
            }
            Event::Pass(time) => sleep(time).await,
        }
        settle().await;
        for deliveries in &mut deliveries {
            time_out(deliveries).await;
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
    receiver: &mut Receiver,
    expected: &mut Expected,
    deliveries: &mut Vec<Delivery>,
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
    deliveries.push(Delivery { response, is_lead, since });
}

async fn answered(expected: &mut Expected, deliveries: &mut Vec<Delivery>, status: u16) {
    let attempt = expected.running.take().expect("it ran");
    let until = Instant::now() + WINDOW;
    (expected.failed, expected.succeeded) =
        if status >= 500 { (Some((attempt, until)), None) } else { (None, Some(until)) };
    for delivery in deliveries.drain(..) {
        let response = delivery.response.await.unwrap();
        assert_eq!(response.status(), status);
        let first = if delivery.is_lead { Outcome::First } else { Outcome::Joined };
        assert_eq!(outcome(&response), first);
    }
}

/// Followers give up after the wait bound; the lead stays as long as its client does.
async fn time_out(deliveries: &mut Vec<Delivery>) {
    let now = Instant::now();
    for delivery in std::mem::take(deliveries) {
        if delivery.is_lead || now < delivery.since + WAIT {
            assert!(!delivery.response.is_finished());
            deliveries.push(delivery);
        } else {
            let response = delivery.response.await.unwrap();
            assert_eq!((response.status().as_u16(), outcome(&response)), (503, Outcome::Refused));
        }
    }
}
