use tower_callback_contract::Spelling;

/// Which names of Wulai's are one field.
///
/// One published version of Wulai's documentation, and code generated from it, spells some names
/// in camelCase, and one of them in the plural: `userId`, `msgId`, `msgTs`, `msgBody`, `msgType`,
/// `senderInfo`, `enableEvaluate`, `quickReply`, `isDispatch`, `suggestedResponse`,
/// `similar_responses`, `similarResponse` and `similarResponses`. No others are known, and every
/// other name is taken as it stands. So is every name below `fields`, `custom`, `bot` and `detail`,
/// whose content is the tenant's own or of any type.
pub const SPELLING: Spelling = Spelling::new(spelling)
    .with_free_fields(|name| matches!(name, "fields" | "custom" | "bot" | "detail"));

/// The canonical, `snake_case` name of a field of Wulai's; any other name is itself.
pub(crate) fn spelling(name: &str) -> &str {
    match name {
        "userId" => "user_id",
        "msgId" => "msg_id",
        "msgTs" => "msg_ts",
        "msgBody" => "msg_body",
        "msgType" => "msg_type",
        "senderInfo" => "sender_info",
        "enableEvaluate" => "enable_evaluate",
        "quickReply" => "quick_reply",
        "isDispatch" => "is_dispatch",
        "suggestedResponse" => "suggested_response",
        "similar_responses" | "similarResponse" | "similarResponses" => "similar_response",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIRS: [(&str, &str); 13] = [
        ("userId", "user_id"),
        ("msgId", "msg_id"),
        ("msgTs", "msg_ts"),
        ("msgBody", "msg_body"),
        ("msgType", "msg_type"),
        ("senderInfo", "sender_info"),
        ("enableEvaluate", "enable_evaluate"),
        ("quickReply", "quick_reply"),
        ("isDispatch", "is_dispatch"),
        ("suggestedResponse", "suggested_response"),
        ("similar_responses", "similar_response"),
        ("similarResponse", "similar_response"),
        ("similarResponses", "similar_response"),
    ];

    #[test]
    fn every_other_spelling_leads_to_the_canonical_one() {
        for (other, canonical) in PAIRS {
            assert_eq!(spelling(other), canonical);
            assert_eq!(spelling(canonical), canonical);
        }
    }

    #[test]
    fn a_name_that_is_not_wulais_is_itself() {
        for name in ["", "text", "userID", "UserId", "error_msg", "消息"] {
            assert_eq!(spelling(name), name);
        }
    }
}
