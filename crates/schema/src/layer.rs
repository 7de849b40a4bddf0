use std::{fmt, sync::Arc};

use http::StatusCode;
use tower_callback_contract::Contract;
use tower_callback_stack::{Layered, Receiver};
use tower_layer::Layer;

use crate::{
    Schema,
    report::Values,
    step::SchemaStep,
    validation::{Mode, Settings, Side, State, Validation},
};

/// [`Layer`] that validates callbacks, or the responses to them, against a [`Schema`].
///
/// By default it enforces the schema: it refuses a document that does not match.
#[must_use = "a layer does nothing until it wraps a service"]
pub struct SchemaLayer<C> {
    contract: Arc<C>,
    schema: Schema,
    settings: Settings,
    state: Arc<State>,
}

impl<C: Contract> SchemaLayer<C> {
    /// Validates the callbacks of this contract. The layer refuses one that does not match with 400.
    pub fn request(contract: C, schema: Schema) -> Self {
        Self::new(contract, schema, Side::Request)
    }

    /// Validates the handler's responses. In place of one that does not match, the layer sends the
    /// contract's [fallback](Contract::fallback); if there is none, it refuses the callback with 500.
    ///
    /// The layer validates only what the platform reads: no empty response, and none that makes the
    /// platform [retry](tower_callback_contract::Action::Retry) or give up.
    pub fn response(contract: C, schema: Schema) -> Self {
        Self::new(contract, schema, Side::Response)
    }

    fn new(contract: C, schema: Schema, side: Side) -> Self {
        let settings = Settings {
            side,
            mode: Mode::Enforce,
            status: None,
            values: Values::Hidden,
            max_reply_bytes: 1024 * 1024,
        };
        Self { contract: Arc::new(contract), schema, settings, state: Arc::default() }
    }

    /// Refuses nothing: a document that does not match goes on with its
    /// [`Violations`](tower_callback_contract::Violations) in its extensions, and an event is logged.
    pub fn report(mut self) -> Self {
        self.settings.mode = Mode::Report;
        self
    }

    /// Reports as [`report`](Self::report) does, on a share of all callbacks between 0 and 1. The
    /// others are not validated.
    ///
    /// # Panics
    /// If `share` is not between 0 and 1.
    pub fn sample(mut self, share: f64) -> Self {
        assert!((0.0..=1.0).contains(&share), "a share is between 0 and 1, not {share}");
        self.settings.mode = Mode::Sample(share);
        self
    }

    /// Sets the status of a refusal. Default: 400 for a request, 500 for a response. A callback that
    /// is not JSON keeps the 400 of its reader.
    pub fn status(mut self, status: StatusCode) -> Self {
        self.settings.status = Some(status);
        self
    }

    /// Quotes the values that do not match in the messages, cut at 256 bytes. Refusals and extensions
    /// show them, events never do. Default: no message shows a value.
    pub fn show_values(mut self) -> Self {
        self.settings.values = Values::Shown;
        self
    }

    /// Sets the size of the largest response that is validated. Default: 1 MiB.
    ///
    /// If the layer enforces, a response beyond the limit is a violation, whether it states its length
    /// or streams. If the layer reports, a response that is larger, or whose length is not known
    /// beforehand, goes out unchanged.
    pub fn max_reply_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_reply_bytes = bytes;
        self
    }

    /// This layer's part of a preset.
    #[doc(hidden)]
    #[must_use]
    pub fn step(&self) -> SchemaStep<C> {
        let (contract, schema) = (Arc::clone(&self.contract), self.schema.clone());
        let (settings, state) = (self.settings, Arc::clone(&self.state));
        SchemaStep::new(Validation { contract, schema, settings, state })
    }
}

impl<S, C: Contract> Layer<S> for SchemaLayer<C> {
    type Service = Layered<S, C, SchemaStep<C>>;

    fn layer(&self, inner: S) -> Self::Service {
        Layered::new(inner, Receiver::for_contract(Arc::clone(&self.contract)), self.step())
    }
}

// By hand: a derive would ask for `C: Clone`.
impl<C> Clone for SchemaLayer<C> {
    fn clone(&self) -> Self {
        let (contract, schema) = (Arc::clone(&self.contract), self.schema.clone());
        Self { contract, schema, settings: self.settings, state: Arc::clone(&self.state) }
    }
}

impl<C: Contract> fmt::Debug for SchemaLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchemaLayer")
            .field("contract", &self.contract.name())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
