//! The client that carries the simulator's callbacks to a receiver.

use axum::http::{Request, uri::PathAndQuery};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{ServiceExt, util::MapRequest};
use tower_callback_sim::Body;

type Http = Client<HttpConnector, Body>;

/// A receiver, as a service for the simulator, whose requests name only a path.
pub(crate) fn client(
    address: &str,
) -> MapRequest<Http, impl FnMut(Request<Body>) -> Request<Body> + Clone + Send + 'static> {
    let address = address.to_owned();
    let client: Http = Client::builder(TokioExecutor::new()).build_http();
    client.map_request(move |mut request: Request<Body>| {
        let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        *request.uri_mut() = format!("http://{address}{path}").parse().unwrap();
        request
    })
}
