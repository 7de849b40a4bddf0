use std::{fmt, sync::Arc};

use http::StatusCode;
use tower_callback_contract::Contract;
use tower_layer::Layer;

use crate::{
    Schema, Validated,
    report::Values,
    validation::{Mode, Settings, Side, Validation},
};

/// [`Layer`] that holds callbacks, or the replies to them, against a [`Schema`].
///
/// By default it enforces: what does not match is refused.
#[must_use = "a layer does nothing until it wraps a service"]
pub struct SchemaLayer<C> {
    validation: Arc<Validation<C>>,
}

impl<C: Contract> SchemaLayer<C> {
    /// Holds the callbacks of this contract against a schema. One that does not match is refused
    /// with 400.
    pub fn request(contract: C, schema: Schema) -> Self {
        Self::new(contract, schema, Side::Request)
    }

    /// Holds the handler's replies against a schema. In the place of one that does not match, the
    /// contract's [fallback](Contract::fallback) is sent; if it has none, the callback is refused
    /// with 500.
    ///
    /// Only what the platform reads is looked at: no empty reply, and none that makes the platform
    /// [retry](tower_callback_contract::Action::Retry) or give up.
    pub fn response(contract: C, schema: Schema) -> Self {
        Self::new(contract, schema, Side::Response)
    }

    fn new(contract: C, schema: Schema, side: Side) -> Self {
        let settings = Settings {
            side,
            mode: Mode::Enforce,
            status: None,
            values: Values::Hidden,
            limit: 1024 * 1024,
        };
        let validation =
            Validation { contract: Arc::new(contract), schema, settings, sampled: Arc::default() };
        Self { validation: Arc::new(validation) }
    }

    /// Refuses nothing: what does not match goes on with its
    /// [`Violations`](tower_callback_contract::Violations) in its extensions, and there is an event.
    pub fn report(self) -> Self {
        self.with(|settings| settings.mode = Mode::Report)
    }

    /// Reports as [`report`](Self::report) does, on a share of all callbacks between 0 and 1, and
    /// does not look at the others.
    ///
    /// # Panics
    /// If `share` is not between 0 and 1.
    pub fn sample(self, share: f64) -> Self {
        assert!((0.0..=1.0).contains(&share), "a share is between 0 and 1, not {share}");
        self.with(|settings| settings.mode = Mode::Sample(share))
    }

    /// The status where a document does not match. Default: 400 for a request, 500 for a response.
    /// A callback that cannot be read as JSON is refused as its contract and reader do, with 400.
    pub fn status(self, status: StatusCode) -> Self {
        self.with(|settings| settings.status = Some(status))
    }

    /// Quotes the values that do not match in the messages, cut at 256 bytes. They go into
    /// refusals and extensions, and never into events. Default: they do not appear.
    pub fn show_values(self) -> Self {
        self.with(|settings| settings.values = Values::Shown)
    }

    /// The largest reply that is looked at, in bytes. A larger one, and one that streams on beyond
    /// it, is a violation where the schema is enforced; where it is reported, such a reply, and any
    /// whose length is not known beforehand, goes out as it is. Default: 1 MiB.
    pub fn limit(self, bytes: usize) -> Self {
        self.with(|settings| settings.limit = bytes)
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut Arc::make_mut(&mut self.validation).settings);
        self
    }
}

impl<S, C> Layer<S> for SchemaLayer<C> {
    type Service = Validated<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Validated::new(inner, Arc::clone(&self.validation))
    }
}

// By hand: a derive would ask for `C: Clone`.
impl<C> Clone for SchemaLayer<C> {
    fn clone(&self) -> Self {
        Self { validation: Arc::clone(&self.validation) }
    }
}

impl<C: Contract> fmt::Debug for SchemaLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchemaLayer")
            .field("contract", &self.validation.contract.name())
            .field("settings", &self.validation.settings)
            .finish_non_exhaustive()
    }
}
