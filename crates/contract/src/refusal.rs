use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use tower_callback_document::{Ambiguous, Mismatch, ReadError, ReadErrorKind};

use crate::{Violation, Violations};

/// Why a layer answered instead of the handler.
///
/// It becomes a response by [`Contract::refuse`](crate::Contract::refuse), by default a problem
/// document (RFC 9457), and is left in that response's extensions. With the feature `axum`, a handler can
/// return one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    reason: Reason,
    status: StatusCode,
    detail: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
}

/// What a [`Refusal`] was made for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The body is larger than the limit: 413.
    #[error("the body is too large")]
    BodyTooLarge,
    /// The body did not arrive in time: 408.
    #[error("the body did not arrive within {deadline:?}")]
    BodyTimeout {
        /// How long it was waited for.
        deadline: Duration,
    },
    /// The connection broke before the body's end: 400.
    #[error("the body ended early")]
    BodyIncomplete,
    /// The body is not in the platform's format: 400.
    #[error("the body is malformed at line {line}, column {column}")]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes; 0 stands before the line.
        column: usize,
    },
    /// A field stands in two spellings with different values, or one that identifies stands twice:
    /// 400. The position is that of the later name.
    #[error("a field is ambiguous at line {line}, column {column}")]
    Ambiguous {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes.
        column: usize,
    },
    /// The callback does not match its schema, or the type that it is read into: 400.
    #[error("the callback does not match its schema")]
    Invalid(Violations),
    /// The callback has no usable id: 400.
    #[error("the callback has no usable id")]
    Unidentified,
    /// The id is known with another body: 422.
    #[error("another callback with this id arrived before")]
    Conflict,
    /// The first delivery did not finish within the wait bound: 503.
    #[error("the first delivery of this callback still runs")]
    InProgress,
    /// Too many duplicates wait for the first delivery, or too many messages of one
    /// conversation for their turn: 503.
    #[error("too many callbacks like this one wait")]
    QueueFull,
    /// One that was sent later was handled before: 409.
    #[error("the callback comes too late for its place in the order")]
    Late,
    /// Too many callbacks run at once: 503.
    #[error("too many callbacks run")]
    Overloaded,
    /// The receiver shuts down: 503.
    #[error("the receiver shuts down")]
    Draining,
    /// The store of ids did not answer: 503.
    #[error("the store of ids is not available")]
    StoreUnavailable,
    /// What keeps callbacks that could not be handled did not take this one: 503.
    #[error("the dead-letter sink is not available")]
    SinkUnavailable,
    /// The handler panicked, returned an error or broke off its response: 500.
    #[error("the handler failed")]
    HandlerFailed,
    /// The handler's response does not match its schema: 500.
    #[error("the handler's response does not match its schema")]
    InvalidReply(Violations),
}

// ===== impl Refusal =====

impl Refusal {
    /// A refusal with the reason's own text as its detail. One of status 503 asks to come back
    /// after a second.
    #[must_use]
    pub fn new(reason: Reason) -> Self {
        let status = reason.status();
        Self { reason, status: StatusCode::OK, detail: None, retry_after: None }.status(status)
    }

    /// Replaces the status, which is otherwise the [reason's](Reason::status). One of 503 asks to
    /// come back after a second.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        let busy = status == StatusCode::SERVICE_UNAVAILABLE;
        self.retry_after = self.retry_after.or(busy.then_some(Duration::from_secs(1)));
        self.status = status;
        self
    }

    /// Replaces the detail. It is sent to the client: no values out of the payload, no secrets.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Sets what the `Retry-After` header says, in seconds rounded up.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// What the refusal was made for.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// The refusal as a problem document (RFC 9457), of type `about:blank`, with the reason's
    /// [code](Reason::code) as the member `reason`. Where it has them: `line` and `column`, or
    /// `violations`, a list of objects with `pointer`, `keyword` and `message`, and how many `more`
    /// there are.
    #[must_use]
    pub fn to_problem(&self) -> Response<Bytes> {
        let status = self.status;
        let detail = self.detail.as_deref().map_or_else(|| self.reason.to_string(), str::to_owned);
        let mut problem = json!({
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": detail,
            "reason": self.reason.code(),
        });
        if let Some((line, column)) = self.reason.position() {
            problem["line"] = line.into();
            problem["column"] = column.into();
        }
        if let Some(violations) = self.reason.violations() {
            problem["violations"] = json!(violations.listed());
            if violations.more() > 0 {
                problem["more"] = violations.more().into();
            }
        }
        let mut response = Response::new(Bytes::from(problem.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let problem_json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, problem_json);
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, retry_after(after));
        }
        response
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}

