//! The app: three callbacks, each behind its layer, and the page that they feed.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    middleware::from_fn_with_state,
    routing::{get, post},
};
use tower_callback::{
    order::{Hold, Position},
    wulai::{Delivery, ErrorCallback, ErrorReport, MessageDelivery, MessageRoute, WulaiLayer},
};

use crate::{
    hub::Hub,
    message::Message,
    page,
    route::route,
    trials::{self, Trials, trial},
    ws,
};

/// What lives as long as the process. The layers are here because they hold what they remember.
pub(crate) struct Chat {
    hub: Arc<Hub>,
    trials: Arc<Trials>,
    delivery: WulaiLayer<MessageDelivery>,
    route: WulaiLayer<MessageRoute>,
    error: WulaiLayer<ErrorCallback>,
}

impl Chat {
    pub(crate) fn new(trials: Trials, hold: Hold) -> Self {
        Self {
            hub: Arc::new(Hub::new()),
            trials: Arc::new(trials),
            delivery: WulaiLayer::delivery().order(|order| order.hold(hold)),
            route: WulaiLayer::route(),
            error: WulaiLayer::error(),
        }
    }

    /// Refuses new callbacks, waits for the running ones, and returns how many did not end in time.
    pub(crate) async fn drain(&self, grace: Duration) -> usize {
        let (delivery, route, error) =
            (self.delivery.drain_handle(), self.route.drain_handle(), self.error.drain_handle());
        let (delivery, route, error) =
            tokio::join!(delivery.drain(grace), route.drain(grace), error.drain(grace));
        delivery.abandoned + route.abandoned + error.abandoned
    }

    pub(crate) async fn close_browsers(&self) {
        self.hub.close().await;
    }
}

pub(crate) fn app(chat: &Chat) -> Router {
    // The last layer is the outermost, so a duplicate never reaches a trial. `from_fn` takes no other body
    // than axum's, so each layer stands in a call of its own.
    let tried = || from_fn_with_state(Arc::clone(&chat.trials), trial);
    let demo = || chat.trials.demo.clone();
    let deliver =
        post(deliver).route_layer(tried()).route_layer(demo()).route_layer(chat.delivery.clone());
    let route =
        post(route).route_layer(tried()).route_layer(demo()).route_layer(chat.route.clone());
    let on_error =
        post(on_error).route_layer(tried()).route_layer(demo()).route_layer(chat.error.clone());
    Router::new()
        .route("/callback/message", deliver)
        .route("/webhook/route", route)
        .route("/callback/error", on_error)
        .route("/ws/{user_id}", get(ws::open))
        .merge(page::routes())
        .merge(trials::routes(&chat.trials))
        .with_state(Arc::clone(&chat.hub))
}

/// Message delivery 消息投递: shows what the bot says to its user.
async fn deliver(
    State(hub): State<Arc<Hub>>,
    position: Position,
    delivery: Delivery,
) -> &'static str {
    let user = delivery.user_id.clone();
    let is_late = matches!(position, Position::Late { .. });
    hub.deliver(&user, Message::delivered(delivery, is_late).into_json());
    "success"
}

/// Error callback 错误回调: shows that a message did not reach its user.
async fn on_error(State(hub): State<Arc<Hub>>, report: ErrorReport) {
    if let Some(user) = report.user_id.clone() {
        hub.deliver(&user, Message::not_sent(report).into_json());
    }
}

#[cfg(test)]
mod tests;
