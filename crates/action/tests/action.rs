//! The receiving layer from outside, row by row of the semantics it promises.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

mod support;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use tokio::time::{Instant, sleep};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_callback_action::{ActionLayer, OnMisleadingReply, Rule, Statuses};
use tower_callback_contract::{Action, Callback, Content, Contract, Reason, Refusal};
use tower_callback_stack::Buffered;
use tower_callback_testkit::{
    BoxError, Handling, Req, Res, TestBody, around, body_of, boxed, capture_events,
    response as reply, service,
};

use support::{DELIVERY, Hook, ROUTE, Strict, callback};

fn hook() -> ActionLayer<Hook> {
    ActionLayer::for_contract(Hook)
}

fn delivery() -> ActionLayer<Strict> {
    ActionLayer::for_contract(DELIVERY)
}

fn retry(seconds: impl Into<Option<u64>>) -> Action {
    Action::Retry { after: seconds.into().map(Duration::from_secs) }
}

fn refuse(text: &str) -> Action {
    Action::Refuse { text: text.to_owned() }
}

/// Status, body and action of what goes out when the handler responds like this.
async fn said<C: Contract>(layer: &ActionLayer<C>, reply: Res) -> (u16, String, Action) {
    let (head, body) = sent(layer, reply).await.into_parts();
    let body = body_of(body).await;
    let action = head.extensions.get::<Action>().cloned().expect("an action");
    (head.status.as_u16(), String::from_utf8(body.to_vec()).unwrap(), action)
}

async fn sent<C: Contract>(layer: &ActionLayer<C>, reply: Res) -> Res {
    let (service, mut play) = around(layer);
    let answering = tokio::spawn(service.oneshot(callback()));
    let (request, respond) = play.next_request().await.expect("the handler runs");
    assert!(request.extensions().get::<Callback>().is_some());
    respond.send_response(reply);
    answering.await.unwrap().unwrap()
}

#[tokio::test]
async fn a01_without_an_entry_a_reply_goes_as_it_is() {
    let layer = hook();
    for (status, body, action) in [
        (200, "", Action::Accept),
        (200, "{}", Action::Use(Content::Merge("{}".into()))),
        (403, "no", refuse("no")),
        (500, "oh", refuse("oh")),
    ] {
        let expected = (status, body.to_owned(), action);
        assert_eq!(said(&layer, reply(status, body)).await, expected);
    }
}

#[tokio::test]
async fn a01_no_failure_becomes_an_accept_by_itself() {
    let delivery = delivery();
    for status in [400, 401, 404, 408, 409, 422, 429, 451, 499, 500, 503, 599] {
        let (sent, _, action) = said(&hook(), reply(status, "x")).await;
        assert!(sent > 400 && matches!(action, Action::Refuse { .. }), "{status}: {action:?}");
        let (sent, _, action) = said(&delivery, reply(status, "x")).await;
        assert_eq!((sent, action), (status, retry(None)));
    }
}

#[tokio::test]
async fn the_table_reads_as_one_says_it() {
    let layer = delivery()
        .on(500, Action::Accept)
        .on(409, Action::Accept)
        .on(429, retry(30))
        .on(StatusCode::GONE, refuse("gone"));
    for status in [500, 409] {
        let accepted = (200, "success".to_owned(), Action::Accept);
        assert_eq!(said(&layer, reply(status, "x")).await, accepted, "{status}");
    }
    let busy = sent(&layer, reply(429, "x")).await;
    assert_eq!((busy.status().as_u16(), &busy.headers()["retry-after"]), (503, &30.into()));
    // The platform cannot be told when, nor to give up: the extensions hold what it does.
    assert_eq!(busy.extensions().get(), Some(&retry(None)));
    assert_eq!(said(&layer, reply(410, "x")).await, (503, String::new(), retry(None)));
}

