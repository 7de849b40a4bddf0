//! All of status × media type, as koipy reads it and as a handler meant it.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use proptest::prelude::*;
use tower::{Layer, ServiceExt, service_fn};
use tower_callback_action::{ActionLayer, InterpretLayer, OnMisleadingReply};
use tower_callback_contract::{Action, Content, Contract};
use tower_callback_koipy::{OnMessage, OnPreSend, OnResult};
use tower_callback_testkit::{Req, TestBody, body_of, post, service};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\xff\xfe";
const JPEG: &[u8] = b"\xff\xd8\xff\xe0";
/// `你好` in GBK.
const GBK: &[u8] = b"\xc4\xe3\xba\xc3";

fn go_on() -> Action {
    Action::Accept
}

fn refuse(text: &str) -> Action {
    Action::Refuse { text: text.to_owned() }
}

fn text(text: &str) -> Action {
    Action::Use(Content::Text(text.to_owned()))
}

fn image(media_type: &str, bytes: &'static [u8]) -> Action {
    Action::Use(Content::Image { media_type: media_type.to_owned(), bytes: bytes.into() })
}

fn file(name: Option<&str>, bytes: &'static [u8]) -> Action {
    Action::Use(Content::File { name: name.map(str::to_owned), bytes: bytes.into() })
}

fn merge(document: &'static str) -> Action {
    Action::Use(Content::Merge(document.into()))
}

/// A response, what koipy does on it, and what the handler meant if that differs.
struct Row {
    reply: Response<Bytes>,
    does: Action,
    meant: Option<Action>,
}

fn row(
    status: u16,
    headers: &[(&str, &str)],
    body: &'static [u8],
    does: Action,
    meant: impl Into<Option<Action>>,
) -> Row {
    let mut reply = Response::builder().status(status);
    for (name, value) in headers {
        reply = reply.header(*name, value.as_bytes());
    }
    Row { reply: reply.body(body.into()).unwrap(), does, meant: meant.into() }
}

fn of_type(media_type: &str) -> [(&str, &str); 1] {
    [("content-type", media_type)]
}

fn attached(disposition: &str) -> [(&str, &str); 1] {
    [("content-disposition", disposition)]
}

fn successes() -> Vec<Row> {
    let plain = of_type("text/plain; charset=utf-8");
    let json = of_type("application/json");
    vec![
        row(204, &[], b"", go_on(), None),
        row(204, &plain, b"not sent", go_on(), None),
        row(204, &of_type("image/png"), PNG, go_on(), None),
        row(205, &[], b"", go_on(), None),
        // Pictures.
        row(200, &of_type("image/png"), PNG, image("image/png", PNG), None),
        row(200, &of_type("image/jpeg"), JPEG, image("image/jpeg", JPEG), None),
        row(200, &of_type("Image/JPEG; q=1"), JPEG, image("image/jpeg", JPEG), None),
        row(200, &of_type("image/png"), b"", go_on(), go_on()),
        row(200, &of_type("image/jpg"), JPEG, go_on(), image("image/jpeg", JPEG)),
        row(200, &of_type("image/webp"), b"RIFF", go_on(), file(Some("image.webp"), b"RIFF")),
        row(200, &of_type("image/svg+xml"), b"<svg/>", go_on(), file(Some("image.svg"), b"<svg/>")),
        // Text.
        row(200, &plain, "提示".as_bytes(), text("提示"), None),
        row(200, &of_type("text/plain"), "提示".as_bytes(), text("提示"), None),
        row(200, &of_type("plain/text"), "提示".as_bytes(), text("提示"), None),
        row(200, &of_type("text/plain; charset=gbk"), GBK, text("你好"), text("你好")),
        row(200, &of_type("text/plain; charset=gbk"), b"ascii", text("ascii"), None),
        row(200, &of_type("text/plain"), b"a\xff", text("a\u{fffd}"), text("a\u{fffd}")),
        row(200, &plain, b"", go_on(), go_on()),
        row(200, &of_type("text/html"), b"<p>", go_on(), go_on()),
        // Documents.
        row(200, &json, b"{\"result\":{}}", merge("{\"result\":{}}"), None),
        row(200, &of_type("application/json; charset=utf-8"), b" {} ", merge(" {} "), None),
        row(
            200,
            &of_type("application/json; charset=gbk"),
            b"{\"\xc4\xe3\":1}",
            merge("{\"你\":1}"),
            merge("{\"你\":1}"),
        ),
        row(200, &json, b"", go_on(), None),
        row(200, &json, b" null\n", go_on(), None),
        row(200, &json, b"[1]", go_on(), go_on()),
        row(200, &json, b"\"ok\"", go_on(), go_on()),
        row(200, &json, b"{\"a\":", go_on(), go_on()),
        row(200, &json, b"{\"a\":\"\xff\"}", go_on(), go_on()),
        row(200, &of_type("application/jsonx"), b"{}", go_on(), go_on()),
        // Anything else.
        row(200, &of_type("application/octet-stream"), b"", go_on(), None),
        row(200, &of_type("application/octet-stream"), PNG, go_on(), go_on()),
        row(200, &of_type("garbage"), b"x", go_on(), go_on()),
        // A success that koipy ignores.
        row(201, &plain, b"created", go_on(), text("created")),
        row(202, &of_type("image/png"), PNG, go_on(), image("image/png", PNG)),
        row(201, &json, b"{}", go_on(), merge("{}")),
        row(203, &[], b"", go_on(), go_on()),
        row(299, &[], b"file", go_on(), file(None, b"file")),
    ]
}

