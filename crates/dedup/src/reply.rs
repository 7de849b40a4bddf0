use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

/// A handler's response, as dedup replays it to duplicates.
///
/// It leaves out hop-by-hop headers, `date` and `set-cookie`. It owns its bytes: a slice would keep
/// alive the whole buffer that it was cut from.
///
/// `Debug` shows no payload.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    status: StatusCode,
    headers: Box<[(HeaderName, HeaderValue)]>,
    body: Bytes,
}

/// Keeps the last response: most handlers respond to every callback in the same way, and then the
/// store needs memory for the ids only.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    last: Mutex<Option<Arc<Reply>>>,
}

// ===== impl Reply =====

impl Reply {
    /// The part of this response that dedup replays.
    #[must_use]
    pub fn new(response: &Response<Bytes>) -> Self {
        let headers = replayed(response.headers());
        Self {
            status: response.status(),
            headers: headers.map(|(name, value)| (name.clone(), copy(value))).collect(),
            body: Bytes::copy_from_slice(response.body()),
        }
    }

    /// The response again.
    #[must_use]
    pub fn to_response(&self) -> Response<Bytes> {
        let mut response = Response::new(self.body.clone());
        *response.status_mut() = self.status;
        response.headers_mut().reserve(self.headers.len() + 1);
        for (name, value) in &self.headers {
            response.headers_mut().append(name, value.clone());
        }
        response
    }

    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        let header = |(name, value): &(HeaderName, HeaderValue)| {
            size_of::<(HeaderName, HeaderValue)>() + name.as_str().len() + value.len()
        };
        size_of::<Self>() + self.body.len() + self.headers.iter().map(header).sum::<usize>()
    }

    fn is_of(&self, response: &Response<Bytes>) -> bool {
        self.status == response.status()
            && self.body == response.body()
            && replayed(response.headers())
                .eq(self.headers.iter().map(|(name, value)| (name, value)))
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (status, bytes) = (self.status.as_u16(), self.body.len());
        f.debug_struct("Reply")
            .field("status", &status)
            .field("bytes", &bytes)
            .finish_non_exhaustive()
    }
}

// ===== impl Replies =====

impl Replies {
    pub(crate) fn reply(&self, response: &Response<Bytes>) -> Arc<Reply> {
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reply) = last().as_ref().filter(|reply| reply.is_of(response)) {
            return Arc::clone(reply);
        }
        let reply = Arc::new(Reply::new(response));
        *last() = Some(Arc::clone(&reply));
        reply
    }
}

fn replayed(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    headers.iter().filter(|(name, _)| {
        !matches!(
            **name,
            header::CONNECTION
                | header::DATE
                | header::PROXY_AUTHENTICATE
                | header::SET_COOKIE
                | header::TE
                | header::TRAILER
                | header::TRANSFER_ENCODING
                | header::UPGRADE
        ) && *name != "keep-alive"
    })
}

fn copy(value: &HeaderValue) -> HeaderValue {
    let mut copy = HeaderValue::from_bytes(value.as_bytes()).expect("it was a header value");
    copy.set_sensitive(value.is_sensitive());
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(headers: &[(&str, &str)], body: &'static str) -> Response<Bytes> {
        let mut response = Response::builder().status(201);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response.body(Bytes::from_static(body.as_bytes())).unwrap()
    }

    #[test]
    fn d15_hop_by_hop_headers_date_and_cookies_are_left_out() {
        let sent = [
            ("x-kept", "1"),
            ("x-kept", "2"),
            ("content-type", "text/plain"),
            ("connection", "close"),
            ("keep-alive", "timeout=5"),
            ("proxy-authenticate", "Basic"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("date", "now"),
            ("set-cookie", "a=b"),
        ];
        let replayed = Reply::new(&response(&sent, "body")).to_response();
        assert_eq!(replayed.status(), 201);
        assert_eq!(replayed.body(), "body");
        let headers: Vec<_> =
            replayed.headers().iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
        assert_eq!(headers, &sent[..3]);
    }

    #[test]
    fn equal_replies_are_kept_once() {
        let replies = Replies::default();
        let one = replies.reply(&response(&[("a", "1"), ("date", "now")], "x"));
        assert!(Arc::ptr_eq(
            &one,
            &replies.reply(&response(&[("a", "1"), ("date", "later")], "x"))
        ));
        for other in
            [response(&[("a", "2")], "x"), response(&[("a", "1")], "y"), response(&[], "x")]
        {
            assert!(!Arc::ptr_eq(&one, &replies.reply(&other)));
            assert_eq!(*replies.reply(&other), Reply::new(&other));
            let _ = replies.reply(&response(&[("a", "1")], "x"));
        }
    }

    #[test]
    fn a_reply_keeps_no_foreign_buffer_alive() {
        let buffer = Bytes::from(vec![b'x'; 4096]);
        let mut response = Response::new(buffer.slice(..1));
        let value = HeaderValue::from_maybe_shared(buffer.slice(..2)).unwrap();
        response.headers_mut().insert("x", value);
        let reply = Reply::new(&response);
        drop(response);
        assert!(buffer.is_unique(), "{reply:?}");
    }
}
