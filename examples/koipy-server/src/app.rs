//! The app: three hooks, each behind its layer, and statistics.

use std::{io, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use tokio::time::timeout;
use tower_callback::{
    Callback, Id, Refusal,
    koipy::{
        HookRequest, KoipyLayer, NotAPhoto, OnMessage, OnPreSend, OnResult, PreSendReply, Reply,
        ResultReply,
        hook::{self, Hook},
    },
};
use tower_callback_sim::demo::{DemoLayer, EffectsFile};

use crate::{
    card,
    grade::{self, grades},
    ledger::{Ledger, Payment, Statistics},
    rules::{Backends, Blocklist},
};

/// What lives as long as the process. The layers are here because they hold what they remember.
pub(crate) struct Server {
    desk: Arc<Desk>,
    care: Care,
    on_message: KoipyLayer<hook::OnMessage>,
    on_pre_send: KoipyLayer<hook::OnPreSend>,
    on_result: KoipyLayer<hook::OnResult>,
}

/// What handlers work with.
struct Desk {
    blocklist: Blocklist,
    backends: Backends,
    ledger: Ledger,
}

/// What stands around every handler.
pub(crate) struct Care {
    pub(crate) on_failure: OnFailure,
    /// How long a handler may take, because its user waits.
    pub(crate) timeout: Duration,
    pub(crate) demo: DemoLayer,
    /// The file that everybody can read at `/effects`.
    pub(crate) shown: Option<EffectsFile>,
}

/// What happens to a test when this server fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnFailure {
    GoOn,
    Refuse,
}

/// Why a handler failed. The response is plain HTTP; the layer turns it into what the bot understands.
enum Failure {
    Payload(Refusal),
    Ours(io::Error),
}

impl Server {
    pub(crate) fn new(
        blocklist: Blocklist,
        backends: Backends,
        ledger: Ledger,
        care: Care,
    ) -> Self {
        let (message, pre_send, result) = match care.on_failure {
            OnFailure::GoOn => (OnMessage::new(), OnPreSend::new(), OnResult::new()),
            OnFailure::Refuse => (
                OnMessage::new().fail_closed(),
                OnPreSend::new().fail_closed(),
                OnResult::new().fail_closed(),
            ),
        };
        Self {
            desk: Arc::new(Desk { blocklist, backends, ledger }),
            care,
            on_message: KoipyLayer::for_contract(message),
            on_pre_send: KoipyLayer::for_contract(pre_send),
            on_result: KoipyLayer::for_contract(result),
        }
    }

    /// Refuses new callbacks, waits for the running ones, and returns how many did not end in time.
    pub(crate) async fn drain(&self, grace: Duration) -> usize {
        async fn abandoned<H: Hook>(layer: &KoipyLayer<H>, grace: Duration) -> usize {
            layer.drain_handle().drain(grace).await.abandoned
        }
        let (message, pre_send, result) = tokio::join!(
            abandoned(&self.on_message, grace),
            abandoned(&self.on_pre_send, grace),
            abandoned(&self.on_result, grace),
        );
        message + pre_send + result
    }
}

pub(crate) fn app(server: &Server) -> Router {
    let Care { timeout, demo, shown, .. } = &server.care;
    // The last layer is the outermost, so a duplicate never reaches the others. `from_fn` takes no other
    // body than axum's, so each layer stands in a call of its own.
    let inside = |handler: MethodRouter<Arc<Desk>>| {
        let in_time = from_fn_with_state(*timeout, in_time);
        handler.route_layer(demo.clone()).route_layer(in_time)
    };
    let on_message = inside(post(on_message)).route_layer(server.on_message.clone());
    let on_pre_send = inside(post(on_pre_send)).route_layer(server.on_pre_send.clone());
    let on_result = inside(post(on_result)).route_layer(server.on_result.clone());
    let app = Router::new()
        .route("/onMessage", on_message)
        .route("/onPreSend", on_pre_send)
        .route("/onResult", on_result)
        .route("/stats", get(stats))
        .with_state(Arc::clone(&server.desk));
    match shown.clone() {
        Some(file) => app.route("/effects", get(async move || effects(&file).await)),
        None => app,
    }
}

/// Fails a handler that takes too long, while the bot still waits.
async fn in_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    timeout(limit, next.run(request)).await.unwrap_or_else(|_| {
        tracing::error!(?limit, "callback took too long");
        StatusCode::GATEWAY_TIMEOUT.into_response()
    })
}

/// A test command arrived: refuses users on the blocklist, and takes points from the others.
async fn on_message(State(desk): State<Arc<Desk>>, callback: Callback) -> Result<Reply, Failure> {
    let message = HookRequest::try_from(&callback)?.message;
    if desk.blocklist.has(&message) {
        desk.ledger.count_refused().await?;
        return Ok(Reply::refuse("你已被拉黑！"));
    }
    // There is no user to charge.
    let Some(user) = message.sender_id() else { return Ok(Reply::proceed()) };
    let id = callback.envelope().id.as_ref().map(Id::as_str);
    Ok(match desk.ledger.charge(user, id).await? {
        Payment::Paid => Reply::proceed(),
        Payment::TooFew { points } => {
            let cost = desk.ledger.cost();
            Reply::refuse(format!("积分不足：测试一次需要 {cost} 分，你还有 {points} 分。"))
        }
    })
}

/// A task is about to go to a back end. Sends it to the back end of its user; a user without one sees
/// how many points are left.
async fn on_pre_send(State(desk): State<Arc<Desk>>, callback: Callback) -> Result<Reply, Failure> {
    let payload = HookRequest::try_from(&callback)?;
    let creator = || payload.slave_request.task.as_ref()?.creator.as_ref()?.parse().ok();
    let Some(user) = payload.message.sender_id().or_else(creator) else {
        return Ok(Reply::proceed());
    };
    if let Some(backend) = desk.backends.of(user) {
        let mut task = PreSendReply::to(&callback)?;
        task.slave_mut().extend(backend.clone());
        return Ok(task.into());
    }
    let card = card::draw(desk.ledger.points(user).await)?;
    Ok(Reply::photo(card)?)
}

/// Raw results are in: adds a column.
async fn on_result(
    State(desk): State<Arc<Desk>>,
    HookRequest { result, .. }: HookRequest,
) -> Result<Reply, Failure> {
    desk.ledger.count_result(result.rows().unwrap_or(0)).await?;
    if result.rows().is_none() {
        return Ok(Reply::proceed());
    }
    let graded = ResultReply::to(&result).column(grade::COLUMN, grades(&result));
    Ok(graded.map_err(Refusal::from)?.into())
}

async fn stats(State(desk): State<Arc<Desk>>) -> Json<Statistics> {
    Json(desk.ledger.statistics().await)
}

/// What the handlers did, for `callback-sim`.
async fn effects(file: &EffectsFile) -> Result<String, StatusCode> {
    file.lines().await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

// ===== impl Failure =====

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Payload(refusal) => refusal.into_response(),
            Self::Ours(error) => {
                tracing::error!(%error, "callback failed");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Payload(refusal)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Ours(error)
    }
}

impl From<NotAPhoto> for Failure {
    fn from(error: NotAPhoto) -> Self {
        Self::Ours(io::Error::other(error))
    }
}
