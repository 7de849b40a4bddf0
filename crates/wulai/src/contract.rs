use std::{fmt, marker::PhantomData, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header, request};
use tower_callback_contract::{
    Action, Body, Callback, Content, Contract, Envelope, Exchange, Refusal, Spelling, Timing,
    retry_after,
};

use crate::{
    RouteReply,
    kind::Kind,
    model::{AnyRequest, Delivery, ErrorReport, RouteRequest},
    spelling::SPELLING,
};

/// The contract of message delivery 消息投递: `wulai.delivery`.
///
/// A 200 accepts it, whatever the body; we write `success`. The platform uses nothing of the response,
/// so content degrades to an accept.
pub type MessageDelivery = WulaiContract<Delivery>;

/// The contract of message route 消息路由: `wulai.route`.
///
/// The platform merges the body of a 200 into its answer. An empty 200 leaves the answer as it is, and
/// so does [`Content`] that is not a document.
pub type MessageRoute = WulaiContract<RouteRequest>;

/// The contract of the error callback 错误回调: `wulai.error`.
///
/// It has neither an id nor a time of its own. Its id is composed of all its fields.
pub type ErrorCallback = WulaiContract<ErrorReport>;

/// The contract of all three at once, `wulai`, for one layer over several routes.
///
/// The fields tell the kind of a callback: one with a `suggested_response` is a route, one with
/// an `error_msg` or a `source_msg_id` an error, any other a delivery. Ids are those of the three
/// contracts. A response does not tell its kind, so every response is read and written as a route's.
pub type AnyCallback = WulaiContract<AnyRequest>;

/// The contract of the callbacks that read as `R`; named by its four aliases.
///
/// Only status 200 is an accept. On any other status the platform sends the callback again, at times
/// that it does not publish: a refusal becomes a retry, and `Retry-After` is written for others to see,
/// but nothing relies on it.
pub struct WulaiContract<R> {
    timing: Timing,
    request: PhantomData<fn() -> R>,
}

/// What a contract covers: one kind, or all of them.
trait Covers {
    const KIND: Option<Kind>;
    const MERGES: bool = matches!(Self::KIND, None | Some(Kind::Route));

    fn kind(body: &Body) -> Result<Kind, Refusal> {
        Self::KIND.map_or_else(|| Kind::of(body), Ok)
    }

    fn accept() -> Response<Bytes> {
        match Self::KIND {
            Some(Kind::Delivery) => ok("text/plain", Bytes::from_static(b"success")),
            _ => Response::new(Bytes::new()),
        }
    }
}

impl Covers for Delivery {
    const KIND: Option<Kind> = Some(Kind::Delivery);
}

impl Covers for RouteRequest {
    const KIND: Option<Kind> = Some(Kind::Route);
}

impl Covers for ErrorReport {
    const KIND: Option<Kind> = Some(Kind::Error);
}

impl Covers for AnyRequest {
    const KIND: Option<Kind> = None;
}

// ===== impl WulaiContract =====

impl<R> WulaiContract<R> {
    /// The contract with assumed times, as Wulai publishes none: it disconnects after 5 s, and may send
    /// a callback again for 24 h.
    #[must_use]
    pub const fn new() -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        Self::with_timing(Timing::new(Duration::from_secs(5), day))
    }

    /// The contract with times of your own.
    #[must_use]
    pub const fn with_timing(timing: Timing) -> Self {
        let request = PhantomData;
        Self { timing, request }
    }
}

impl<R: Covers + 'static> Contract for WulaiContract<R> {
    fn name(&self) -> &'static str {
        R::KIND.map_or("wulai", Kind::name)
    }

    fn timing(&self) -> Timing {
        self.timing
    }

    fn exchange(&self, callback: &Callback) -> Exchange {
        match R::kind(callback.body()) {
            Ok(Kind::Route) => Exchange::RequestReply,
            _ => Exchange::OneWay,
        }
    }

    fn identify(&self, _: &request::Parts, body: &Body) -> Result<Envelope, Refusal> {
        R::kind(body)?.identify(body)
    }

    fn action(&self, reply: &Response<Bytes>) -> Action {
        let body = reply.body();
        match reply.status() {
            StatusCode::OK if R::MERGES && !body.is_empty() => {
                Action::Use(Content::Merge(body.clone()))
            }
            StatusCode::OK => Action::Accept,
            _ => Action::Retry { after: None },
        }
    }

    fn reply(&self, action: &Action) -> Response<Bytes> {
        match action {
            Action::Use(Content::Merge(body)) if R::MERGES && !body.is_empty() => {
                ok("application/json", body.clone())
            }
            Action::Accept | Action::Use(_) => R::accept(),
            Action::Retry { after } => retry(*after),
            // A refusal, and an action that is not known: it must not become an accept.
            _ => retry(None),
        }
    }

    /// For a message route, the platform's own answers unchanged, so that the bot still answers.
    fn fallback(&self, callback: &Callback) -> Option<Response<Bytes>> {
        let is_route = R::kind(callback.body()) == Ok(Kind::Route);
        let unchanged = is_route.then(|| RouteReply::to(callback).ok()).flatten()?;
        Some(ok("application/json", unchanged.to_bytes()))
    }

    fn spelling(&self) -> Spelling {
        SPELLING
    }
}

