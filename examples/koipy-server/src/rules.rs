//! Which users may test, and on which back end.

use std::{collections::BTreeMap, fs, io, path::Path};

use serde_json::{Map, Value};
use tower_callback::koipy::model::Message;

/// Users who may not test.
#[derive(Debug, Default)]
pub(crate) struct Blocklist {
    users: Vec<User>,
}

#[derive(Debug)]
enum User {
    Id(i64),
    Name(String),
    NamesLike(String),
}

/// The changes to a task's `slave`, by user. They may contain tokens, so there is no `Debug`.
#[derive(Default)]
pub(crate) struct Backends {
    of_users: BTreeMap<i64, Map<String, Value>>,
}

impl Blocklist {
    pub(crate) fn new(users: &[String]) -> Self {
        let user = |user: &String| {
            let name = user.trim_start_matches('@').to_lowercase();
            match (user.parse(), name.strip_suffix('*')) {
                (Ok(id), _) => User::Id(id),
                (_, Some(beginning)) => User::NamesLike(beginning.to_owned()),
                _ => User::Name(name),
            }
        };
        Self { users: users.iter().map(user).collect() }
    }

    pub(crate) fn has(&self, message: &Message) -> bool {
        let (id, name) = (message.sender_id(), message.username().map(str::to_lowercase));
        self.users.iter().any(|user| match user {
            User::Id(blocked) => id == Some(*blocked),
            User::Name(blocked) => name.as_ref() == Some(blocked),
            User::NamesLike(beginning) => {
                name.as_ref().is_some_and(|name| name.starts_with(beginning))
            }
        })
    }
}

impl Backends {
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let of_users = serde_json::from_slice(&fs::read(path)?)?;
        Ok(Self { of_users })
    }

    pub(crate) fn of(&self, user: i64) -> Option<&Map<String, Value>> {
        self.of_users.get(&user)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(id: i64, username: Option<&str>) -> Message {
        let sender = json!({"id": id, "username": username});
        serde_json::from_value(json!({"from_user": sender})).unwrap()
    }

    #[test]
    fn users_are_blocked_by_id_by_name_or_by_the_beginning_of_names() {
        let blocked = ["666", "@Mallory", "koipybot*", "@Eve*"].map(str::to_owned);
        let blocklist = Blocklist::new(&blocked);
        for (id, name, expected) in [
            (666, None, true),
            (1, Some("mallory"), true),
            (1, Some("koipybot"), true),
            (1, Some("KoipyBot_fan"), true),
            (1, Some("eve_2"), true),
            (1, Some("anna"), false),
            (1, Some("mallory2"), false),
            (1, None, false),
        ] {
            assert_eq!(blocklist.has(&message(id, name)), expected, "{id} {name:?}");
        }
        assert!(!blocklist.has(&Message::default()));
    }
}