#[tokio::test]
async fn the_narrowest_entry_counts_then_the_last_one() {
    let layer = hook()
        .otherwise(refuse("any"))
        .on(Statuses::SERVER_ERRORS, refuse("class"))
        .on(502, refuse("one"))
        .on(500..=503, refuse("range"))
        .on(503, Action::Accept)
        .on(503, refuse("last"));
    for (status, text) in
        [(200, "any"), (404, "any"), (504, "class"), (501, "range"), (502, "one"), (503, "last")]
    {
        assert_eq!(said(&layer, reply(status, "x")).await.2, refuse(text), "{status}");
    }
}

#[tokio::test]
async fn an_action_in_the_extensions_comes_before_all() {
    let layer = hook().otherwise(Action::Accept).on_error(|_: &Missing| Action::Accept);
    let mut decided = reply(500, "stack trace");
    decided.extensions_mut().insert(Missing);
    decided.extensions_mut().insert(refuse("not you"));
    let expected = (403, "not you".to_owned(), refuse("not you"));
    assert_eq!(said(&layer, decided).await, expected);
}

#[derive(Clone)]
struct Missing;

#[derive(Clone)]
struct Broken(u8);

#[tokio::test]
async fn a_typed_error_comes_before_the_status() {
    let layer = hook()
        .on(500, Action::Accept)
        .on_error(|Broken(code)| refuse(&format!("broken {code}")))
        .on_error(|_: &Missing| Action::Accept);
    let with = |error: Option<Broken>| {
        let mut reply = reply(500, "x");
        error.map(|error| reply.extensions_mut().insert(error));
        reply
    };
    assert_eq!(said(&layer, with(Some(Broken(7)))).await.2, refuse("broken 7"));
    assert_eq!(said(&layer, with(None)).await.2, Action::Accept);
    let mut both = with(Some(Broken(7)));
    both.extensions_mut().insert(Missing);
    assert_eq!(said(&layer, both).await.2, Action::Accept);
}

#[tokio::test]
async fn a_refusal_of_the_handler_is_refused_the_contracts_way() {
    let refused = || {
        let refusal = Refusal::new(Reason::Malformed { line: 1, column: 1 });
        let mut reply = reply(400, "whatever");
        reply.extensions_mut().insert(refusal);
        reply
    };
    let reply = sent(&hook(), refused()).await;
    assert_eq!(reply.status(), 418);
    assert_eq!(reply.extensions().get::<Refusal>().unwrap().reason().code(), "malformed");
    // An entry of the table comes first.
    assert_eq!(said(&hook().on(400, Action::Accept), refused()).await.2, Action::Accept);
}

/// The schema layer leaves one beside the fallback that it sends in place of a response.
#[tokio::test]
async fn a_refusal_beside_a_success_does_not_undo_it() {
    let mut fallback = reply(200, "{}");
    fallback.extensions_mut().insert(Refusal::from(Reason::HandlerFailed));
    let sent = sent(&hook(), fallback).await;
    assert_eq!(sent.status(), 200);
    assert!(sent.extensions().get::<Refusal>().is_some());
    assert_eq!(body_of(sent.into_body()).await, "{}");
}

#[tokio::test]
async fn a02_what_the_platform_cannot_do_becomes_what_it_can_and_is_logged() {
    let (events, _guard) = capture_events();
    let layer = hook().on(429, retry(30));
    let (status, _, action) = said(&layer, reply(429, "x")).await;
    assert_eq!((status, action), (503, refuse("later")));
    let warnings = events.lines("WARN");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("action=\"retry\" becomes=\"refuse\""), "{warnings:?}");

    let (events, _guard) = capture_events();
    said(&hook().on(429, refuse("no")), reply(429, "x")).await;
    assert_eq!(events.text(), "");
}

#[tokio::test]
async fn a03_a_misleading_response_is_rewritten_warned_about_or_passed() {
    let (events, _guard) = capture_events();
    let rewritten = said(&hook(), reply(400, "not you")).await;
    assert_eq!(rewritten, (403, "not you".to_owned(), refuse("not you")));
    assert_eq!(events.lines("WARN"), Vec::<String>::new());

    let passed = (400, "not you".to_owned(), Action::Accept);
    assert_eq!(
        said(&hook().on_misleading_reply(OnMisleadingReply::Pass), reply(400, "not you")).await,
        passed
    );
    assert_eq!(events.lines("WARN"), Vec::<String>::new());

    assert_eq!(
        said(&hook().on_misleading_reply(OnMisleadingReply::Warn), reply(400, "not you")).await,
        passed
    );
    let warnings = events.lines("WARN");
    assert!(warnings.len() == 1 && !warnings[0].contains("not you"), "{warnings:?}");
}