// By hand: derives would ask the same of `R`.
impl<R> Clone for WulaiContract<R> {
    fn clone(&self) -> Self {
        Self::with_timing(self.timing)
    }
}

impl<R> fmt::Debug for WulaiContract<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WulaiContract").field("timing", &self.timing).finish_non_exhaustive()
    }
}

impl<R> Default for WulaiContract<R> {
    fn default() -> Self {
        Self::new()
    }
}

pub(crate) fn ok(media_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut reply = Response::new(body);
    let media_type = HeaderValue::from_static(media_type);
    reply.headers_mut().insert(header::CONTENT_TYPE, media_type);
    reply
}

fn retry(after: Option<Duration>) -> Response<Bytes> {
    let mut reply = Response::new(Bytes::new());
    *reply.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    if let Some(after) = after {
        reply.headers_mut().insert(header::RETRY_AFTER, retry_after(after));
    }
    reply
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use tower_callback_contract::{Id, Timestamp};

    use super::*;

    fn all() -> [Box<dyn Contract>; 4] {
        [
            Box::new(MessageDelivery::new()),
            Box::new(MessageRoute::new()),
            Box::new(ErrorCallback::new()),
            Box::new(AnyCallback::new()),
        ]
    }

    fn callback(document: &Value) -> Callback {
        let (head, ()) = http::Request::new(()).into_parts();
        Callback::receive(&AnyCallback::new(), &head, document.to_string()).unwrap()
    }

    fn identify(contract: &dyn Contract, document: &Value) -> Envelope {
        let (head, ()) = http::Request::new(()).into_parts();
        contract.identify(&head, &Body::new(document.to_string(), SPELLING)).unwrap()
    }

    #[test]
    fn times_are_settings_with_a_default() {
        let day = Duration::from_secs(86_400);
        for contract in all() {
            let expected = Timing::new(Duration::from_secs(5), day);
            assert_eq!(contract.timing(), expected);
        }
        let timing = Timing::new(Duration::from_secs(1), Duration::from_secs(2));
        assert_eq!(MessageRoute::with_timing(timing).clone().timing(), timing);
    }

    #[test]
    fn a_message_is_named_by_its_kind_and_id() {
        let message = json!({"userId": "安娜", "msgId": "1", "msgTs": "1700000000123"});
        let sent_at = Timestamp::from_millis(1_700_000_000_123);
        let [delivery, route, ..] = all();
        for (contract, scope) in [(delivery, "wulai.delivery"), (route, "wulai.route")] {
            let envelope = identify(&*contract, &message);
            assert_eq!(contract.name(), scope);
            assert_eq!(envelope.id, Id::new(scope, "1"));
            assert_eq!(envelope.conversation.as_deref(), Some("安娜"));
            assert_eq!(envelope.sent_at, sent_at);
        }
    }

    #[test]
    fn numbers_are_read_as_their_text() {
        let message = json!({"user_id": 7, "msg_id": 17, "msg_ts": 1_700_000_000_123_u64});
        let text = json!({"user_id": "7", "msg_id": "17", "msg_ts": "1700000000123"});
        let contract = MessageDelivery::new();
        assert_eq!(identify(&contract, &message), identify(&contract, &text));
    }

    #[test]
    fn what_is_absent_empty_or_ill_typed_stays_absent() {
        for odd in [json!(null), json!(""), json!(1.5), json!(["1"]), json!({"a": 1}), json!(true)]
        {
            let message = json!({"user_id": odd, "msg_id": odd, "msg_ts": odd});
            assert_eq!(identify(&MessageDelivery::new(), &message), Envelope::default());
        }
        assert_eq!(identify(&MessageRoute::new(), &json!({})), Envelope::default());
        assert_eq!(identify(&ErrorCallback::new(), &json!({})), Envelope::default());
    }

    #[test]
    fn an_error_is_named_by_all_its_fields() {
        let contract = ErrorCallback::new();
        let report = json!({"userId": "anna", "error_msg": "失败", "source_msg_id": 17});
        let envelope = identify(&contract, &report);
        let id = Id::composed("wulai.error", &["anna", "失败", "17"]);
        assert_eq!(envelope.id, id);
        assert_eq!(envelope.conversation.as_deref(), Some("anna"));
        assert_eq!(envelope.sent_at, None);
        let partial = identify(&contract, &json!({"error_msg": "失败", "user_id": null}));
        assert_eq!(partial.id, Id::composed("wulai.error", &["", "失败", ""]));
    }

    #[test]
    fn an_error_with_an_ill_typed_field_has_no_id() {
        for odd in [json!({"code": 1}), json!(1e20), json!(true)] {
            let report = json!({"user_id": "anna", "error_msg": odd, "source_msg_id": "17"});
            let envelope = identify(&ErrorCallback::new(), &report);
            assert_eq!(envelope.id, None);
            assert_eq!(envelope.conversation.as_deref(), Some("anna"));
        }
    }

    #[test]
    fn any_callback_is_recognised_by_its_fields() {
        let contract = AnyCallback::new();
        assert_eq!(contract.name(), "wulai");
        for (mark, scope, exchange) in [
            (json!({"msg_body": {}}), "wulai.delivery", Exchange::OneWay),
            (json!({"error_msg": null}), "wulai.delivery", Exchange::OneWay),
            (json!({"suggested_response": []}), "wulai.route", Exchange::RequestReply),
            (json!({"suggestedResponse": []}), "wulai.route", Exchange::RequestReply),
            (json!({"error_msg": "失败"}), "wulai.error", Exchange::OneWay),
            (json!({"source_msg_id": "1"}), "wulai.error", Exchange::OneWay),
        ] {
            let mut document = mark;
            document["user_id"] = "anna".into();
            document["msg_id"] = "17".into();
            let id = identify(&contract, &document).id.unwrap();
            assert_eq!(id.scope(), scope, "{document}");
            assert_eq!(contract.exchange(&callback(&document)), exchange, "{document}");
        }
    }

    #[test]
    fn only_a_route_needs_the_reply() {
        let document = callback(&json!({"suggested_response": [], "error_msg": "失败"}));
        let exchanges = all().map(|contract| contract.exchange(&document));
        let (one_way, reply) = (Exchange::OneWay, Exchange::RequestReply);
        assert_eq!(exchanges, [one_way, reply, one_way, reply]);
    }

    #[test]
    fn a_delivery_is_accepted_with_success_and_the_others_with_nothing() {
        let [delivery, others @ ..] = all();
        let reply = delivery.reply(&Action::Accept);
        assert_eq!((reply.status(), &**reply.body()), (StatusCode::OK, &b"success"[..]));
        assert_eq!(reply.headers()["content-type"], "text/plain");
        for contract in others {
            let reply = contract.reply(&Action::Accept);
            assert_eq!((reply.status(), reply.body().len()), (StatusCode::OK, 0));
        }
    }

    #[test]
    fn only_status_200_accepts() {
        for contract in all() {
            for status in 100..1000 {
                let mut reply = Response::new(Bytes::new());
                *reply.status_mut() = StatusCode::from_u16(status).unwrap();
                let expected = match status {
                    200 => Action::Accept,
                    _ => Action::Retry { after: None },
                };
                assert_eq!(contract.action(&reply), expected, "{status}");
            }
        }
    }

    #[test]
    fn a_route_merges_what_a_200_holds() {
        let merge = Action::Use(Content::Merge(Bytes::from_static(b"{}")));
        let [delivery, route, error, any] = all();
        for contract in [route, any] {
            let reply = contract.reply(&merge);
            assert_eq!(reply.headers()["content-type"], "application/json");
            assert_eq!(contract.action(&reply), merge);
        }
        for contract in [delivery, error] {
            assert_eq!(contract.action(&contract.reply(&merge)), Action::Accept);
            assert_eq!(contract.action(&Response::new("{}".into())), Action::Accept);
        }
    }

    #[test]
    fn an_empty_document_merges_nothing() {
        let merge = Action::Use(Content::Merge(Bytes::new()));
        for contract in all() {
            let (empty, accept) = (contract.reply(&merge), contract.reply(&Action::Accept));
            assert_eq!(empty.headers(), accept.headers());
            assert_eq!(contract.action(&empty), Action::Accept);
        }
    }

    #[test]
    fn a_retry_says_when_in_seconds_rounded_up() {
        for (after, said) in [
            (Duration::ZERO, "0".to_owned()),
            (Duration::from_millis(1_001), "2".to_owned()),
            (Duration::MAX, u64::MAX.to_string()),
        ] {
            let reply = MessageRoute::new().reply(&Action::Retry { after: Some(after) });
            assert_eq!(reply.status(), 503);
            assert_eq!(reply.headers()["retry-after"], said);
        }
        let reply = MessageRoute::new().reply(&Action::Retry { after: None });
        assert_eq!(reply.headers().get("retry-after"), None);
    }

    #[test]
    fn a_route_falls_back_to_the_platforms_own_answers() {
        let answers =
            json!({"isDispatch": false, "suggested_response": [{"is_send": true, "x": 1}]});
        let [delivery, route, error, any] = all();
        for contract in [&route, &any] {
            let reply = contract.fallback(&callback(&answers)).unwrap();
            assert_eq!(reply.status(), StatusCode::OK);
            assert_eq!(reply.headers()["content-type"], "application/json");
            assert_eq!(serde_json::from_slice::<Value>(reply.body()).unwrap(), answers);
            assert!(contract.fallback(&callback(&json!({"suggested_response": 1}))).is_none());
        }
        for contract in [delivery, error] {
            assert!(contract.fallback(&callback(&answers)).is_none());
        }
        assert!(any.fallback(&callback(&json!({"is_dispatch": true}))).is_none());
    }

    fn any_bytes() -> impl Strategy<Value = Bytes> {
        prop::collection::vec(any::<u8>(), 0..16).prop_map(Bytes::from)
    }

    fn any_content() -> impl Strategy<Value = Content> {
        let name = prop::option::of(".{0,4}");
        prop_oneof![
            any_bytes().prop_map(Content::Merge),
            ".{0,8}".prop_map(Content::Text),
            (".{0,8}", any_bytes())
                .prop_map(|(media_type, bytes)| Content::Image { media_type, bytes }),
            (name, any_bytes()).prop_map(|(name, bytes)| Content::File { name, bytes }),
        ]
    }

    fn any_action() -> impl Strategy<Value = Action> {
        prop_oneof![
            Just(Action::Accept),
            any::<Option<Duration>>().prop_map(|after| Action::Retry { after }),
            ".{0,8}".prop_map(|text| Action::Refuse { text }),
            any_content().prop_map(Action::Use),
        ]
    }

    fn can_express(contract: &dyn Contract, action: &Action) -> bool {
        match action {
            Action::Accept | Action::Retry { after: None } => true,
            Action::Use(Content::Merge(body)) => {
                ["wulai", "wulai.route"].contains(&contract.name()) && !body.is_empty()
            }
            _ => false,
        }
    }

    fn fails(action: &Action) -> bool {
        matches!(action, Action::Retry { .. } | Action::Refuse { .. })
    }

    proptest! {
        #[test]
        fn a_reply_asks_for_its_action_or_what_that_degrades_to(action in any_action()) {
            for contract in all() {
                let asked = contract.action(&contract.reply(&action));
                if can_express(&*contract, &action) {
                    prop_assert_eq!(&asked, &action);
                }
                prop_assert_eq!(fails(&asked), fails(&action));
                let again = contract.action(&contract.reply(&asked));
                prop_assert_eq!(again, asked);
            }
        }

        #[test]
        fn a_reply_read_and_written_again_asks_for_the_same(
            status in 100_u16..1000,
            body in any_bytes(),
        ) {
            for contract in all() {
                let mut reply = Response::new(body.clone());
                *reply.status_mut() = StatusCode::from_u16(status).unwrap();
                let asked = contract.action(&reply);
                prop_assert!(can_express(&*contract, &asked));
                prop_assert_eq!(contract.action(&contract.reply(&asked)), asked);
            }
        }
    }
}
