//! `KoipyLayer` from outside: who fails how, and what a duplicate gets.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use tower::{Layer, ServiceExt, service_fn};
use tower_callback_action::Rule;
use tower_callback_contract::{Action, Body, Callback, Content, Contract, Refusal};
use tower_callback_dedup::Outcome;
use tower_callback_koipy::{
    HookRequest, KoipyContract, KoipyLayer, OnMessage, PreSendReply, Reply, ResultReply, SPELLING,
    hook::{self, Hook},
};
use tower_callback_testkit::{
    BoxError, Handling, Req, Res, TestBody, around, body_of, is_service, post, response, service,
};

const ON_MESSAGE: &str = include_str!("payloads/on_message.json");
const ON_PRE_SEND: &str = include_str!("payloads/on_pre_send.json");
const ON_RESULT: &str = include_str!("payloads/on_result.json");

fn closed() -> KoipyLayer<hook::OnMessage> {
    KoipyLayer::for_contract(OnMessage::new().fail_closed())
}

fn callback(body: impl Into<TestBody>) -> Req {
    // Without a content type, as older versions of the bot send it.
    post("/hook", body)
}

fn plain(status: u16, text: &'static str) -> Res {
    let mut plain = response(status, text);
    plain.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    plain
}

fn payload(body: &'static str) -> Body {
    Body::new(body, SPELLING)
}

/// What the platform does on the response that goes out.
async fn does<H: Hook>(layer: &KoipyLayer<H>, body: &str, reply: Res) -> Action {
    let (service, mut play) = around(layer);
    let answering = tokio::spawn(service.oneshot(callback(body.to_owned())));
    play.next_request().await.unwrap().1.send_response(reply);
    read(answering.await.unwrap().unwrap()).await
}

async fn read(response: Res) -> Action {
    let (head, body) = response.into_parts();
    OnMessage::new().action(&Response::from_parts(head, body_of(body).await))
}

fn refuse(text: &str) -> Action {
    Action::Refuse { text: text.to_owned() }
}

#[tokio::test]
async fn a_crash_or_overload_lets_the_test_go_on_unless_it_is_to_fail_closed() {
    for status in [408, 425, 429, 500, 502, 503, 599] {
        let open = does(&KoipyLayer::on_message(), ON_MESSAGE, plain(status, "oh")).await;
        assert_eq!(open, Action::Accept, "{status}");
        assert_eq!(
            does(&closed(), ON_MESSAGE, plain(status, "oh")).await,
            refuse("oh"),
            "{status}"
        );
    }
    // A verdict on the user is not a failure of the handler.
    for status in [400, 401, 403, 404, 409, 422, 451] {
        let open = does(&KoipyLayer::on_message(), ON_MESSAGE, plain(status, "no")).await;
        assert_eq!(open, refuse("no"), "{status}");
    }
}

#[tokio::test]
async fn d05_a_panic_lets_the_test_go_on_unless_it_is_to_fail_closed() {
    let panics = async |_: Req| -> Result<Res, BoxError> { panic!("a bug") };
    let open = service(&KoipyLayer::on_message(), panics);
    let reply = open.oneshot(callback(ON_MESSAGE)).await.unwrap();
    assert_eq!(reply.extensions().get::<Refusal>().unwrap().reason().code(), "handler-failed");
    assert_eq!(read(reply).await, Action::Accept);
    let reply = service(&closed(), panics).oneshot(callback(ON_MESSAGE)).await.unwrap();
    assert_eq!(read(reply).await, refuse("the handler failed"));
}

#[tokio::test]
async fn r03_what_cannot_be_read_lets_the_test_go_on_and_says_why() {
    let never = async |_: Req| -> Result<Res, BoxError> { unreachable!() };
    for body in ["", "{", "[]", r#"{"message": {"from-user": 1, "from_user": 2}}"#] {
        let open = service(&KoipyLayer::on_message(), never);
        let reply = open.oneshot(callback(body)).await.unwrap();
        // koipy ignores a 400, and a person with curl sees what is wrong.
        assert_eq!(reply.status(), 400, "{body}");
        assert_eq!(reply.headers()["content-type"], "application/problem+json");
        let reply = service(&closed(), never).oneshot(callback(body)).await.unwrap();
        assert_eq!(reply.status(), 422, "{body}");
        assert!(matches!(read(reply).await, Action::Refuse { .. }));
    }
}

