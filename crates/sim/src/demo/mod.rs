//! What an app in Rust puts around its handlers to be tried out: a layer that obeys the simulator,
//! and tells what the handlers did.
//!
//! [`DemoLayer`] goes inside of the layers that receive, deduplicate and order: there it sees what
//! runs, not what arrives. Set up with nothing, it does nothing, so an app can always have it, and
//! turn it on by an option:
//!
//! ```
//! use http::{Request, Response};
//! use tower::{Layer, service_fn};
//! use tower_callback_sim::{Body, check::{Suite, Verdict}, demo::{DemoLayer, EffectsFile}};
//! use tower_callback_wulai::WulaiLayer;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = std::env::temp_dir().join(format!("demo-{}.jsonl", std::process::id()));
//! let effects = EffectsFile::open(&path)?;
//! let demo = DemoLayer::new().record(effects.clone()).obey("/msg_body/text/content");
//! let handler = service_fn(async |_: Request<Body>| {
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
//! | a handler panics, or its service has an error | the run has failed; the panic or error goes on |
//! | a time-out outside of the layer cuts the handler off | the run has failed |
//! | a run cannot be recorded | 500: what is answered stands in the file |
//! | an instruction asks for more than ten seconds | the handler takes ten |
//! | no dedup layer stands outside | nothing fails once: who counts the attempts? |
//! | no layer outside has received the callback | it passes untouched |
//!
//! Whoever can send a callback can then slow the app down. It is for a desk, not for production.

mod file;
mod instruction;
mod layer;
mod service;

pub use self::{file::EffectsFile, layer::DemoLayer, service::Demo};
