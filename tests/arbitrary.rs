use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_callback::{
    Callback, Refusal,
    wulai::{Delivery, ErrorReport, RouteReply, RouteRequest, WulaiSchemaLayer, schema, spelling},
};

type Req = Request<Full<Bytes>>;
type Res = Response<Full<Bytes>>;

/// What any body whatever must get of each route: an answer, which the model of the route agrees
/// with. Gives the codes of the refusals; `None` for a route that took it.
///
/// # Panics
/// If it finds a defect.
#[must_use]
pub fn answer(body: &[u8]) -> [Option<&'static str>; 3] {
    let callback = Callback::new(Bytes::copy_from_slice(body), spelling);
    let delivery = sent(WulaiSchemaLayer::delivery(), body);
    assert_eq!(delivery.is_none(), Delivery::try_from(&callback).is_ok(), "a delivery");
    let route = sent(WulaiSchemaLayer::route(), body);
    assert_eq!(route.is_none(), RouteRequest::try_from(&callback).is_ok(), "a route");
    let error = sent(WulaiSchemaLayer::error(), body);
    assert_eq!(error.is_none(), ErrorReport::try_from(&callback).is_ok(), "an error callback");
    if route.is_none() {
        let reply = RouteReply::to(&callback).expect("it has answers").to_bytes();
        let reply = serde_json::from_slice(&reply).expect("JSON");
        assert_eq!(schema::route_response().check(&reply), Ok(()), "the platform's own answers");
    }
    [delivery, route, error]
}

fn sent<L>(layer: L, body: &[u8]) -> Option<&'static str>
where
    L: Layer<tower::util::BoxCloneSyncService<Req, Res, Infallible>>,
    L::Service: Service<Req, Response = Res, Error = Infallible>,
{
    let handler = service_fn(async |request: Req| {
        let callback: &Callback = request.extensions().get().expect("received");
        assert!(callback.json().is_ok(), "the handler got what is no JSON");
        Ok(Response::new(Full::from("success")))
    });
    let service = layer.layer(tower::util::BoxCloneSyncService::new(handler));
    let request = Request::post("/").body(Full::from(body.to_vec())).expect("a request");
    thread_local! {
        static RUNTIME: Runtime =
            Builder::new_current_thread().enable_time().build().expect("a runtime");
    }
    let Ok(response) = RUNTIME.with(|runtime| runtime.block_on(service.oneshot(request)));
    if response.status() == StatusCode::OK {
        return None;
    }
    let refusal: Refusal = response.extensions().get().cloned().expect("a reason");
    assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{refusal:?}");
    let problem = RUNTIME.with(|runtime| runtime.block_on(response.into_body().collect()));
    let Ok(problem) = problem.map(http_body_util::Collected::to_bytes);
    let document: Value = serde_json::from_slice(&problem).expect("a problem document");
    assert_eq!(document["reason"], refusal.reason().code());
    // Each of 32 violations is cut; an escape takes six bytes.
    assert!(problem.len() < 128 * 1024, "a refusal of {} bytes", problem.len());
    Some(refusal.reason().code())
}
