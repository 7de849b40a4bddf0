//! What the headers of a response say about its body.
//!
//! Nothing here trusts the other side: a header that cannot be read counts as absent, text is always
//! text, and a file's name is never a path.

mod disposition;
mod params;

use std::borrow::Cow;

use bytes::Bytes;
use encoding_rs::Encoding;
use http::{HeaderMap, Response, header};

pub(crate) use self::disposition::{attachment, file_name, is_attachment};
use self::params::Params;

/// The media type of a body, in lower case and without its parameters, such as `text/plain`.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let Params { main, .. } = Params::of(headers, &header::CONTENT_TYPE)?;
    Some(main).filter(|media_type| !media_type.is_empty())
}

/// The body as text, in the charset that its type names, by default UTF-8. Bytes that cannot be decoded
/// become U+FFFD if the type is text or absent; a body of another type is `None` then.
pub(crate) fn text(reply: &Response<Bytes>) -> Option<Cow<'_, str>> {
    let params = Params::of(reply.headers(), &header::CONTENT_TYPE);
    let charset = params.as_ref().and_then(|params| params.get("charset"));
    let media_type = params.as_ref().map_or("", |params| &*params.main);
    let is_text =
        media_type.is_empty() || media_type.starts_with("text/") || media_type == "plain/text";
    let may_be_encoded = is_text || media_type.ends_with("json") || media_type.ends_with("xml");
    let encoding = charset.and_then(|charset| Encoding::for_label(charset.as_bytes()));
    match encoding.filter(|_| may_be_encoded) {
        Some(encoding) => Some(encoding.decode_without_bom_handling(reply.body()).0),
        None if is_text => Some(String::from_utf8_lossy(reply.body())),
        None => std::str::from_utf8(reply.body()).ok().map(Cow::Borrowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(content_type: Option<&str>, body: &'static [u8]) -> Response<Bytes> {
        let mut reply = Response::new(Bytes::from_static(body));
        if let Some(content_type) = content_type {
            reply.headers_mut().insert("content-type", content_type.parse().unwrap());
        }
        reply
    }

    #[test]
    fn a_media_type_has_no_parameters_and_no_capitals() {
        for (header, expected) in [
            (Some("text/plain"), Some("text/plain")),
            (Some(" Text/Plain ;charset=utf-8"), Some("text/plain")),
            (Some(""), None),
            (Some(" ; charset=utf-8"), None),
            (None, None),
        ] {
            assert_eq!(media_type(reply(header, b"").headers()).as_deref(), expected, "{header:?}");
        }
    }

    #[test]
    fn text_is_decoded_as_its_type_says() {
        const HELLO: &[u8] = b"\xc4\xe3\xba\xc3";
        for (content_type, body, expected) in [
            (Some("text/plain; charset=gbk"), HELLO, Some("你好")),
            (Some("text/plain; charset=\"GB2312\""), HELLO, Some("你好")),
            (Some("plain/text;charset=gb18030"), HELLO, Some("你好")),
            (Some("text/plain; charset=utf-8"), "你好".as_bytes(), Some("你好")),
            (Some("text/plain; charset=klingon"), "你好".as_bytes(), Some("你好")),
            (Some("text/plain"), HELLO, Some("\u{fffd}\u{fffd}\u{fffd}")),
            (Some("text/plain; charset=utf-8"), b"a\xff", Some("a\u{fffd}")),
            (None, b"a\xff", Some("a\u{fffd}")),
            (Some("application/json; charset=gbk"), HELLO, Some("你好")),
            (Some("application/json"), HELLO, None),
            (Some("application/octet-stream"), b"plain", Some("plain")),
            (Some("image/png"), b"\x89PNG", None),
            (Some("image/png; charset=gbk"), b"\x89PNG", None),
            // A byte order mark is part of the text.
            (Some("text/plain; charset=utf-8"), b"\xEF\xBB\xBFa", Some("\u{feff}a")),
        ] {
            let reply = reply(content_type, body);
            assert_eq!(text(&reply).as_deref(), expected, "{content_type:?} {body:?}");
        }
    }
}
