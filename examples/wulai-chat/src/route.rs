//! Message route 消息路由: the bot is about to answer, and may be corrected.

use axum::Json;
use serde_json::Value;
use tower_callback::{
    Callback, Refusal,
    wulai::{RouteReply, RouteRequest, Suggestion},
};

/// Hands the user over to a person on request, masks mobile numbers, and suppresses empty answers.
pub(crate) async fn route(callback: Callback) -> Result<Json<RouteReply>, Refusal> {
    let question = RouteRequest::try_from(&callback)?;
    let mut reply = RouteReply::to(&callback)?;
    if question.msg_body.text().is_some_and(asks_for_a_person) {
        reply.hand_over();
    }
    for answer in reply.suggestions_mut() {
        answer.edit_texts(mask_mobile_numbers);
        if is_empty(answer) {
            answer.suppress();
        }
    }
    Ok(Json(reply))
}

fn asks_for_a_person(text: &str) -> bool {
    text.contains("人工")
}

/// Whether the answer has only blank texts. A picture has no text, and is not empty.
fn is_empty(answer: &Suggestion) -> bool {
    let messages = answer.get("response").and_then(Value::as_array);
    let texts = answer.texts().count();
    messages.map_or(0, Vec::len) == texts && answer.texts().all(|text| text.trim().is_empty())
}

/// 13812345678 becomes 138****5678. A longer or shorter number is not a mobile number.
fn mask_mobile_numbers(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
        let (number, after) = from.split_at(end);
        masked.push_str(before);
        if number.len() == 11 && number.starts_with('1') {
            masked.extend([&number[..3], "****", &number[7..]]);
        } else {
            masked.push_str(number);
        }
        rest = after;
    }
    masked + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mobile_numbers_are_masked_and_others_are_not() {
        for (text, masked) in [
            ("请拨打13812345678。", "请拨打138****5678。"),
            ("13812345678 15900001111", "138****5678 159****1111"),
            ("order 138123456789, room 1381234", "order 138123456789, room 1381234"),
            ("95588", "95588"),
            ("１３８ 没有", "１３８ 没有"),
            ("", ""),
        ] {
            assert_eq!(mask_mobile_numbers(text), masked);
        }
    }
}
