use tower::Layer;

use super::{Demo, EffectsFile};

/// [`Layer`](tower::Layer) for a handler under test: it does what the simulator asks for, and records
/// what the handler did.
///
/// It goes inside the callback layers, and does nothing unless you configure it.
#[derive(Clone, Debug, Default)]
#[must_use = "a layer does nothing until it wraps a service"]
pub struct DemoLayer {
    pub(super) text: Option<&'static str>,
    pub(super) effects: Option<EffectsFile>,
}

impl DemoLayer {
    /// A layer that does nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Does what messages ask for, such as `#sim slow 2s`. The JSON pointer leads to the text in the
    /// body of a callback: `/msg_body/text/content` for Wulai, `/message/text` for koipy.
    pub fn obey(mut self, text: &'static str) -> Self {
        self.text = Some(text);
        self
    }

    /// Writes a line to this file for every run, before the response.
    pub fn record(mut self, effects: EffectsFile) -> Self {
        self.effects = Some(effects);
        self
    }

    pub(super) fn does_nothing(&self) -> bool {
        self.text.is_none() && self.effects.is_none()
    }
}

impl<S> Layer<S> for DemoLayer {
    type Service = Demo<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Demo::new(inner, self.clone())
    }
}