fn files() -> Vec<Row> {
    let named = |disposition, name| row(200, &attached(disposition), b"x", file(name, b"x"), None);
    let pdf = [
        ("content-type", "application/pdf"),
        ("content-disposition", "attachment; filename=a.pdf"),
    ];
    let shown = [("content-type", "application/pdf"), ("content-disposition", "inline")];
    vec![
        row(200, &[], b"x", file(None, b"x"), None),
        row(200, &of_type(""), b"x", file(None, b"x"), None),
        row(200, &[], b"", go_on(), go_on()),
        row(200, &attached("attachment; filename=\"empty\""), b"", go_on(), go_on()),
        named("attachment; filename=\"test.jpg\"", Some("test.jpg")),
        named("attachment; filename=test.jpg", Some("test.jpg")),
        named("attachment; filename=\"结果.csv\"", Some("结果.csv")),
        named("attachment; filename*=UTF-8''%E7%BB%93%E6%9E%9C.csv", Some("结果.csv")),
        named("attachment; filename=\"_.csv\"; filename*=UTF-8''%E7%BB%93.csv", Some("结.csv")),
        named("attachment; filename=\"../../etc/passwd\"", Some("passwd")),
        named("attachment; filename=\"C:\\Users\\a.txt\"", Some("a.txt")),
        named("attachment; filename*=UTF-8''..%2F..%5Ca.txt", Some("a.txt")),
        named("attachment; filename=\"..\"", None),
        named("attachment", None),
        // koipy takes nothing with a type for a file; but the word attachment says what was meant.
        row(200, &pdf, b"%PDF", go_on(), file(Some("a.pdf"), b"%PDF")),
        row(200, &shown, b"%PDF", go_on(), go_on()),
    ]
}

fn failures() -> Vec<Row> {
    let plain = of_type("text/plain; charset=utf-8");
    let problem = of_type("application/problem+json");
    let mut rows = vec![
        // 400 exactly is ignored.
        row(400, &plain, b"not you", go_on(), refuse("not you")),
        row(400, &[], b"", go_on(), refuse("Bad Request")),
        row(400, &of_type("image/png"), PNG, go_on(), refuse("Bad Request")),
        row(400, &problem, b"{\"detail\":\"bad id\"}", go_on(), refuse("bad id")),
        // A text that cannot be read.
        row(403, &of_type("image/jpeg"), PNG, refuse(""), refuse("Forbidden")),
        row(403, &of_type("application/octet-stream"), b"\xff", refuse(""), refuse("Forbidden")),
        row(403, &of_type("text/plain; charset=gbk"), GBK, refuse("你好"), refuse("你好")),
        row(403, &[], b"", refuse(""), refuse("Forbidden")),
        row(403, &problem, b"{\"title\":\"No\"}", refuse("{\"title\":\"No\"}"), refuse("No")),
        row(403, &problem, b"no JSON", refuse("no JSON"), None),
        row(499, &[], b"", refuse(""), refuse("Refused")),
        // A text that can be read, whatever its type.
        row(403, &of_type("application/json"), b"{}", refuse("{}"), None),
        row(403, &of_type("application/octet-stream"), b"no", refuse("no"), None),
        row(403, &[], "不行".as_bytes(), refuse("不行"), None),
        row(599, &of_type("text/html"), b"<h1>", refuse("<h1>"), None),
    ];
    for status in [401, 402, 403, 404, 408, 409, 422, 429, 451, 500, 502, 503, 999] {
        rows.push(row(status, &plain, b"no", refuse("no"), None));
    }
    // koipy follows no redirect.
    for status in [300, 301, 302, 303, 304, 307, 308, 399] {
        rows.push(row(status, &plain, b"elsewhere", go_on(), go_on()));
    }
    rows
}

