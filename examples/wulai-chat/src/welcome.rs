//! The text that is printed at the start.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::SystemTime,
};

/// The bot tells its user something.
const DELIVERY: &str = r#"{"user_id":"anna","msg_id":"NOW","msg_ts":"NOW","msg_type":"TEXT","msg_body":{"text":{"content":"Your parcel is on its way. 您的包裹已发出。"}},"sender_info":{"nickname":"小来"},"source":"QA_BOT","enable_evaluate":false,"quick_reply":["谢谢","人工"],"extra":""}"#;

/// The user asks for a person; the bot is about to answer.
const ROUTE: &str = r#"{"user_id":"anna","msg_id":"NOW","msg_ts":"NOW","nickname":"Anna","is_dispatch":false,"msg_body":{"text":{"content":"转人工"}},"suggested_response":[{"is_send":true,"source":"QA_BOT","score":0.93,"response":[{"msg_body":{"text":{"content":"请拨打 13812345678"}},"answer_id":42}]}],"extra":""}"#;

pub(crate) fn text(addr: SocketAddr) -> String {
    let base = format!("http://{}", reachable(addr));
    let (delivery, route) = (delivery(), route());
    format!(
        "\
Listening on {addr} 监听地址
Page 页面: {base}/#anna

Deliver a message. Send it twice: it appears once.
投递一条消息，发送两次也只显示一次：

  curl -i {base}/callback/message -H 'content-type: application/json' -d '{delivery}'

Edit the bot's answer: the number is masked, and a person takes over.
修改机器人的回答，号码被遮盖并转人工：

  curl -i {base}/webhook/route -H 'content-type: application/json' -d '{route}'

Ctrl-C stops. 按 Ctrl-C 退出。
"
    )
}

pub(crate) fn delivery() -> String {
    sent_now(DELIVERY)
}

pub(crate) fn route() -> String {
    sent_now(ROUTE)
}

/// An id has at most 18 digits; the milliseconds have 13.
fn sent_now(payload: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    payload.replace("NOW", &now.as_millis().to_string())
}

/// The address, or one of this machine if the server listens on all addresses.
fn reachable(mut addr: SocketAddr) -> SocketAddr {
    if addr.ip().is_unspecified() {
        addr.set_ip(match addr {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    addr
}