#[tokio::test]
async fn a03_a_success_that_the_platform_would_not_take_is_rewritten() {
    let delivery = delivery();
    let accepted = (200, "success".to_owned(), Action::Accept);
    assert_eq!(said(&delivery, reply(204, "")).await, accepted);
    let route = ActionLayer::for_contract(ROUTE);
    let document = Action::Use(Content::Merge("{\"a\":1}".into()));
    let merged = (200, "{\"a\":1}".to_owned(), document);
    assert_eq!(said(&route, reply(201, "{\"a\":1}")).await, merged);
}

#[tokio::test]
async fn what_is_rewritten_keeps_what_is_not_about_its_body() {
    let mut handled = reply(500, "<html>");
    for (name, value) in [
        ("content-type", "text/html"),
        ("content-length", "6"),
        ("content-encoding", "br"),
        ("etag", "\"1\""),
        ("retry-after", "7"),
        ("x-request-id", "abc"),
        ("set-cookie", "a"),
        ("set-cookie", "b"),
    ] {
        handled.headers_mut().append(name, value.parse().unwrap());
    }
    handled.extensions_mut().insert(Broken(1));
    let reply = sent(&hook().on(500, refuse("no")), handled).await;
    let mut headers: Vec<_> =
        reply.headers().iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
    headers.sort();
    let expected =
        ["content-type: text/plain", "set-cookie: a", "set-cookie: b", "x-request-id: abc"];
    assert_eq!(headers, expected);
    assert!(reply.extensions().get::<Broken>().is_some());
}

#[tokio::test]
async fn a_stream_that_is_under_way_is_judged_by_its_head() {
    let stream = |status| reply(status, under_way());
    // It would be misleading, if its body were known.
    let streamed = sent(&hook(), stream(400)).await;
    assert_eq!(streamed.status(), 400);
    // Nobody knows what the platform does on it either.
    assert_eq!(streamed.extensions().get::<Action>(), None);
    assert_eq!(body_of(streamed.into_body()).await, "{}");
    assert_eq!(said(&hook().on(500, refuse("no")), stream(500)).await.1, "no");
    // The same for a response that is too large.
    let small = hook().max_reply_bytes(3);
    assert_eq!(sent(&small, reply(400, "four")).await.status(), 400);
    assert_eq!(sent(&small, reply(400, TestBody::stream("four"))).await.status(), 400);
    assert_eq!(said(&small, reply(400, "odd")).await.0, 403);
}

#[tokio::test]
async fn l09_a_response_that_is_all_there_is_judged_whole_though_it_does_not_tell_its_length() {
    let rewritten = said(&hook(), reply(400, TestBody::stream("not you"))).await;
    assert_eq!(rewritten, (403, "not you".to_owned(), refuse("not you")));
}

#[tokio::test]
async fn a_stream_goes_through_two_layers_as_it_is() {
    let bodies: [fn() -> TestBody; 2] = [|| TestBody::stream("{}"), under_way];
    for body in bodies {
        let handler = Handling(move |_: Req| std::future::ready(Ok(reply(200, body()))));
        let service = boxed(hook().layer(hook().layer(handler)));
        let sent = service.oneshot(callback()).await.unwrap();
        assert_eq!(sent.status(), 200);
        assert_eq!(body_of(sent.into_body()).await, "{}");
    }
}