fn matrix() -> Vec<Row> {
    successes().into_iter().chain(files()).chain(failures()).collect()
}

/// On the bot's side.
#[tokio::test]
async fn koipy_does_with_a_reply_what_its_document_says() {
    for Row { reply, does, .. } in matrix() {
        let shown = format!("{reply:?}");
        let client = service_fn(async |reply: Response<Bytes>| {
            Ok::<_, Infallible>(reply.map(Full::<Bytes>::from))
        });
        let bot = InterpretLayer::for_contract(OnPreSend::new()).layer(client);
        let heard = bot.oneshot(reply).await.unwrap();
        assert_eq!(*heard.body(), does, "{shown}");
    }
}

/// On the server's side: koipy reads what goes out as what was meant.
#[tokio::test]
async fn a03_a_response_is_rewritten_to_what_was_meant_and_otherwise_passes_unchanged() {
    for Row { reply, does, meant } in matrix() {
        let shown = format!("{reply:?}");
        assert_eq!(OnMessage::new().intent(&reply), meant, "{shown}");
        let sent = acted(ActionLayer::for_contract(OnMessage::new()), reply.clone()).await;
        let action = OnMessage::new().action(&sent);
        assert_eq!(action, meant.clone().unwrap_or(does), "{shown}");
        assert_eq!(sent.extensions().get(), Some(&action), "{shown}");
        if meant.is_none() {
            assert_eq!((sent.status(), sent.body()), (reply.status(), reply.body()), "{shown}");
            assert_eq!(sent.headers(), reply.headers(), "{shown}");
        } else {
            // A rewritten response needs no rewriting.
            assert_eq!(OnMessage::new().intent(&sent), None, "{shown} became {sent:?}");
        }
    }
}

#[tokio::test]
async fn a03_what_is_passed_or_warned_about_goes_as_it_is() {
    for policy in [OnMisleadingReply::Pass, OnMisleadingReply::Warn] {
        for Row { reply, does, .. } in matrix() {
            let layer = ActionLayer::for_contract(OnMessage::new()).on_misleading_reply(policy);
            let sent = acted(layer, reply.clone()).await;
            assert_eq!((sent.status(), sent.body()), (reply.status(), reply.body()));
            assert_eq!(sent.extensions().get(), Some(&does));
        }
    }
}

/// A rewritten response would pass compressed bytes off as text.
#[tokio::test]
async fn a03_what_is_compressed_is_not_rewritten() {
    const ZIPPED: &[u8] = b"\x1f\x8b\x08\xff";
    let compressed = |status: u16, media_type| {
        let reply = Response::builder().status(status).header("content-encoding", "gzip");
        reply.header("content-type", media_type).body(Bytes::from_static(ZIPPED)).unwrap()
    };
    for (status, media_type) in [
        (200, "text/plain; charset=utf-8"),
        (200, "application/json"),
        (403, "text/plain"),
        (500, "text/html"),
    ] {
        let reply = compressed(status, media_type);
        let sent = acted(ActionLayer::for_contract(OnMessage::new()), reply.clone()).await;
        assert_eq!((sent.status(), sent.body()), (reply.status(), reply.body()), "{media_type}");
        assert_eq!(sent.headers(), reply.headers());
    }
    // koipy would ignore it.
    let meant = OnMessage::new().intent(&compressed(400, "text/plain"));
    assert_eq!(meant, Some(refuse("Bad Request")));
}

async fn acted(layer: ActionLayer<OnMessage>, reply: Response<Bytes>) -> Response<Bytes> {
    let service =
        service(&layer, move |_: Req| std::future::ready(Ok(reply.clone().map(TestBody::from))));
    let (head, body) = service.oneshot(post("/", "{}")).await.unwrap().into_parts();
    Response::from_parts(head, body_of(body).await)
}

// ===== The law =====

