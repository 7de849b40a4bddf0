//! A client, payloads, and a check of arbitrary bodies, for the tests beside this file and for the fuzzer.

#![expect(clippy::missing_panics_doc, reason = "it is for tests")]

mod arbitrary;

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, time::timeout};
use tower::{BoxError, Service};

pub use self::arbitrary::answer;

/// A text message of Wulai's, as it is delivered.
pub const DELIVERY: &str = include_str!("../crates/wulai/tests/payloads/delivery_snake.json");
/// The same message, as another version of the documents spells it.
pub const DELIVERY_CAMEL: &str = include_str!("../crates/wulai/tests/payloads/delivery_camel.json");
/// A question, with the bot's answers.
pub const ROUTE: &str = include_str!("../crates/wulai/tests/payloads/route.json");
/// A report of a message that was not sent.
pub const ERROR: &str = include_str!("../crates/wulai/tests/payloads/error.json");

/// Far longer than anything here takes.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A platform that sends callbacks to one server.
#[derive(Clone, Debug)]
pub struct Platform {
    server: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A response of a server.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its whole body.
    pub body: Bytes,
}

impl Platform {
    /// A platform whose callbacks go to this server.
    #[must_use]
    pub fn new(server: SocketAddr) -> Self {
        Self { server, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Sends a callback, and disconnects when the future is dropped.
    pub async fn post(&self, path: &str, body: &str) -> Reply {
        self.send(Request::post(path).body(Full::from(body.to_owned())).expect("a request")).await
    }

    /// Sends any request.
    pub async fn send(&self, mut request: Request<Full<Bytes>>) -> Reply {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = format!("http://{}{path}", self.server).parse().expect("a URI");
        let json = http::HeaderValue::from_static("application/json");
        request.headers_mut().insert(http::header::CONTENT_TYPE, json);
        let response = timeout(DEADLINE, self.client.request(request));
        let response = response.await.expect("in time").expect("a response");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Reply { status: head.status, headers: head.headers, body }
    }
}

impl Reply {
    /// Whether it was recorded, and sent before to another delivery.
    #[must_use]
    pub fn is_replayed(&self) -> bool {
        self.headers.get("idempotency-replayed").is_some_and(|replayed| replayed == "true")
    }
}

/// A server of this service by bare hyper, and the platform that sends callbacks to it.
pub async fn serve_by_hyper<S, B>(service: S) -> Platform
where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let platform = Platform::new(listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let connection = auto::Builder::new(TokioExecutor::new());
                let _ = connection.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    platform
}
