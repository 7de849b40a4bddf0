//! A layer for the handlers of an app in Rust that is under test: it obeys the simulator, and records
//! what the handlers did.
//!
//! [`DemoLayer`] goes inside the layers that receive, deduplicate and order: there it sees what runs,
//! not what arrives. Unless you configure it, it does nothing. So an app can always have it, and turn it
//! on by an option:
//!
//! ```
//! use http::{Request, Response};
//! use tower::{Layer, service_fn};
//! use tower_callback_sim::{Body, check::{Suite, Verdict}, demo::{DemoLayer, EffectsFile}};
//! use tower_callback_stack::Buffered;
//! use tower_callback_wulai::WulaiLayer;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = std::env::temp_dir().join(format!("demo-{}.jsonl", std::process::id()));
//! let effects = EffectsFile::open(&path)?;
//! let demo = DemoLayer::new().record(effects.clone()).obey("/msg_body/text/content");
//! let handler = service_fn(async |_: Request<Buffered<Body>>| {
//!     Ok::<_, std::convert::Infallible>(Response::new(Body::from("success")))
//! });
//! let receiver = WulaiLayer::delivery().layer(demo.layer(handler));
//!
//! // The platform sends `#sim fail once`, sees it fail, and sends it again.
//! let done = async || effects.effects().await.map(Some);
//! let suite = Suite::of("wulai").expect("there is one");
//! let results = suite.run(receiver, done, Some("failure-then-retry")).await?;
//! assert_eq!(results[0].verdict, Verdict::Pass);
//! # std::fs::remove_file(path)?;
//! # Ok(())
//! # }
//! ```
//!
//! # What happens when …
//!
//! | | |
//! |---|---|
//! | a handler panics, or its service returns an error | the run has failed; the panic or the error goes on |
//! | a timeout outside the layer cuts the handler off | the run has failed |
//! | a run cannot be recorded | 500, so that every run with a response is in the file |
//! | an instruction asks for more than ten seconds | the handler takes ten |
//! | there is no dedup layer outside | nothing fails once, because nobody counts the attempts |
//! | no layer outside has received the callback | it passes through untouched |
//!
//! With this layer, everybody who can send a callback can slow the app down. Do not use it in production.

mod file;
mod instruction;
mod layer;
mod service;

pub use self::{
    file::EffectsFile,
    layer::DemoLayer,
    service::{Demo, DemoFuture},
};
