use tower_callback_contract::{Body, Envelope, Id, Refusal, Timestamp, ValueRef};

/// Which of the three a callback is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Delivery,
    Route,
    Error,
}

impl Kind {
    /// The kind of a callback, by its fields.
    pub(crate) fn of(body: &Body) -> Result<Self, Refusal> {
        if body.has("suggested_response")? {
            Ok(Self::Route)
        } else if body.has("error_msg")? || body.has("source_msg_id")? {
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

    pub(crate) fn identify(self, body: &Body) -> Result<Envelope, Refusal> {
        match self {
            Self::Error => identify_error(body),
            _ => identify_message(self, body),
        }
    }
}

fn identify_message(kind: Kind, body: &Body) -> Result<Envelope, Refusal> {
    let (id, sent_at) = (body.field("msg_id")?, body.field("msg_ts")?);
    let id = id.and_then(|id| Id::from_json(kind.name(), id));
    let sent_at = sent_at.and_then(Timestamp::from_json);
    Ok(Envelope::new(id).conversation(conversation(body)?).sent_at(sent_at))
}

fn identify_error(body: &Body) -> Result<Envelope, Refusal> {
    let mut parts = Vec::new();
    for name in ["user_id", "error_msg", "source_msg_id"] {
        let field = body.field(name)?;
        parts.push(field.map_or(Some(String::new()), part_of_id));
    }
    // A part that is not text leaves no id at all: two events must not become one.
    let parts: Option<Vec<_>> = parts.iter().map(Option::as_deref).collect();
    let id = parts.and_then(|parts| Id::composed(Kind::Error.name(), &parts));
    Ok(Envelope::new(id).conversation(conversation(body)?))
}

fn conversation(body: &Body) -> Result<Option<String>, Refusal> {
    let user = body.field("user_id")?;
    Ok(user.and_then(part_of_id).filter(|user| !user.is_empty()))
}

fn part_of_id(value: ValueRef<'_>) -> Option<String> {
    if value.is_null() {
        return Some(String::new());
    }
    let text = value.as_str().map(str::to_owned);
    text.or_else(|| value.as_integer().map(|integer| integer.to_string()))
}
