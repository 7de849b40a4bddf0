//! The peers in Rust, and our layers: one handler, set up as the docs of each say.

use std::{
    collections::HashSet,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use axum_idempotent::{IdempotentLayer, IdempotentOptions};
use clap::ValueEnum;
use http::StatusCode;
use ruts::{
    CookieOptions, Session, SessionLayer,
    store::{Ttl, moka::MokaStore},
};
use serde::{Deserialize, Serialize};
use tower_callback::wulai::{Delivery, WulaiDedupLayer, WulaiLayer};
use tower_cookies::CookieManagerLayer;

/// Which of them to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Served {
    /// `WulaiLayer::delivery()`.
    Delivery,
    /// `WulaiDedupLayer`, which does no more than the peers.
    Dedup,
    /// Nothing around the handler.
    Bare,
    /// `IdempotentLayer`, by the header `Idempotency-Key`, in sessions in memory.
    AxumIdempotent,
}

/// How often the handler ran.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) begun: u64,
    pub(crate) finished: u64,
}

#[derive(Debug, Default)]
struct Runs {
    begun: AtomicU64,
    finished: AtomicU64,
    failed: Mutex<HashSet<String>>,
}

/// How long the handler takes for a message that asks for it.
pub(crate) const SLOW: Duration = Duration::from_millis(200);

const HOUR: i64 = 60 * 60;

impl Served {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |name| name.get_name().to_owned())
    }

    /// Serves on a free port, which is printed, until it is killed.
    pub(crate) async fn serve(self) -> io::Result<()> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?.port());
        axum::serve(listener, self.router()).await
    }

    fn router(self) -> Router {
        let runs = Arc::<Runs>::default();
        let bare = || post(async |State(runs), Json(message)| work(runs, message).await);
        let ours = || post(async |State(runs), message: Delivery| work(runs, message).await);
        let handler = match self {
            Self::Delivery => ours().layer(WulaiLayer::delivery()),
            Self::Dedup => ours().layer(WulaiDedupLayer::new()),
            Self::Bare | Self::AxumIdempotent => bare(),
        };
        let app = Router::new()
            .route("/callback/message", handler)
            .route("/versions", get(async move || self.versions()));
        let app = match self {
            Self::Delivery | Self::Dedup | Self::Bare => app,
            Self::AxumIdempotent => remember(app),
        };
        app.route("/runs", get(async |State(runs): State<Arc<Runs>>| Json(runs.counts())))
            .with_state(runs)
    }

    fn versions(self) -> String {
        let (axum, others) = (locked("axum"), ["axum-idempotent", "ruts"].map(locked).join(", "));
        match self {
            Self::Delivery | Self::Dedup => {
                format!("tower-callback {}, {axum}", env!("CARGO_PKG_VERSION"))
            }
            Self::Bare => axum,
            Self::AxumIdempotent => format!("{others}, {axum}"),
        }
    }
}

impl Runs {
    fn counts(&self) -> Counts {
        let of = |count: &AtomicU64| count.load(Ordering::SeqCst);
        Counts { begun: of(&self.begun), finished: of(&self.finished) }
    }
}

async fn work(runs: Arc<Runs>, message: Delivery) -> Result<&'static str, StatusCode> {
    runs.begun.fetch_add(1, Ordering::SeqCst);
    match message.msg_body.text() {
        Some("#fail") => {
            let mut failed = runs.failed.lock().unwrap_or_else(PoisonError::into_inner);
            if failed.insert(message.msg_id.clone()) {
                return Err(StatusCode::INTERNAL_SERVER_ERROR);
            }
        }
        Some("#slow") => tokio::time::sleep(SLOW).await,
        _ => {}
    }
    runs.finished.fetch_add(1, Ordering::SeqCst);
    Ok("success")
}

/// Set up as its README says, with a page that opens a session, without which it remembers nothing.
fn remember(app: Router<Arc<Runs>>) -> Router<Arc<Runs>> {
    let options = IdempotentOptions::default()
        .use_idempotency_key_header(Some("Idempotency-Key"), false)
        .expire_after(HOUR);
    let cookies = CookieOptions::build().name("session").path("/").max_age(HOUR.unsigned_abs());
    let store = Arc::new(MokaStore::builder().build());
    app.layer(IdempotentLayer::<MokaStore>::new(options))
        .route("/session", post(open_session))
        .layer(SessionLayer::new(store).with_cookie_options(cookies))
        .layer(CookieManagerLayer::new())
}

async fn open_session(session: Session<MokaStore>) -> Result<(), StatusCode> {
    let hour = Ttl::new(HOUR).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let opened = session.set("sender", &"platform", hour, None).await;
    opened.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

/// A package of the lock file, with its version.
fn locked(package: &str) -> String {
    let name = format!("name = \"{package}\"\nversion = \"");
    let version = include_str!("../../../../Cargo.lock").split_once(&name);
    let version = version.and_then(|(_, rest)| rest.split('"').next()).unwrap_or("unknown");
    format!("{package} {version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_lock_file() {
        for served in Served::value_variants() {
            let versions = served.versions();
            assert!(!versions.contains("unknown"), "{versions}");
        }
    }
}
