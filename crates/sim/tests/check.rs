//! The suite, run on receivers with one mistake each.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::pending;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::{service_fn, util::BoxCloneService};
use tower_callback_sim::{
    Body, Effect, Outcome,
    check::{Suite, Verdict},
};

type Receiver = BoxCloneService<Request<Body>, Response<Full<Bytes>>, &'static str>;

/// An app: what its handlers did, and the ids that it knows.
#[derive(Clone, Default)]
struct App {
    runs: Arc<Mutex<Vec<Effect>>>,
    known: Arc<Mutex<HashSet<String>>>,
}

#[tokio::test]
async fn an_id_that_is_stored_before_the_work_is_done_loses_messages() {
    let app = App::default();
    let receiver =
        app.receiver(
            |app, message| {
                if app.learn(id(message)) { app.run(message) } else { StatusCode::OK }
            },
        );
    assert_eq!(app.check(&receiver, "duplicate-later").await, Verdict::Pass);
    assert_eq!(app.check(&receiver, "failure-then-retry").await, fail("handled 0 times"));
    assert_eq!(app.check(&receiver, "other-body").await, fail("2 accepted, 1 handled"));
}

#[tokio::test]
async fn a_failure_that_is_accepted_loses_the_message() {
    let app = App::default();
    let receiver = app.receiver(|app, message| {
        app.run(message);
        StatusCode::OK
    });
    assert_eq!(app.check(&receiver, "failure-then-retry").await, fail("handled 0 times"));
}

#[tokio::test]
async fn another_message_under_a_known_id_may_be_handled_or_refused() {
    let app = App::default();
    let receiver = app.receiver(App::run);
    assert_eq!(app.check(&receiver, "other-body").await, Verdict::Pass);
    let receiver =
        app.receiver(
            |app, message| {
                if app.learn(id(message)) { app.run(message) } else { StatusCode::CONFLICT }
            },
        );
    assert_eq!(app.check(&receiver, "other-body").await, Verdict::Pass);
}

#[tokio::test]
async fn a_kind_of_callback_that_a_receiver_does_not_take_is_not_applicable() {
    let app = App::default();
    let nothing = app.receiver(|_, _| StatusCode::NOT_FOUND);
    for (case, path) in [("route", "/webhook/route"), ("error", "/callback/error")] {
        let why = format!("nothing handles wulai {case}, whose usual path is {path}");
        let expected = Verdict::NotApplicable(why);
        assert_eq!(app.check(&nothing, case).await, expected);
    }
    assert_eq!(app.check(&nothing, "duplicate-later").await, fail("not accepted: 404 Not Found"));
}

#[tokio::test]
async fn a_receiver_that_knows_late_messages_is_told_of_the_fixed_hold() {
    let app = App::default();
    let in_disorder = "handled in another order than sent";
    let receiver = app.receiver(App::run);
    assert_eq!(app.check(&receiver, "disorder").await, fail(in_disorder));
    let receiver = app.receiver(|app, message| {
        let status = app.run(message);
        app.runs.lock().unwrap().last_mut().unwrap().late = true;
        status
    });
    let Verdict::Fail(why) = app.check(&receiver, "disorder").await else { panic!("no order") };
    assert!(why.starts_with(in_disorder) && why.contains("`Hold::fixed`"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_never_responds_fails_at_the_timeout() {
    let app = App::default();
    let receiver = Receiver::new(service_fn(|_| pending()));
    for case in ["duplicates-together", "too-large-body", "stalled-body", "garbage"] {
        let verdict = app.check(&receiver, case).await;
        assert!(
            matches!(&verdict, Verdict::Fail(why) if why.ends_with("within 3s")),
            "{verdict:?}"
        );
    }
}

#[tokio::test]
async fn a_receiver_that_is_not_there_passes_nothing() {
    let app = App::default();
    let receiver = Receiver::new(service_fn(async |_| Err("refused")));
    for case in ["disconnect-then-retry", "too-large-body", "stalled-body", "route", "error"] {
        assert_eq!(app.check(&receiver, case).await, fail("no response: refused"), "{case}");
    }
}

impl App {
    fn receiver(&self, status: fn(&Self, &Value) -> StatusCode) -> Receiver {
        let app = self.clone();
        Receiver::new(service_fn(move |request: Request<Body>| {
            let app = app.clone();
            async move {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let message = serde_json::from_slice(&body).unwrap_or_default();
                let mut response = Response::new(Full::default());
                *response.status_mut() = status(&app, &message);
                Ok(response)
            }
        }))
    }

    /// The handler: it fails once if asked to.
    fn run(&self, message: &Value) -> StatusCode {
        let is_asked = message["msg_body"]["text"]["content"] == "#sim fail once";
        let fails = is_asked && self.learn(format!("failed {}", id(message)));
        let outcome = if fails { Outcome::Failed } else { Outcome::Ok };
        let effect = Effect {
            callback: None,
            id: Some(id(message)),
            conversation: None,
            sent_at: None,
            start: 0,
            end: 0,
            outcome,
            late: false,
        };
        self.runs.lock().unwrap().push(effect);
        if fails { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }
    }

    /// Returns whether the id was new.
    fn learn(&self, id: String) -> bool {
        self.known.lock().unwrap().insert(id)
    }

    async fn check(&self, receiver: &Receiver, case: &str) -> Verdict {
        let suite = Suite::of("wulai").unwrap().response_timeout(Duration::from_secs(3));
        let effects = async || Ok::<_, String>(Some(self.runs.lock().unwrap().clone()));
        let mut results = suite.run(receiver.clone(), effects, Some(case)).await.unwrap();
        assert_eq!(results.len(), 1, "{case} is the name of one case");
        results.remove(0).verdict
    }
}

fn id(message: &Value) -> String {
    message["msg_id"].as_str().unwrap_or_default().to_owned()
}

fn fail(why: &str) -> Verdict {
    Verdict::Fail(why.to_owned())
}
