use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::Value;
use tower_callback_contract::{Action, Content, retry_after};

use crate::content;

/// How text is labelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextType {
    TextPlain,
    /// As in koipy's older documents.
    PlainText,
}

impl TextType {
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::TextPlain => "text/plain; charset=utf-8",
            Self::PlainText => "plain/text",
        }
    }
}

/// What koipy does on a response.
pub(crate) fn action(reply: &Response<Bytes>) -> Action {
    match reply.status().as_u16() {
        200 => taken(reply).map_or(Action::Accept, Action::Use),
        401.. => {
            let text = content::text(reply).unwrap_or_default();
            Action::Refuse { text: text.into_owned() }
        }
        _ => Action::Accept,
    }
}

/// The response that makes koipy do this, or the nearest that it can do.
pub(crate) fn reply(action: &Action, text_type: TextType) -> Response<Bytes> {
    match action {
        Action::Accept => go_on(),
        Action::Refuse { text } => of_type(text_type.header(), text.clone().into(), 403),
        Action::Use(content) => used(content, text_type).unwrap_or_else(go_on),
        Action::Retry { after } => {
            let mut reply = busy(text_type);
            if let Some(after) = *after {
                reply.headers_mut().insert(header::RETRY_AFTER, retry_after(after));
            }
            reply
        }
        // An action that is not known must not become an accept.
        _ => busy(text_type),
    }
}

/// What a handler meant by a response that koipy would read differently.
pub(crate) fn intent(reply: &Response<Bytes>) -> Option<Action> {
    let status = reply.status();
    // We cannot read a compressed body, but koipy's client can: it must pass unchanged.
    if reply.headers().contains_key(header::CONTENT_ENCODING) {
        let ignored = status == StatusCode::BAD_REQUEST;
        return ignored.then(|| Action::Refuse { text: in_words(status) });
    }
    let meant = match status.as_u16() {
        204 | 205 => return None,
        200..=299 => {
            let content = taken(reply).or_else(|| misplaced(reply));
            content.map_or(Action::Accept, Action::Use)
        }
        // The target of a redirect was not meant for koipy.
        300..=399 => Action::Accept,
        400.. => Action::Refuse { text: readable(reply) },
        _ => return None,
    };
    (!says(reply, &meant)).then_some(meant)
}

pub(crate) fn go_on() -> Response<Bytes> {
    let mut reply = Response::new(Bytes::new());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply
}

/// What koipy uses of a 200.
fn taken(reply: &Response<Bytes>) -> Option<Content> {
    let bytes = reply.body().clone();
    if bytes.is_empty() {
        return None;
    }
    match content::media_type(reply.headers()) {
        None => Some(Content::File { name: content::file_name(reply.headers()), bytes }),
        Some(media_type) => match &*media_type {
            "image/jpeg" | "image/png" => Some(Content::Image { media_type, bytes }),
            "text/plain" | "plain/text" => {
                content::text(reply).map(|text| Content::Text(text.into_owned()))
            }
            "application/json" => document(reply).map(Content::Merge),
            _ => None,
        },
    }
}

/// The body in UTF-8, if it is a JSON object.
fn document(reply: &Response<Bytes>) -> Option<Bytes> {
    let text = content::text(reply)?;
    let is_utf8 = text.as_bytes() == reply.body();
    is_object(&text).then(|| if is_utf8 { reply.body().clone() } else { text.into_owned().into() })
}