/// A body of which the second half is not yet there.
fn under_way() -> TestBody {
    let halves = stream::iter(["{", "}"]).then(|half| async move {
        if half == "}" {
            tokio::task::yield_now().await;
        }
        Ok::<_, BoxError>(Frame::data(Bytes::from(half)))
    });
    TestBody::new(StreamBody::new(halves))
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_a_failure_of_the_handler() {
    let refused = sent(&hook(), reply(200, TestBody::broken(2))).await;
    assert_eq!(refused.status(), 418);
    let refusal = refused.extensions().get::<Refusal>().unwrap();
    assert_eq!(refusal.reason(), &Reason::HandlerFailed);
}

#[tokio::test]
async fn what_is_no_callback_passes_through() {
    let service = service(&hook().otherwise(Action::Accept), async |request: Req| {
        assert!(request.extensions().get::<Callback>().is_none());
        Ok(reply(400, "as it is"))
    });
    for method in ["GET", "HEAD", "OPTIONS"] {
        let request = Request::builder().method(method).body(TestBody::default()).unwrap();
        let reply = service.clone().oneshot(request).await.unwrap();
        assert_eq!(reply.status(), 400);
        assert!(reply.extensions().get::<Action>().is_none());
    }
}

// ===== Dead letters =====

type Letters = Arc<Mutex<Vec<(Bytes, StatusCode, bool)>>>;

/// A sink that takes this long, or fails.
fn sink(
    letters: &Letters,
    takes: Duration,
    fails: bool,
) -> impl Service<Request<Bytes>, Response = (), Error = BoxError, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static {
    let letters = Arc::clone(letters);
    service_fn(move |request: Request<Bytes>| {
        let letters = Arc::clone(&letters);
        async move {
            sleep(takes).await;
            if fails {
                return Err("the disk is full".into());
            }
            let status = *request.extensions().get::<StatusCode>().unwrap();
            let is_received = request.extensions().get::<Callback>().is_some();
            letters.lock().unwrap().push((request.into_body(), status, is_received));
            Ok(())
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_has_reached_its_sink_before_the_platform_hears_of_it() {
    let letters = Letters::default();
    let slow = Rule::dead_letter(sink(&letters, Duration::from_millis(100), false));
    let layer = delivery().on(422, slow);
    let start = Instant::now();
    let accepted = sent(&layer, reply(422, "poison")).await;
    assert_eq!(accepted.status(), 200);
    assert_eq!(start.elapsed().as_millis(), 100);
    let expected = (support::BODY.into(), StatusCode::UNPROCESSABLE_ENTITY, true);
    assert_eq!(*letters.lock().unwrap(), [expected]);
}

#[tokio::test]
async fn a_panic_and_a_broken_reply_are_a_500_to_the_table() {
    let letters = Letters::default();
    let rule = Rule::dead_letter(sink(&letters, Duration::ZERO, false));
    let layer = delivery().on(Statuses::SERVER_ERRORS, rule);
    let panics = async |_: Req| -> Result<Res, BoxError> { panic!("on this message") };
    assert_eq!(service(&layer, panics).oneshot(callback()).await.unwrap().status(), 200);
    assert_eq!(sent(&layer, reply(200, TestBody::broken(2))).await.status(), 200);
    let letter = (support::BODY.into(), StatusCode::INTERNAL_SERVER_ERROR, true);
    assert_eq!(*letters.lock().unwrap(), [letter.clone(), letter]);
    // Without an entry for it, it stays a failure of the handler.
    let refused = service(&hook(), panics).oneshot(callback()).await.unwrap();
    let refusal = refused.extensions().get::<Refusal>().unwrap();
    assert_eq!(refusal.reason(), &Reason::HandlerFailed);
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_its_sink_did_not_take_is_still_the_platforms() {
    let letters = Letters::default();
    // The platform waits for 5 s.
    let hour = Duration::from_secs(3600);
    for (takes, fails, waited) in [(Duration::ZERO, true, 0), (hour, false, 4_500)] {
        let (events, _guard) = capture_events();
        let rule = Rule::dead_letter(sink(&letters, takes, fails));
        let layer = delivery().on(422, rule);
        let start = Instant::now();
        let refused = sent(&layer, reply(422, "poison")).await;
        assert_eq!(start.elapsed().as_millis(), waited);
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["retry-after"]),
            (503, &1.into())
        );
        assert_eq!(refused.extensions().get(), Some(&retry(None)));
        let refusal = refused.extensions().get::<Refusal>().unwrap();
        assert_eq!(refusal.reason(), &Reason::SinkUnavailable);
        assert_eq!(events.lines("ERROR").len(), 1);
    }
    assert!(letters.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_sink_is_not_shortened_by_the_handlers() {
    let letters = Letters::default();
    let four = Duration::from_secs(4);
    let rule = Rule::dead_letter(sink(&letters, four, false));
    let layer = delivery().on(422, rule);
    let slow = service(&layer, async |_: Req| {
        sleep(Duration::from_secs(4)).await;
        Ok(reply(422, "poison"))
    });
    let start = Instant::now();
    assert_eq!(slow.oneshot(callback()).await.unwrap().status(), 200);
    assert_eq!((start.elapsed(), letters.lock().unwrap().len()), (2 * four, 1));
}

#[tokio::test(start_paused = true)]
async fn a_typed_error_can_lead_to_the_sink() {
    let letters = Letters::default();
    let rule = Rule::dead_letter(sink(&letters, Duration::ZERO, false));
    let layer = hook().on_error(move |_: &Missing| rule.clone());
    let mut poison = reply(500, "x");
    poison.extensions_mut().insert(Missing);
    assert_eq!(said(&layer, poison).await.2, Action::Accept);
    assert_eq!(said(&layer, reply(500, "x")).await.2, refuse("x"));
    assert_eq!(letters.lock().unwrap().len(), 1);
}

// ===== What every layer does =====

#[tokio::test(start_paused = true)]
async fn is_always_ready() {
    tower_callback_testkit::is_always_ready(&delivery(), callback()).await;
}

#[tokio::test]
async fn calls_the_service_that_was_polled_ready() {
    let two = [callback(), callback()];
    tower_callback_testkit::calls_the_service_that_was_polled_ready(&hook(), two).await;
}

#[tokio::test(start_paused = true)]
async fn keeps_no_place_while_it_waits() {
    tower_callback_testkit::keeps_no_place_while_it_waits(&hook(), callback()).await;
}

#[tokio::test]
async fn dropping_the_response_future_releases_the_service() {
    let (service, mut play) = around(&ServiceBuilder::new().layer(hook()).concurrency_limit(1));
    let mut dropped = tokio::spawn(service.clone().oneshot(callback()));
    let (_, _held) = play.next_request().await.unwrap();
    dropped.abort();
    assert!((&mut dropped).await.unwrap_err().is_cancelled());
    let second = tokio::spawn(service.oneshot(callback()));
    play.next_request().await.unwrap().1.send_response(reply(200, ""));
    assert_eq!(second.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn passes_errors_through() {
    let layer = hook().otherwise(Action::Accept);
    tower_callback_testkit::passes_errors_of_readiness_through(&layer, callback()).await;
    let (service, mut play) = around(&layer);
    let answering = tokio::spawn(service.oneshot(callback()));
    play.next_request().await.unwrap().1.send_error("no database");
    assert_eq!(answering.await.unwrap().unwrap_err().to_string(), "no database");
}

#[test]
fn is_a_service() {
    fn check<T: Send + Sync + Clone + std::fmt::Debug>(_: &T) {}
    let layer = hook().on(422, Rule::dead_letter(service_fn(async |_| Ok::<_, BoxError>(()))));
    check(&layer);
    check(&layer.layer(()));
    tower_callback_testkit::is_service(&layer.layer(Handling(async |_: Req| Ok(reply(200, "")))));
    let shown =
        format!("{:?}", hook().on(500, refuse("no")).on_error(|_: &Missing| Action::Accept));
    assert!(shown.contains("500") && shown.contains("Missing"), "{shown}");
}

#[tokio::test]
async fn works_on_full_bodies_too() {
    let handler = service_fn(async |_: Request<Buffered<Full<Bytes>>>| {
        Ok::<_, BoxError>(Response::new(Full::<Bytes>::default()))
    });
    let request = Request::post("/").body(Full::<Bytes>::from(support::BODY)).unwrap();
    assert_eq!(hook().layer(handler).oneshot(request).await.unwrap().status(), 200);
}
