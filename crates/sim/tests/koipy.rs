//! koipy's suite and storms, on callback servers with one mistake each.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::pending;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tokio::time::sleep;
use tower::{service_fn, util::BoxCloneService};
use tower_callback_sim::{
    Body, Storm,
    check::{Suite, Verdict},
    platform,
};

type Receiver = BoxCloneService<Request<Body>, Response<Full<Bytes>>, &'static str>;

/// Status, `Content-Type` and body.
type Said = (u16, Option<&'static str>, &'static [u8]);

const GO_ON: Said = (204, None, b"");
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n...";

#[tokio::test]
async fn every_kind_of_response_is_checked() {
    let wrong: [(&str, Said, &str); 9] = [
        ("400-refuses", (400, None, b"banned"), "koipy on-message: 400 refuses nobody"),
        ("refusal", (403, None, b""), "koipy on-message: a refusal does not say why"),
        ("refusal", (403, None, b"\xc4\xe3"), "koipy on-message: a refusal is not in UTF-8"),
        ("picture", (200, Some("image/webp"), PNG), "koipy on-message: a picture under 200 OK"),
        ("picture", (403, Some("image/png"), PNG), "koipy on-message: a picture under 403"),
        ("empty-200", (200, None, b""), "koipy on-message: an empty 200 without"),
        ("in-vain", (200, Some("text/html"), b"hello"), "koipy on-message: the bot does not use"),
        (
            "in-vain",
            (200, Some("application/json"), br#"{"result": {"x": ["one"]}}"#),
            "koipy on-result: a column does not have",
        ),
        ("secrets", (403, None, b"SIM-SUBSCRIPTION"), "koipy on-message: shows SIM-SUBS"),
    ];
    for (case, said, expected) in wrong {
        assert_fails(case, says(move |_| said), expected).await;
        let verdict = check(case, says(|_| GO_ON)).await;
        assert!(!matches!(verdict, Verdict::Fail(_)), "{case}: {verdict:?}");
    }
}

#[tokio::test]
async fn what_a_server_does_not_do_is_not_applicable() {
    for case in ["refusal", "picture"] {
        let verdict = check(case, says(|_| GO_ON)).await;
        assert!(matches!(verdict, Verdict::NotApplicable(_)), "{case}: {verdict:?}");
    }
    let nothing = || says(|_| (404, None, b"Not Found"));
    for (case, hook) in [("failed-test", "on-result"), ("every-sender", "on-message")] {
        let verdict = check(case, nothing()).await;
        let expected = format!("nothing handles koipy {hook}, whose usual path is /on");
        assert!(
            matches!(&verdict, Verdict::NotApplicable(why) if why.starts_with(&expected)),
            "{verdict:?}"
        );
    }
    let expected =
        Verdict::NotApplicable("nobody knows what the handlers did: see --effects".into());
    assert_eq!(check("failing-handler", says(|_| GO_ON)).await, expected);
    assert_fails("garbage", nothing(), "nothing handles any of the three hooks").await;
}

#[tokio::test]
async fn a_server_that_fails_on_what_the_bot_sends_refuses_tests() {
    let fails = |is_bad: fn(&Value) -> bool| {
        says(move |callback| if is_bad(callback) { (500, None, b"oh") } else { GO_ON })
    };
    let no_sender: fn(&Value) -> bool = |it| it["message"]["from_user"].is_null();
    assert_fails("as-the-bot", fails(no_sender), "koipy on-message gets 500").await;
    assert_fails("both-spellings", fails(no_sender), "koipy on-message: 500").await;
    let no_name: fn(&Value) -> bool = |it| {
        let named = |user| it["message"][user]["username"].is_string();
        it.is_object() && !named("from-user") && !named("from_user")
    };
    assert_fails("every-sender", fails(no_name), "a user without a name gets").await;
    assert_fails("failed-test", fails(|it| it["result"]["error"].is_string()), "koipy on-res")
        .await;
    assert_fails("absent", fails(|it| it["message"].is_null()), "koipy on-message gets").await;
    assert_fails("garbage", fails(|it| !it.is_object()), "\"\" gets 500").await;
    let panics: fn(&Value) -> bool = |it| it["message"]["text"] == "#sim panic once";
    assert_fails("failing-handler", fails(panics), "`#sim panic once` gets 500").await;
    let is_large: fn(&Value) -> bool = |it| it.to_string().len() > 100_000;
    assert_fails("large-task", fails(is_large), "koipy on-pre-send: 204").await;
    assert_fails("too-large-body", fails(is_large), "8 MiB gets 500").await;
}

#[tokio::test]
async fn duplicates_must_get_one_response() {
    let count = Arc::new(AtomicU64::new(0));
    let odd = says(move |_| match count.fetch_add(1, Ordering::Relaxed) % 2 {
        0 => GO_ON,
        _ => (200, Some("text/plain"), b"again"),
    });
    assert_fails("duplicates", odd, "koipy on-message: two responses").await;
    assert_eq!(check("duplicates", says(|_| GO_ON)).await, Verdict::Pass);
}

#[tokio::test(start_paused = true)]
async fn a_hook_gets_its_response_in_time() {
    let slow = |most: u64| {
        Receiver::new(service_fn(move |request: Request<Body>| async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            if String::from_utf8_lossy(&body).contains("#sim slow 8s") {
                sleep(Duration::from_secs(most.min(8))).await;
            }
            Ok(respond(GO_ON))
        }))
    };
    assert_fails("slow-handler", slow(8), "no response within 5s").await;
    assert_eq!(check("slow-handler", slow(4)).await, Verdict::Pass);
    let verdict = check("slow-handler", slow(0)).await;
    assert!(matches!(verdict, Verdict::NotApplicable(_)), "{verdict:?}");

    let turn = Arc::new(tokio::sync::Mutex::new(()));
    let one_by_one = Receiver::new(service_fn(move |_| {
        let turn = Arc::clone(&turn);
        async move {
            let _turn = turn.lock().await;
            sleep(Duration::from_millis(200)).await;
            Ok(respond(GO_ON))
        }
    }));
    assert_fails("users-at-once", one_by_one, "a user waited 10").await;
    assert_eq!(check("users-at-once", says(|_| GO_ON)).await, Verdict::Pass);
    assert_fails("stalled", says(|_| GO_ON), "no response within 20s").await;
}