fn is_object(text: &str) -> bool {
    // The brace first: a long array need not be parsed.
    text.trim_start().starts_with('{')
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// What koipy would use if the response were labelled in another way.
fn misplaced(reply: &Response<Bytes>) -> Option<Content> {
    let (headers, bytes) = (reply.headers(), reply.body().clone());
    if bytes.is_empty() {
        return None;
    }
    let media_type = content::media_type(headers)?;
    let name = content::file_name(headers);
    if media_type == "image/jpg" {
        Some(Content::Image { media_type: "image/jpeg".to_owned(), bytes })
    } else if media_type.starts_with("image/") {
        Some(picture_file(&media_type, name, bytes))
    } else {
        content::is_attachment(headers).then_some(Content::File { name, bytes })
    }
}

/// A picture of a type that koipy can send only as a file.
fn picture_file(media_type: &str, name: Option<String>, bytes: Bytes) -> Content {
    let subtype = media_type.rsplit('/').next().unwrap_or_default();
    let ending: String = subtype.chars().take_while(char::is_ascii_alphanumeric).collect();
    Content::File { name: name.or(Some(format!("image.{ending}"))), bytes }
}

/// The text of a refusal that a user can read.
fn readable(reply: &Response<Bytes>) -> String {
    let media_type = content::media_type(reply.headers());
    let problem = media_type.filter(|media_type| media_type == "application/problem+json");
    let problem = problem.and_then(|_| serde_json::from_slice::<Value>(reply.body()).ok());
    let member = |name: &str| problem.as_ref()?.get(name)?.as_str().map(str::to_owned);
    let text = || content::text(reply).map(std::borrow::Cow::into_owned);
    let text = member("detail").or_else(|| member("title")).or_else(text);
    text.filter(|text| !text.is_empty()).unwrap_or_else(|| in_words(reply.status()))
}

fn in_words(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or("Refused").to_owned()
}

/// Whether koipy does this on the response as it is.
fn says(reply: &Response<Bytes>, meant: &Action) -> bool {
    let (status, body) = (reply.status(), reply.body());
    match meant {
        Action::Refuse { text } => status > StatusCode::BAD_REQUEST && body == text.as_bytes(),
        Action::Accept => status == StatusCode::OK && is_ignored(reply),
        Action::Use(content) => {
            let as_it_is = match content {
                Content::Text(text) => body == text.as_bytes(),
                Content::Merge(document) => body == document,
                _ => true,
            };
            status == StatusCode::OK && as_it_is && taken(reply).as_ref() == Some(content)
        }
        _ => false,
    }
}

/// Whether koipy neither uses nor sends anything of a 200, and nothing is lost by that.
fn is_ignored(reply: &Response<Bytes>) -> bool {
    let body = reply.body().trim_ascii();
    match content::media_type(reply.headers()).as_deref() {
        None | Some("text/plain" | "plain/text" | "image/jpeg" | "image/png") => false,
        Some("application/json") => body.is_empty() || body == b"null",
        Some(_) => body.is_empty(),
    }
}

fn used(content: &Content, text_type: TextType) -> Option<Response<Bytes>> {
    match content {
        Content::Merge(document) => {
            let is_object = std::str::from_utf8(document).is_ok_and(is_object);
            is_object.then(|| of_type("application/json", document.clone(), 200))
        }
        Content::Text(text) if !text.is_empty() => {
            Some(of_type(text_type.header(), text.clone().into(), 200))
        }
        Content::Image { bytes, .. } | Content::File { bytes, .. } if bytes.is_empty() => None,
        Content::Image { media_type, bytes } => match &*media_type.to_ascii_lowercase() {
            "image/png" => Some(of_type("image/png", bytes.clone(), 200)),
            "image/jpeg" | "image/jpg" => Some(of_type("image/jpeg", bytes.clone(), 200)),
            other => used(&picture_file(other, None, bytes.clone()), text_type),
        },
        Content::File { name, bytes } => {
            let mut reply = Response::new(bytes.clone());
            if name.is_some() {
                let disposition = content::attachment(name.as_deref());
                reply.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
            }
            Some(reply)
        }
        _ => None,
    }
}

fn busy(text_type: TextType) -> Response<Bytes> {
    let text = "The callback server is busy, please try again later.";
    of_type(text_type.header(), Bytes::from_static(text.as_bytes()), 503)
}

fn of_type(media_type: &'static str, body: Bytes, status: u16) -> Response<Bytes> {
    let mut reply = Response::new(body);
    *reply.status_mut() = StatusCode::from_u16(status).expect("a status");
    let media_type = HeaderValue::from_static(media_type);
    reply.headers_mut().insert(header::CONTENT_TYPE, media_type);
    reply
}