/// A body that cannot be read.
impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        let (line, column) = (error.line(), error.column());
        let reason = match error.kind() {
            ReadErrorKind::Ambiguous => Reason::Ambiguous { line, column },
            ReadErrorKind::TooLarge | ReadErrorKind::TooManyValues => Reason::BodyTooLarge,
            _ => Reason::Malformed { line, column },
        };
        Self::new(reason).detail(format!("{error} at line {line}, column {column}"))
    }
}

/// What identifies stands twice.
impl From<Ambiguous> for Refusal {
    fn from(ambiguous: Ambiguous) -> Self {
        ReadError::from(ambiguous).into()
    }
}

/// A body that does not fit the type it is read into.
impl From<Mismatch> for Refusal {
    fn from(mismatch: Mismatch) -> Self {
        let detail = mismatch.to_string();
        let violation = Violation::new(mismatch.pointer(), mismatch.keyword(), mismatch.what());
        Self::new(Reason::Invalid(violation.into())).detail(detail)
    }
}

#[cfg(feature = "axum")]
impl axum::response::IntoResponse for Refusal {
    /// The refusal as a [problem document](Self::to_problem), with itself in the extensions.
    fn into_response(self) -> axum::response::Response {
        let mut response = self.to_problem().map(axum::body::Body::from);
        response.extensions_mut().insert(self);
        response
    }
}

// ===== impl Reason =====

impl Reason {
    /// A stable name for machines, such as `body-too-large`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::BodyTooLarge => "body-too-large",
            Self::BodyTimeout { .. } => "body-timeout",
            Self::BodyIncomplete => "body-incomplete",
            Self::Malformed { .. } => "malformed",
            Self::Ambiguous { .. } => "ambiguous",
            Self::Invalid(_) => "invalid",
            Self::Unidentified => "unidentified",
            Self::Conflict => "conflict",
            Self::InProgress => "in-progress",
            Self::QueueFull => "queue-full",
            Self::Late => "late",
            Self::Overloaded => "overloaded",
            Self::Draining => "draining",
            Self::StoreUnavailable => "store-unavailable",
            Self::SinkUnavailable => "sink-unavailable",
            Self::HandlerFailed => "handler-failed",
            Self::InvalidReply(_) => "invalid-reply",
        }
    }

    /// The status that says it in plain HTTP.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::BodyIncomplete
            | Self::Malformed { .. }
            | Self::Ambiguous { .. }
            | Self::Invalid(_)
            | Self::Unidentified => StatusCode::BAD_REQUEST,
            Self::Conflict => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Late => StatusCode::CONFLICT,
            Self::InProgress
            | Self::QueueFull
            | Self::Overloaded
            | Self::Draining
            | Self::StoreUnavailable
            | Self::SinkUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::HandlerFailed | Self::InvalidReply(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What does not match a schema, if that is the reason.
    #[must_use]
    pub fn violations(&self) -> Option<&Violations> {
        match self {
            Self::Invalid(violations) | Self::InvalidReply(violations) => Some(violations),
            _ => None,
        }
    }

    fn position(&self) -> Option<(usize, usize)> {
        match *self {
            Self::Malformed { line, column } | Self::Ambiguous { line, column } => {
                Some((line, column))
            }
            _ => None,
        }
    }
}