#[tokio::test(start_paused = true)]
async fn a_storm_redelivers_neither_refused_nor_slow_hooks() {
    let storm = || Storm::new(platform::koipy::on_message()).messages(50);
    let refused = storm().run(says(|_| (403, None, b"banned"))).await;
    assert_eq!((refused.attempts, refused.refused, refused.is_clean()), (50, 50, true));
    // To koipy a 503 is a refusal, but the run is not clean.
    let failed = storm().run(says(|_| (503, None, b"busy"))).await;
    assert_eq!((failed.attempts, failed.refused, failed.is_clean()), (50, 50, false));
    let silent = Receiver::new(service_fn(|_| pending()));
    let silent = storm().run(silent).await;
    assert_eq!((silent.attempts, silent.disconnects, silent.given_up), (50, 50, 50));
    let doubled = storm().duplicates(1.0).run(says(|_| GO_ON)).await;
    assert_eq!((doubled.attempts, doubled.accepted), (100, 50));
}

fn says(respond_to: impl Fn(&Value) -> Said + Clone + Send + 'static) -> Receiver {
    Receiver::new(service_fn(move |request: Request<Body>| {
        let respond_to = respond_to.clone();
        async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Ok(respond(respond_to(&serde_json::from_slice(&body).unwrap_or_default())))
        }
    }))
}

fn respond((status, media_type, body): Said) -> Response<Full<Bytes>> {
    let response = Response::builder().status(status);
    let response =
        media_type.into_iter().fold(response, |it, ty| it.header(header::CONTENT_TYPE, ty));
    response.body(Bytes::from_static(body).into()).unwrap()
}

async fn check(case: &str, receiver: Receiver) -> Verdict {
    let suite = Suite::of("koipy").unwrap().response_timeout(Duration::from_secs(20));
    let unknown = async || Ok::<_, String>(None);
    let mut results = suite.run(receiver, unknown, Some(case)).await.unwrap();
    assert_eq!(results.len(), 1, "{case} is the name of one case");
    results.remove(0).verdict
}

async fn assert_fails(case: &str, receiver: Receiver, expected: &str) {
    let verdict = check(case, receiver).await;
    let is_expected = matches!(&verdict, Verdict::Fail(why) if why.starts_with(expected));
    assert!(is_expected, "{case}: {verdict:?}, not {expected}");
}