/// Actions that koipy can do.
fn expressible() -> impl Strategy<Value = Action> {
    let bytes = || prop::collection::vec(any::<u8>(), 1..40).prop_map(Bytes::from);
    let picture = prop_oneof![Just("image/png"), Just("image/jpeg")];
    let clean = "[^/\\\\\\p{Cc}\\s]{1,20}( [^/\\\\\\p{Cc}\\s]{1,9})?";
    let name = clean.prop_filter("a name", |name| !matches!(&**name, "." | ".."));
    let object = prop::collection::btree_map(".{0,5}", any::<i64>(), 0..4);
    prop_oneof![
        Just(Action::Accept),
        any::<String>().prop_map(|text| Action::Refuse { text }),
        "(?s).{1,40}".prop_map(|text| Action::Use(Content::Text(text))),
        (picture, bytes()).prop_map(|(media_type, bytes)| {
            Action::Use(Content::Image { media_type: media_type.to_owned(), bytes })
        }),
        (prop::option::of(name), bytes())
            .prop_map(|(name, bytes)| Action::Use(Content::File { name, bytes })),
        object.prop_map(|fields| {
            Action::Use(Content::Merge(serde_json::to_vec(&fields).unwrap().into()))
        }),
    ]
}

/// Actions of any kind.
fn any_action() -> impl Strategy<Value = Action> {
    let bytes = || any::<Vec<u8>>().prop_map(Bytes::from);
    prop_oneof![
        expressible(),
        any::<Option<u32>>().prop_map(|after| Action::Retry {
            after: after.map(|seconds| Duration::from_secs(seconds.into()))
        }),
        any::<String>().prop_map(|text| Action::Use(Content::Text(text))),
        bytes().prop_map(|document| Action::Use(Content::Merge(document))),
        (any::<String>(), bytes())
            .prop_map(|(media_type, bytes)| { Action::Use(Content::Image { media_type, bytes }) }),
        (any::<Option<String>>(), bytes())
            .prop_map(|(name, bytes)| Action::Use(Content::File { name, bytes })),
    ]
}

proptest! {
    #[test]
    fn what_is_said_is_heard(action in expressible()) {
        let labelled = OnResult::new().plain_text_as_documented();
        prop_assert_eq!(&labelled.action(&labelled.reply(&action)), &action);
        let wire = OnResult::new().reply(&action);
        prop_assert_eq!(&OnResult::new().action(&wire), &action);
        // It does what it seems to, except a refusal without a text.
        if action != refuse("") {
            prop_assert_eq!(OnResult::new().intent(&wire), None);
        }
    }

    #[test]
    fn a02_what_cannot_be_said_degrades_once_and_never_from_a_failure_to_an_accept(
        action in any_action(),
    ) {
        let contract = OnMessage::new();
        let heard = contract.action(&contract.reply(&action));
        prop_assert_eq!(&contract.action(&contract.reply(&heard)), &heard);
        let refuses = |action: &Action| matches!(action, Action::Refuse { .. } | Action::Retry { .. });
        prop_assert_eq!(refuses(&action), refuses(&heard));
        if let (Action::Use(Content::Image { bytes, .. }), false) = (&action, heard == Action::Accept) {
            let kept = match &heard {
                Action::Use(Content::Image { bytes, .. } | Content::File { bytes, .. }) => bytes,
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(kept, bytes);
        }
    }

    #[test]
    fn replies_of_any_kind_are_read(
        status in 200_u16..1000,
        media_type in prop::option::of("[a-z]{0,5}/[a-z+]{0,9}(; charset=[a-z0-9-]{0,9})?|image/.{0,5}"),
        disposition in prop::option::of("[ -~é]{0,30}"),
        body: Vec<u8>,
    ) {
        let mut reply = Response::builder().status(status);
        for (name, value) in [("content-type", media_type), ("content-disposition", disposition)] {
            if let Some(value) = value.filter(|value| !value.chars().any(char::is_control)) {
                reply = reply.header(name, value.as_bytes());
            }
        }
        let reply = reply.body(Bytes::from(body)).unwrap();
        let contract = OnMessage::new();
        let does = contract.action(&reply);
        let meant = contract.intent(&reply);
        // A failure that was meant is a refusal, and nothing else is.
        let action = meant.unwrap_or(does);
        prop_assert_eq!(matches!(action, Action::Refuse { .. }), status >= 400);
        // Its wire form reads back as the same.
        prop_assert_eq!(&contract.action(&contract.reply(&action)), &action);
    }
}