/// The value of a `Retry-After` header: whole seconds, never too early.
#[must_use]
pub fn retry_after(after: Duration) -> HeaderValue {
    after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0)).into()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn renders_a_problem_document() {
        let response = Refusal::new(Reason::Malformed { line: 1, column: 7 }).to_problem();
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(
            body,
            json!({
                "title": "Bad Request",
                "status": 400,
                "detail": "the body is malformed at line 1, column 7",
                "reason": "malformed",
                "line": 1,
                "column": 7,
            })
        );
    }

    #[test]
    fn every_503_says_when_to_come_back() {
        for reason in [
            Reason::InProgress,
            Reason::QueueFull,
            Reason::Overloaded,
            Reason::Draining,
            Reason::StoreUnavailable,
            Reason::SinkUnavailable,
        ] {
            let response = Refusal::new(reason).to_problem();
            assert_eq!(
                (response.status().as_u16(), &response.headers()["retry-after"]),
                (503, &HeaderValue::from(1))
            );
        }
        let response = Refusal::new(Reason::Conflict).to_problem();
        assert_eq!(response.headers().get("retry-after"), None);
    }

    fn violations() -> Violations {
        let mut violation = Violation::new("/msg_id", "minLength", "must not be empty");
        violation.schema_pointer = "/properties/msg_id/minLength".into();
        Violations::new([violation], 2)
    }

    #[test]
    fn a_problem_lists_the_violations_and_says_how_many_more() {
        let response = Refusal::new(Reason::Invalid(violations())).to_problem();
        let problem: Value = serde_json::from_slice(response.body()).unwrap();
        let listed = json!([
            {"pointer": "/msg_id", "keyword": "minLength", "message": "must not be empty"},
        ]);
        assert_eq!((&problem["violations"], &problem["more"]), (&listed, &json!(2)));
        assert_eq!(problem["reason"], "invalid");
    }

    #[test]
    fn a_status_of_ones_own_replaces_the_reasons() {
        let refusal = Refusal::new(Reason::Invalid(violations()));
        let response = refusal.clone().status(StatusCode::UNPROCESSABLE_ENTITY).to_problem();
        let problem: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!((response.status().as_u16(), &problem["status"]), (422, &json!(422)));
        let response = refusal.status(StatusCode::SERVICE_UNAVAILABLE).to_problem();
        assert_eq!(response.headers()["retry-after"], "1");
    }

    #[test]
    fn retry_after_is_rounded_up() {
        let refusal = Refusal::new(Reason::InProgress).retry_after(Duration::from_millis(1_001));
        assert_eq!(refusal.to_problem().headers()["retry-after"], "2");
    }

    #[test]
    fn every_reason_has_its_own_text_status_and_code() {
        let deadline = Duration::from_secs(5);
        let said = [
            Reason::BodyTooLarge,
            Reason::BodyTimeout { deadline },
            Reason::BodyIncomplete,
            Reason::Malformed { line: 1, column: 2 },
            Reason::Ambiguous { line: 1, column: 2 },
            Reason::Invalid(violations()),
            Reason::Unidentified,
            Reason::Conflict,
            Reason::InProgress,
            Reason::QueueFull,
            Reason::Late,
            Reason::Overloaded,
            Reason::Draining,
            Reason::StoreUnavailable,
            Reason::SinkUnavailable,
            Reason::HandlerFailed,
            Reason::InvalidReply(violations()),
        ]
        .map(|reason| format!("{} {} {reason}", reason.status().as_u16(), reason.code()));
        assert_eq!(
            said,
            [
                "413 body-too-large the body is too large",
                "408 body-timeout the body did not arrive within 5s",
                "400 body-incomplete the body ended early",
                "400 malformed the body is malformed at line 1, column 2",
                "400 ambiguous a field is ambiguous at line 1, column 2",
                "400 invalid the callback does not match its schema",
                "400 unidentified the callback has no usable id",
                "422 conflict another callback with this id arrived before",
                "503 in-progress the first delivery of this callback still runs",
                "503 queue-full too many callbacks like this one wait",
                "409 late the callback comes too late for its place in the order",
                "503 overloaded too many callbacks run",
                "503 draining the receiver shuts down",
                "503 store-unavailable the store of ids is not available",
                "503 sink-unavailable the dead-letter sink is not available",
                "500 handler-failed the handler failed",
                "500 invalid-reply the handler's response does not match its schema",
            ]
        );
    }
}
