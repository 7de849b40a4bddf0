use tower_callback_contract::{Callback, Envelope, Id, Refusal, Timestamp, ValueRef};

/// Which of the three a callback is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Delivery,
    Route,
    Error,
}

impl Kind {
    /// Recognises a callback by its fields.
    pub(crate) fn of(callback: &Callback) -> Result<Self, Refusal> {
        if callback.has("suggested_response")? {
            Ok(Self::Route)
        } else if callback.has("error_msg")? || callback.has("source_msg_id")? {
            Ok(Self::Error)
        } else {
            Ok(Self::Delivery)
        }
    }

    /// The name of the kind's contract, which is also the scope of its ids.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Delivery => "wulai.delivery",
            Self::Route => "wulai.route",
            Self::Error => "wulai.error",
        }
    }

    pub(crate) fn identify(self, callback: &Callback) -> Result<Envelope, Refusal> {
        match self {
            Self::Error => identify_error(callback),
            _ => identify_message(self, callback),
        }
    }
}

fn identify_message(kind: Kind, callback: &Callback) -> Result<Envelope, Refusal> {
    let (id, sent_at) = (callback.field("msg_id")?, callback.field("msg_ts")?);
    Ok(Envelope {
        id: id.and_then(|id| Id::from_json(kind.name(), id)),
        conversation: conversation(callback)?,
        sent_at: sent_at.and_then(Timestamp::from_json),
    })
}

fn identify_error(callback: &Callback) -> Result<Envelope, Refusal> {
    let mut parts = Vec::new();
    for name in ["user_id", "error_msg", "source_msg_id"] {
        let field = callback.field(name)?;
        parts.push(field.map_or(Some(String::new()), part_of_id));
    }
    // One part that is no text makes no id at all: two events must not become one.
    let parts: Option<Vec<_>> = parts.iter().map(Option::as_deref).collect();
    Ok(Envelope {
        id: parts.and_then(|parts| Id::composed(Kind::Error.name(), &parts)),
        conversation: conversation(callback)?,
        sent_at: None,
    })
}

fn conversation(callback: &Callback) -> Result<Option<String>, Refusal> {
    let user = callback.field("user_id")?;
    Ok(user.and_then(part_of_id).filter(|user| !user.is_empty()))
}

fn part_of_id(value: ValueRef<'_>) -> Option<String> {
    if value.is_null() {
        return Some(String::new());
    }
    let text = value.as_str().map(str::to_owned);
    // A float may stand for several numbers, each of which names its own event.
    text.or_else(|| value.as_number().filter(|number| !number.is_f64()).map(ToString::to_string))
}
