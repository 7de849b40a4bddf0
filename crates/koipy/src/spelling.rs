use tower_callback_contract::Spelling;

/// Which names of koipy's are one field.
///
/// The bot's serializer writes a hyphen for every underscore of a key: `from-user` for
/// `from_user`, `-` for the tag `_`. The names are those of Telegram's messages, chats and users; in
/// `slaveRequest`, names are in camelCase and have none to rewrite. Below `config`, `result`,
/// `addons`, `proxies`, `runtime`, `script` and `option`, names are taken as they stand: they are the
/// operator's own, or those of columns.
pub const SPELLING: Spelling = Spelling::new(spelling).with_free_fields(|name| {
    matches!(name, "config" | "result" | "addons" | "proxies" | "runtime" | "script" | "option")
});

/// The documented name of a field of koipy's, with underscores; any other name is itself.
pub(crate) fn spelling(name: &str) -> &str {
    // Most names have no hyphen: looking for one is cheaper than searching the list.
    if !name.contains('-') {
        return name;
    }
    let known = KNOWN.iter().find(|known| {
        let pairs = known.bytes().zip(name.bytes());
        known.len() == name.len()
            && pairs
                .into_iter()
                .all(|(known, given)| known == if given == b'-' { b'_' } else { given })
    });
    known.copied().unwrap_or(name)
}

const KNOWN: &[&str] = &[
    "_",
    "added_to_attachment_menu",
    "author_signature",
    "available_reactions",
    "business_connection_id",
    "can_set_sticker_set",
    "caption_entities",
    "custom_emoji_id",
    "dc_id",
    "edit_date",
    "edit_hide",
    "effect_id",
    "emoji_status",
    "file_id",
    "file_name",
    "file_size",
    "file_unique_id",
    "first_name",
    "forward_date",
    "forward_from",
    "forward_from_chat",
    "forward_from_message_id",
    "forward_sender_name",
    "forward_signature",
    "from_scheduled",
    "from_user",
    "has_animation",
    "has_media_spoiler",
    "has_protected_content",
    "invite_link",
    "is_bot",
    "is_close_friend",
    "is_contact",
    "is_creator",
    "is_deleted",
    "is_fake",
    "is_forum",
    "is_mutual_contact",
    "is_premium",
    "is_restricted",
    "is_scam",
    "is_self",
    "is_stories_hidden",
    "is_stories_unavailable",
    "is_support",
    "is_verified",
    "language_code",
    "last_name",
    "last_online_date",
    "left_chat_member",
    "linked_chat",
    "media_group_id",
    "members_count",
    "message_id",
    "message_thread_id",
    "mime_type",
    "new_chat_members",
    "next_offline_date",
    "phone_number",
    "pinned_message",
    "reply_markup",
    "reply_to_message",
    "reply_to_message_id",
    "reply_to_top_message_id",
    "restriction_reason",
    "send_as_chat",
    "sender_boost_count",
    "sender_business_bot",
    "sender_chat",
    "show_above_text",
    "sticker_set_name",
    "topic_message",
    "via_bot",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hyphen_stands_for_an_underscore_in_every_known_name() {
        for name in KNOWN {
            assert_eq!(spelling(&name.replace('_', "-")), *name);
            assert_eq!(spelling(name), *name);
        }
        assert_eq!((spelling("from-user"), spelling("-")), ("from_user", "_"));
        // A name of which a part is rewritten.
        assert_eq!(spelling("reply_to-message"), "reply_to_message");
    }

    #[test]
    fn a_name_that_is_not_known_is_itself() {
        for name in ["", "id", "slaveRequest", "my-script", "from-users", "TCP-延迟", "--"] {
            assert_eq!(spelling(name), name);
        }
    }
}