#[tokio::test]
async fn a_payload_that_does_not_fit_its_model_fails_the_same_way() {
    let handler = async |request: Req| {
        let callback: &Callback = request.extensions().get().unwrap();
        let refusal = HookRequest::try_from(callback).unwrap_err();
        let mut reply = refusal.to_problem().map(TestBody::from);
        reply.extensions_mut().insert(refusal);
        Ok(reply)
    };
    let odd = r#"{"message": {"id": "SECRET", "chat": {"id": 1}}}"#;
    let open = service(&KoipyLayer::on_message(), handler);
    let open = open.oneshot(callback(odd)).await.unwrap();
    assert_eq!(open.status(), 400);
    let shut = service(&closed(), handler).oneshot(callback(odd)).await.unwrap();
    assert!(matches!(read(shut).await, Action::Refuse { .. }));
}

#[tokio::test]
async fn d01_a_duplicate_gets_the_same_response_also_in_the_other_spelling() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let service = service(&KoipyLayer::on_message(), async |_: Req| {
        let run = RUNS.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(Res::from(Reply::text(format!("run {run}"))))
    });
    let other = ON_MESSAGE.replace("from-user", "from_user").replace("first-name", "first_name");
    for (body, run, outcome) in [
        (ON_MESSAGE.to_owned(), 1, Outcome::First),
        (ON_MESSAGE.to_owned(), 1, Outcome::Replayed),
        (other, 1, Outcome::Replayed),
        // The same message with another configuration is another question.
        (ON_MESSAGE.replace("SECRET-BOT", "SECRET-NEW"), 2, Outcome::First),
        (ON_MESSAGE.replace("4711", "4712"), 3, Outcome::First),
    ] {
        let reply = service.clone().oneshot(callback(body)).await.unwrap();
        assert_eq!(reply.extensions().get(), Some(&outcome));
        let text = format!("run {run}");
        assert_eq!(read(reply).await, Action::Use(Content::Text(text)));
    }
}

#[tokio::test]
async fn d14_a_picture_of_up_to_a_mebibyte_is_replayed() {
    for (bytes, outcome) in [(1 << 20, Outcome::Replayed), ((1 << 20) + 1, Outcome::First)] {
        let photo = [b"\x89PNG\r\n\x1a\n", &*vec![0; bytes - 8]].concat();
        let photo = Reply::photo(photo).unwrap();
        let service = service(&KoipyLayer::on_result(), move |_: Req| {
            std::future::ready(Ok(Res::from(photo.clone())))
        });
        let first = service.clone().oneshot(callback(ON_RESULT)).await.unwrap();
        assert_eq!(body_of(first.into_body()).await.len(), bytes);
        let duplicate = service.oneshot(callback(ON_RESULT)).await.unwrap();
        assert_eq!(duplicate.extensions().get(), Some(&outcome));
        assert_eq!(body_of(duplicate.into_body()).await.len(), bytes);
    }
}

