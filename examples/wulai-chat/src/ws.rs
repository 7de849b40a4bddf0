//! The WebSocket of one browser.

use std::{mem, sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::{
        Path, State, WebSocketUpgrade,
        ws::{CloseCode, CloseFrame, Message, WebSocket, close_code},
    },
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use tokio::time::{interval, timeout};

use crate::hub::{Feed, Hub};

/// How often a browser must show that it is alive.
const PING: Duration = Duration::from_secs(20);

/// How long a browser may take to accept a message.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a browser may take to confirm that we close.
const FAREWELL: Duration = Duration::from_secs(1);

/// The page sends nothing; this is enough for pongs and for closing.
const MAX_FRAME: usize = 1024;

/// The browser left, stalled or fell silent.
struct Gone;

pub(crate) async fn open(
    State(hub): State<Arc<Hub>>,
    Path(user): Path<String>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !is_same_origin(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let Some(feed) = hub.follow(&user) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    upgrade
        .read_buffer_size(MAX_FRAME)
        .max_frame_size(MAX_FRAME)
        .max_message_size(MAX_FRAME)
        .on_upgrade(|browser| show(browser, feed))
}

/// Browsers let any page open a WebSocket to any host, and name the page's origin. A client that names
/// none is not a browser, and could name any origin.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match (origin.as_ref().and_then(Uri::authority), host) {
        (Some(origin), Some(host)) => origin.as_str().eq_ignore_ascii_case(host),
        _ => false,
    }
}

async fn show(mut browser: WebSocket, mut feed: Feed) {
    if let Ok(code) = relay(&mut browser, &mut feed).await {
        let reason = CloseFrame { code, reason: "".into() };
        let _ = send(&mut browser, Message::Close(Some(reason))).await;
        // Waits for the browser to confirm, so that it sees the reason and not a broken connection.
        let _ = timeout(FAREWELL, browser.recv()).await;
    }
}

/// Returns why to close, or `Gone` if the browser has gone.
async fn relay(browser: &mut WebSocket, feed: &mut Feed) -> Result<CloseCode, Gone> {
    let mut ping = interval(PING);
    let mut is_alive = true;
    loop {
        tokio::select! {
            messages = feed.next() => {
                let Some(messages) = messages else { return Ok(close_code::AWAY) };
                for message in messages {
                    send(browser, Message::Text(message)).await?;
                }
            }
            frame = browser.recv() => match frame.ok_or(Gone)?.map_err(|_| Gone)? {
                Message::Ping(_) | Message::Pong(_) => is_alive = true,
                Message::Text(_) | Message::Binary(_) => return Ok(close_code::POLICY),
                Message::Close(_) => return Ok(close_code::NORMAL),
            },
            _ = ping.tick() => {
                if !mem::replace(&mut is_alive, false) {
                    return Err(Gone);
                }
                send(browser, Message::Ping(Bytes::new())).await?;
            }
        }
    }
}

async fn send(browser: &mut WebSocket, message: Message) -> Result<(), Gone> {
    match timeout(SEND_TIMEOUT, browser.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Gone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_page_itself_may_open_the_socket() {
        let allows = |origin: &'static str, host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            headers.insert(header::ORIGIN, origin.parse().unwrap());
            is_same_origin(&headers)
        };
        assert!(allows("http://127.0.0.1:3000", "127.0.0.1:3000"));
        assert!(allows("https://chat.example", "Chat.Example"));
        for origin in [
            "http://evil.example",
            "http://127.0.0.1:3001",
            "http://127.0.0.1:3000.evil.example",
            "http://evil.example/127.0.0.1:3000",
            "null",
            "",
        ] {
            assert!(!allows(origin, "127.0.0.1:3000"), "{origin}");
        }
    }
}
