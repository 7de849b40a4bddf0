//! The crate seen from outside.

#![expect(clippy::unwrap_used, reason = "in helpers of tests, which clippy does not recognise")]

mod documents;

use std::{fmt::Debug, fs};

use bytes::Bytes;
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use tower_callback_contract::{Body, Callback, Contract, Envelope, Id, Refusal};
use tower_callback_wulai::{
    AnyCallback, Delivery, ErrorCallback, ErrorReport, MessageDelivery, MessageRoute, MsgBody,
    RouteReply, RouteRequest, SPELLING, Suggestion,
    model::{AnyRequest, MsgType, Source, VoiceType},
};

use self::documents::{any_choices, any_delivery, any_error, any_object, any_route, respelled};

#[test]
fn both_spellings_of_one_message_are_one_event_and_one_model() {
    let (snake, camel) = (payload("delivery_snake"), payload("delivery_camel"));
    let contract = MessageDelivery::new();
    assert_eq!(identify(&contract, snake.body()), identify(&contract, camel.body()));
    let delivery = Delivery::try_from(&snake).unwrap();
    assert_eq!(Delivery::try_from(&camel), Ok(delivery));

    let (snake, camel) = (payload("route"), payload("route_camel"));
    let contract = MessageRoute::new();
    assert_eq!(identify(&contract, snake.body()), identify(&contract, camel.body()));
    let request = RouteRequest::try_from(&snake).unwrap();
    assert_eq!(RouteRequest::try_from(&camel), Ok(request));
}