#[test]
fn three_hooks_of_one_message_are_three_callbacks() {
    fn id_of<H: Hook>(contract: &KoipyContract<H>, body: &'static str) -> String {
        let (head, ()) = Request::new(()).into_parts();
        let callback = Callback::receive(contract, &head, body).unwrap();
        format!("{:?}", callback.envelope().id.as_ref().unwrap())
    }
    let ids = [
        id_of::<hook::OnMessage>(&KoipyContract::new(), ON_MESSAGE),
        id_of::<hook::OnPreSend>(&KoipyContract::new(), ON_PRE_SEND),
        id_of::<hook::OnResult>(&KoipyContract::new(), ON_RESULT),
    ];
    let expected = ["onMessage", "onPreSend", "onResult"]
        .map(|hook| format!("koipy.{hook}/-1001234567890/4711"));
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn responses_arrive_as_they_were_written() {
    let png = b"\x89PNG\r\n\x1a\n....";
    let result = HookRequest::try_from(&payload(ON_RESULT)).unwrap().result;
    let columns = ResultReply::to(&result).column("NewKey", ["a", "b", "c"]).unwrap();
    for reply in [
        Reply::proceed(),
        Reply::refuse("不行"),
        Reply::text("提示"),
        Reply::text(""),
        Reply::photo(&png[..]).unwrap(),
        Reply::file("../结果.csv", "a,b"),
        Reply::file("empty", ""),
        columns.into(),
    ] {
        let action = reply.action().clone();
        let layer = KoipyLayer::on_result();
        assert_eq!(does(&layer, ON_RESULT, reply.into()).await, action);
    }
    assert!(Reply::photo("GIF89a").is_err());
}

#[tokio::test]
async fn text_is_labelled_as_the_bot_reads_it() {
    for (contract, label) in [
        (OnMessage::new(), "text/plain; charset=utf-8"),
        (OnMessage::new().plain_text_as_documented(), "plain/text"),
    ] {
        let layer = KoipyLayer::for_contract(contract);
        let service = service(&layer, async |_: Req| Ok(Res::from(Reply::text("提示"))));
        let reply = service.oneshot(callback(ON_MESSAGE)).await.unwrap();
        assert_eq!(reply.headers()["content-type"], label);
    }
}

#[tokio::test]
async fn the_table_can_be_edited_for_a_route() {
    let layer = KoipyLayer::on_message().action(|action| {
        action.on(409, Action::Accept).on(500, Action::Refuse { text: "坏了".to_owned() })
    });
    for (id, reply, action) in [
        ("1", plain(409, "done"), Action::Accept),
        ("2", plain(500, "trace"), refuse("坏了")),
        ("3", plain(502, "x"), Action::Accept),
    ] {
        assert_eq!(does(&layer, &ON_MESSAGE.replace("4711", id), reply).await, action);
    }
}

#[tokio::test]
async fn a_letter_that_its_sink_did_not_take_is_accepted_unless_it_is_to_fail_closed() {
    let sink = service_fn(async |_: Request<Bytes>| Err::<(), _>("the disk is full"));
    let unkept = "the dead-letter sink is not available";
    for (layer, action) in [(KoipyLayer::on_message(), Action::Accept), (closed(), refuse(unkept))]
    {
        let layer = layer.action(|action| action.on(422, Rule::dead_letter(sink)));
        let service = service(&layer, async |_: Req| Ok(plain(422, "poison")));
        for outcome in [Outcome::First, Outcome::Replayed] {
            let reply = service.clone().oneshot(callback(ON_MESSAGE)).await.unwrap();
            assert_eq!(reply.extensions().get(), Some(&outcome));
            assert_eq!(read(reply).await, action);
        }
    }
}

#[test]
fn columns_that_do_not_fit_are_not_sent() {
    let result = HookRequest::try_from(&payload(ON_RESULT)).unwrap().result;
    assert_eq!(result.rows(), Some(3));
    let error = ResultReply::to(&result).column("x", [1, 2]).unwrap_err();
    assert_eq!(error.to_string(), "column `x` has 2 values for 3 nodes");
    assert_eq!(Refusal::from(error).reason().code(), "handler-failed");

    let failed = payload(r#"{"result": {"error": "timeout"}}"#);
    let failed = HookRequest::try_from(&failed).unwrap().result;
    assert_eq!((failed.rows(), failed.error()), (None, Some("timeout")));
    let error = ResultReply::to(&failed).column("x", [1]).unwrap_err();
    assert_eq!(error.to_string(), "column `x` has no nodes to belong to");
    // Nothing changed: nothing sent.
    assert_eq!(Reply::from(ResultReply::to(&failed)), Reply::proceed());
}

#[test]
fn a_result_goes_back_without_what_it_did_not_change() {
    let result = HookRequest::try_from(&payload(ON_RESULT)).unwrap().result;
    let reply = ResultReply::to(&result).column("类型", ["a", "b", "c"]).unwrap();
    let wire: Response<Bytes> = Reply::from(reply).into();
    let expected = serde_json::json!({"result": {"类型": ["a", "b", "c"]}});
    assert_eq!(serde_json::from_slice::<serde_json::Value>(wire.body()).unwrap(), expected);
}

#[test]
fn a_task_goes_back_whole_and_in_its_own_spelling() {
    let (head, ()) = Request::new(()).into_parts();
    let callback = Callback::receive(&OnMessage::new(), &head, ON_MESSAGE).unwrap();
    let mut reply = PreSendReply::to(&callback).unwrap();
    assert!(!format!("{reply:?}").contains("SECRET"));
    reply.slave_mut().insert("id".to_owned(), "tokyo".into());
    let wire: Response<Bytes> = Reply::from(reply).into();
    assert_eq!(wire.status(), StatusCode::OK);
    let mut expected: serde_json::Value = serde_json::from_str(ON_MESSAGE).unwrap();
    expected["slaveRequest"] = serde_json::json!({"slave": {"id": "tokyo"}});
    assert_eq!(serde_json::from_slice::<serde_json::Value>(wire.body()).unwrap(), expected);

    for odd in [r#"{"slaveRequest": 1}"#, r#"{"slaveRequest": {"slave": []}}"#, "[]"] {
        assert!(PreSendReply::try_from(&payload(odd)).is_err(), "{odd}");
    }
}

#[test]
fn presets_are_services_anywhere() {
    let handler = || Handling(async |_: Req| Ok(response(204, "")));
    is_service(&KoipyLayer::on_message().layer(handler()));
    is_service(&KoipyLayer::on_pre_send().layer(handler()));
    is_service(&KoipyLayer::on_result().layer(handler()));
}