#[test]
fn a_delivery_is_read_whole() {
    let delivery = Delivery::try_from(&payload("delivery_snake")).unwrap();
    let sender = delivery.sender_info.unwrap();
    let similar = &delivery.similar_response[0];
    assert_eq!(delivery.user_id, "oZ8_anna");
    assert_eq!(delivery.msg_id, "160273400001");
    assert_eq!(delivery.msg_ts.as_millis(), 1_602_734_000_123);
    assert_eq!(delivery.msg_type, Some(MsgType::Text));
    assert_eq!(delivery.msg_body.text(), Some("您好，您的订单已经发货 📦"));
    assert_eq!(sender.nickname.as_deref(), Some("小吾"));
    assert_eq!(delivery.extra.as_deref(), Some(r#"{"channel":"app"}"#));
    assert_eq!(delivery.source, Some(Source::QaBot));
    assert_eq!(delivery.bot.unwrap()["qa"]["knowledge_id"], 4711);
    assert_eq!(similar.url.as_deref(), Some("https://faq.example/17"));
    assert_eq!(delivery.enable_evaluate, Some(true));
    assert_eq!(delivery.quick_reply, ["查物流", "退货", "转人工"]);
    assert_eq!(delivery.other, Map::new());
}

#[test]
fn every_kind_of_media_is_its_own_variant() {
    let body = |name| Delivery::try_from(&payload(name)).unwrap().msg_body;
    assert!(matches!(body("image"), MsgBody::Image { image, .. }
        if image.resource_url.ends_with("产品.jpg")));
    assert!(matches!(body("voice"), MsgBody::Voice { voice, .. }
        if voice.voice_type == Some(VoiceType::Amr) && voice.recognition.is_some()));
    assert!(matches!(body("video"), MsgBody::Video { video, .. }
        if video.title.as_deref() == Some("安装教程") && video.thumb.is_some()));
    assert!(matches!(body("file"), MsgBody::File { file, .. }
        if file.file_name.as_deref() == Some("说明书.pdf")));
}

#[test]
fn every_other_kind_of_message_is_its_own_variant() {
    let body = |name| Delivery::try_from(&payload(name)).unwrap().msg_body;
    assert!(matches!(body("delivery_snake"), MsgBody::Text { .. }));
    assert!(matches!(body("share_link"), MsgBody::ShareLink { share_link, .. }
        if share_link.title == "双十一活动" && share_link.cover_url.is_some()));
    assert!(matches!(body("rich_text"), MsgBody::RichText { rich_text, .. }
        if rich_text.resource_url.ends_with("answer.html")));
    assert!(matches!(body("custom"), MsgBody::Custom { custom, .. }
        if custom.content.is_some()));
    assert!(matches!(body("event"), MsgBody::Event { event, .. }
        if event.event_type.as_deref() == Some("SESSION_END") && event.fields.is_some()));
}

#[test]
fn a_new_kind_of_message_is_no_error() {
    let delivery = Delivery::try_from(&payload("new_kind")).unwrap();
    let MsgBody::Other(fields) = delivery.msg_body else { panic!("known") };
    assert_eq!(fields["mini_program"]["app_id"], "wx1234");
    assert_eq!(delivery.msg_type, Some(MsgType::Other("MINI_PROGRAM".into())));
    assert_eq!(delivery.other["trace"], json!({"span": "a1"}));
}

#[test]
fn a_route_is_read_whole() {
    let request = RouteRequest::try_from(&payload("route")).unwrap();
    assert_eq!(request.nickname, "安娜");
    assert_eq!(request.msg_body.text(), Some("这个多少钱?"));
    assert!(!request.is_dispatch);
    let [sure, unsure] = &request.suggested_response[..] else { panic!("two answers") };
    assert_eq!((sure.is_send, unsure.is_send), (Some(true), Some(false)));
    assert_eq!((sure.score, unsure.score), (Some(0.875), Some(0.25)));
    assert_eq!(sure.source, Some(Source::TaskBot));
    assert_eq!(sure.other["trace_id"], "7f3c");
    let [text, image] = &sure.response[..] else { panic!("two messages") };
    assert_eq!(text.delay_ts.map(|delay| delay.as_secs()), Some(2));
    assert_eq!(text.answer_id, Some(json!(90_071_992_547_409_u64)));
    assert_eq!(image.answer_id, Some(json!("a-2")));
    assert_eq!(image.other["render"], json!({"width": 320}));
}

#[test]
fn an_error_is_read_whole() {
    let report = ErrorReport::try_from(&payload("error")).unwrap();
    assert_eq!(report.user_id.as_deref(), Some("oZ8_anna"));
    assert!(report.error_msg.is_some_and(|text| text.starts_with("45015")));
    assert_eq!(report.source_msg_id.as_deref(), Some("160273400001"));
    let id = identify(&ErrorCallback::new(), payload("error").body()).unwrap().id;
    assert_eq!(id.map(|id| id.scope().to_owned()).as_deref(), Some("wulai.error"));
}

#[test]
fn one_reader_takes_all_three() {
    let read = |name| AnyRequest::try_from(&payload(name)).unwrap();
    assert!(matches!(read("delivery_camel"), AnyRequest::Delivery(_)));
    assert!(matches!(read("route_camel"), AnyRequest::Route(_)));
    assert!(matches!(read("error"), AnyRequest::Error(_)));
}

#[test]
fn null_is_absent() {
    let mut document = delivery();
    for name in
        ["msg_type", "senderInfo", "extra", "source", "bot", "similarResponse", "quickReply"]
    {
        document[name] = Value::Null;
    }
    document["enable_evaluate"] = Value::Null;
    let read = Delivery::try_from(&callback(&document));
    assert_eq!(read, Delivery::try_from(&callback(&delivery())));
    document["msg_id"] = Value::Null;
    let refusal = Delivery::try_from(&callback(&document)).unwrap_err();
    assert_eq!(detail(&refusal), "field `/msg_id` is missing");
}

#[test]
fn what_is_required_must_be_there() {
    for name in ["user_id", "msg_id", "msg_ts", "msg_body"] {
        let expected = format!("field `/{name}` is missing");
        let refusal = Delivery::try_from(&callback(&without(&delivery(), name))).unwrap_err();
        assert_eq!(detail(&refusal), expected);
        let refusal = RouteRequest::try_from(&callback(&without(&route(), name))).unwrap_err();
        assert_eq!(detail(&refusal), expected);
    }
    for name in ["suggested_response", "is_dispatch", "nickname"] {
        let refusal = RouteRequest::try_from(&callback(&without(&route(), name))).unwrap_err();
        assert_eq!(detail(&refusal), format!("field `/{name}` is missing"));
    }
    assert_eq!(ErrorReport::try_from(&callback(&json!({}))), Ok(ErrorReport::default()));
}

#[test]
fn a_refusal_names_the_ill_typed_field_and_never_its_value() {
    for (name, secret, pointer) in [
        ("user_id", json!(["secret"]), ""),
        ("msg_id", json!({"secret": 1}), ""),
        ("msg_ts", json!("secret"), ""),
        ("extra", json!(["secret"]), ""),
        ("nickname", json!({"secret": 1}), ""),
        ("is_dispatch", json!("secret"), ""),
        ("msg_body", json!("secret"), ""),
        ("msg_body", json!(["secret"]), ""),
        ("msg_body", json!({"text": ["secret"]}), "/text"),
        ("msg_body", json!({"text": {"content": ["secret"]}}), "/text/content"),
        ("suggested_response", json!({"secret": 1}), ""),
        ("suggested_response", json!([["secret"]]), "/0"),
    ] {
        let pointer = format!("/{name}{pointer}");
        is_refused(name, secret, &pointer);
    }
}

#[test]
fn a_refusal_names_the_ill_typed_field_of_an_answer() {
    for (name, secret) in [
        ("is_send", json!("secret")),
        ("bot", json!(["secret"])),
        ("source", json!(["secret"])),
        ("score", json!("secret")),
        ("quick_reply", json!("secret")),
        ("response", json!({"secret": 1})),
    ] {
        let pointer = format!("/suggested_response/0/{name}");
        is_refused("suggested_response", json!([{ name: secret }]), &pointer);
    }
    for (name, secret, canonical) in [
        ("delay_ts", json!("secret"), "delay_ts"),
        ("enableEvaluate", json!("secret"), "enable_evaluate"),
        ("similarResponse", json!([["secret", "a", "b"]]), "similar_response/0"),
        ("msgBody", json!(["secret"]), "msg_body"),
    ] {
        let pointer = format!("/suggested_response/0/response/0/{canonical}");
        let answer = json!({"response": [{ name: secret }]});
        is_refused("suggested_response", json!([answer]), &pointer);
    }
}

#[test]
fn an_array_is_no_object_at_any_depth() {
    for (name, array) in [
        ("msg_body", json!(["你好"])),
        ("msg_body", json!({"text": ["你好"]})),
        ("sender_info", json!(["url", "小吾", "客服"])),
        ("similar_response", json!([["url", "QA_BOT", {}]])),
        ("bot", json!([])),
    ] {
        let mut document = delivery();
        document[name] = array;
        assert!(Delivery::try_from(&callback(&document)).is_err(), "{document}");
        assert!(serde_json::from_value::<Delivery>(document).is_err());
    }
    let positional = r#"["anna","17","1700000000000",null,{"text":{"content":"a"}}]"#;
    assert!(serde_json::from_str::<Delivery>(positional).is_err());
    assert!(serde_json::from_str::<ErrorReport>(r#"["anna","a","b"]"#).is_err());
    assert!(serde_json::from_str::<ErrorReport>("null").is_err());
}

#[test]
fn contract_and_models_refuse_the_same_documents() {
    let fields = r#""user_id":"anna","msg_id":"17","msg_ts":"1700000000000","nickname":"a",
        "is_dispatch":false,"suggested_response":[],"msg_body":{"text":{"content":"a"}}"#;
    let mut latin = format!("{{{fields},\"x\":\"?\"}}").into_bytes();
    let question_mark = latin.len() - 3;
    latin[question_mark] = 0xFF;
    let bodies = [
        format!("[{{{fields}}}]").into_bytes(),
        format!("{{{fields},\"msgId\":\"18\"}}").into_bytes(),
        format!("{{{fields},\"x\":[{{\"msgId\":1,\"msg_id\":2}}]}}").into_bytes(),
        format!("{{{fields},\"msgId\":17}}").into_bytes(),
        format!("{{{fields},\"x\":\"\\ud800\"}}").into_bytes(),
        format!("{{{fields}}} ,").into_bytes(),
        latin,
    ];
    let refused = |body: Vec<u8>| {
        let body = Body::new(body, SPELLING);
        [
            identify(&MessageDelivery::new(), &body).is_err(),
            identify(&MessageRoute::new(), &body).is_err(),
            identify(&ErrorCallback::new(), &body).is_err(),
            identify(&AnyCallback::new(), &body).is_err(),
            Delivery::try_from(&body).is_err(),
            RouteRequest::try_from(&body).is_err(),
            ErrorReport::try_from(&body).is_err(),
            AnyRequest::try_from(&body).is_err(),
            RouteReply::try_from(&body).is_err(),
        ]
    };
    assert_eq!(refused(format!("{{{fields}}}").into_bytes()), [false; 9]);
    // l03: of a key that stands twice the last counts, and it is refused where it identifies.
    let twice = format!("{{{fields},\"x\":{{\"a\":1,\"a\":1}}}}").into_bytes();
    assert_eq!(refused(twice), [false; 9]);
    let twice = format!("{{{fields},\"msg_id\":\"17\"}}").into_bytes();
    assert_eq!(refused(twice)[..4], [true, true, false, true]);
    // l04: below a tenant's own fields, names are themselves.
    let free = format!("{{{fields},\"bot\":{{\"qa\":{{\"msgId\":1,\"msg_id\":2}}}}}}").into_bytes();
    assert_eq!(refused(free), [false; 9]);
    for body in bodies {
        let text = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(refused(body), [true; 9], "{text}");
    }
}

#[test]
fn a_number_is_taken_where_the_id_reader_takes_it() {
    let mut document = delivery();
    document["user_id"] = 7.into();
    document["msg_id"] = 17.into();
    document["msg_ts"] = 1_700_000_000_000_u64.into();
    let callback = callback(&document);
    let read = Delivery::try_from(&callback).unwrap();
    let envelope = identify(&MessageDelivery::new(), callback.body()).unwrap();
    assert_eq!(envelope.id, Id::new("wulai.delivery", &read.msg_id));
    assert_eq!(envelope.conversation, Some(read.user_id));
    assert_eq!(envelope.sent_at, Some(read.msg_ts));
}

#[test]
fn a_float_is_no_id_to_either() {
    for name in ["user_id", "msg_id", "msg_ts"] {
        let mut document = delivery();
        document[name] = json!(1.5);
        let callback = callback(&document);
        let Envelope { id, conversation, sent_at, .. } =
            identify(&MessageDelivery::new(), callback.body()).unwrap();
        assert!(id.is_none() || conversation.is_none() || sent_at.is_none(), "{name}");
        assert!(Delivery::try_from(&callback).is_err(), "{name}");
    }
}

#[test]
fn a_route_reply_keeps_the_spelling_of_its_request() {
    for (name, dispatch, suggested) in [
        ("route", "is_dispatch", "suggested_response"),
        ("route_camel", "isDispatch", "suggestedResponse"),
    ] {
        let callback = payload(name);
        let mut expected = callback.json().unwrap().to_value();
        expected[suggested][0]["is_send"] = false.into();
        let mut reply = RouteReply::to(&callback).unwrap();
        reply.suggestions_mut()[0].suppress();
        let written = json_of(&reply.to_bytes());
        assert_eq!(written, json!({dispatch: false, suggested: expected[suggested]}));
    }
}

proptest! {
    #[test]
    fn a_delivery_survives_reading_and_writing(
        document in any_delivery(),
        choices in any_choices(),
    ) {
        survives::<Delivery>(&document, &choices)?;
    }

    #[test]
    fn a_route_survives_reading_and_writing(
        document in any_route(),
        choices in any_choices(),
    ) {
        survives::<RouteRequest>(&document, &choices)?;
    }

    #[test]
    fn an_error_survives_reading_and_writing(
        document in any_error(),
        choices in any_choices(),
    ) {
        survives::<ErrorReport>(&document, &choices)?;
    }

    #[test]
    fn spelling_never_changes_who_a_callback_is(
        document in any_delivery(),
        choices in any_choices(),
    ) {
        let contract = MessageDelivery::new();
        let envelope = identify(&contract, callback(&document).body());
        let mut choices = choices.iter().copied().cycle();
        let other = callback(&respelled(&document, &mut choices));
        prop_assert_eq!(identify(&contract, other.body()), envelope);
    }

    #[test]
    fn an_unchanged_route_reply_is_what_the_request_said(
        document in any_route(),
        items in prop::collection::vec(any_object(), 0..3),
        choices in any_choices(),
    ) {
        let mut document = document;
        document["suggested_response"].as_array_mut().unwrap().extend(items);
        let request = respelled(&document, &mut choices.iter().copied().cycle());
        let reply = RouteReply::to(&callback(&request)).unwrap();
        prop_assert_eq!(json_of(&reply.to_bytes()), answer_in(&request));
        let again = RouteReply::to(&callback(&request)).unwrap();
        prop_assert_eq!(again.to_bytes(), reply.to_bytes());
    }

    #[test]
    fn an_edited_route_reply_loses_no_field(
        document in any_route(),
        choices in any_choices(),
    ) {
        let request = respelled(&document, &mut choices.iter().copied().cycle());
        let mut reply = RouteReply::to(&callback(&request)).unwrap();
        for suggestion in reply.suggestions_mut() {
            suggestion.suppress();
            suggestion.edit_texts(|text| format!("{text}!"));
        }
        reply.hand_over();
        let mut expected = answer_in(&request);
        for (key, value) in expected.as_object_mut().unwrap() {
            match SPELLING.canonical(key) {
                "is_dispatch" => *value = true.into(),
                _ => value.as_array_mut().unwrap().iter_mut().for_each(suppress_and_exclaim),
            }
        }
        prop_assert_eq!(json_of(&reply.to_bytes()), expected);
    }

    #[test]
    fn an_answer_of_any_shape_can_be_edited(fields in any_object()) {
        let Value::Object(fields) = fields else { unreachable!() };
        let mut suggestion = Suggestion::from(fields.clone());
        suggestion.edit_texts(|text| format!("{text}!"));
        suggestion.suppress();
        let mut expected = fields;
        expected.insert("is_send".into(), false.into());
        prop_assert_eq!(suggestion.fields(), &expected);
    }
}

/// Expects a route with this value to be refused for the field at `pointer`.
fn is_refused(name: &str, secret: Value, pointer: &str) {
    let mut document = route();
    document[name] = secret;
    let refusal = RouteRequest::try_from(&callback(&document)).unwrap_err();
    let violations = refusal.reason().violations().unwrap();
    assert_eq!(
        (refusal.reason().code(), &*violations.iter().next().unwrap().pointer),
        ("invalid", pointer)
    );
    let said = detail(&refusal);
    assert!(said.starts_with(&format!("field `{pointer}` must ")), "{said}");
    assert!(!said.contains("secret"), "{said}");
}

/// Reads `document` in other spellings, and expects it back in the canonical ones.
fn survives<T>(document: &Value, choices: &[u8]) -> Result<(), TestCaseError>
where
    T: for<'c> TryFrom<&'c Callback, Error = Refusal>,
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let request = respelled(document, &mut choices.iter().copied().cycle());
    let model = T::try_from(&callback(&request))
        .map_err(|refusal| TestCaseError::fail(format!("{} in {request}", detail(&refusal))))?;
    let written = serde_json::to_value(&model).unwrap();
    prop_assert_eq!(&written, document);
    prop_assert_eq!(serde_json::from_value::<T>(written).unwrap(), model);
    Ok(())
}

fn suppress_and_exclaim(item: &mut Value) {
    item["is_send"] = false.into();
    let messages = item.get_mut("response").and_then(Value::as_array_mut);
    for message in messages.into_iter().flatten() {
        for pointer in ["/msg_body/text/content", "/msgBody/text/content"] {
            if let Some(content) = message.pointer_mut(pointer) {
                *content = format!("{}!", content.as_str().unwrap()).into();
            }
        }
    }
}

/// The part of a route request that an unchanged response repeats.
fn answer_in(request: &Value) -> Value {
    let fields = request.as_object().unwrap().iter();
    fields
        .filter(|(key, _)| ["is_dispatch", "suggested_response"].contains(&SPELLING.canonical(key)))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn delivery() -> Value {
    json!({
        "user_id": "anna", "msg_id": "17", "msg_ts": "1700000000000",
        "msg_body": {"text": {"content": "您好"}},
    })
}

fn route() -> Value {
    let mut request = delivery();
    request["nickname"] = "安娜".into();
    request["is_dispatch"] = false.into();
    request["suggested_response"] = json!([]);
    request
}

fn without(document: &Value, name: &str) -> Value {
    let mut fields = document.as_object().unwrap().clone();
    fields.remove(name).unwrap();
    fields.into()
}

fn callback(document: &Value) -> Callback {
    received(document.to_string())
}

fn payload(name: &str) -> Callback {
    let file = format!("{}/tests/payloads/{name}.json", env!("CARGO_MANIFEST_DIR"));
    received(fs::read(file).unwrap())
}

fn received(body: impl Into<Bytes>) -> Callback {
    let (head, ()) = http::Request::new(()).into_parts();
    Callback::receive(&AnyCallback::new(), &head, body).unwrap()
}

fn identify(contract: &impl Contract, body: &Body) -> Result<Envelope, Refusal> {
    let (head, ()) = http::Request::new(()).into_parts();
    contract.identify(&head, body)
}

fn json_of(body: &Bytes) -> Value {
    serde_json::from_slice(body).unwrap()
}

fn detail(refusal: &Refusal) -> String {
    let problem = json_of(refusal.to_problem().body());
    problem["detail"].as_str().unwrap().to_owned()
}
