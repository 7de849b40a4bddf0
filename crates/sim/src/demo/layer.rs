use tower::Layer;

use super::{Demo, EffectsFile};

/// [`Layer`](tower::Layer) for a handler that is tried out: it does what the simulator asks for, and
/// tells what was done.
///
/// It goes inside of the callback layers, and does nothing unless it is set up to.
#[derive(Clone, Debug, Default)]
#[must_use = "a layer does nothing until it wraps a service"]
pub struct DemoLayer {
    pub(super) text: Option<&'static str>,
    pub(super) effects: Option<EffectsFile>,
}

impl DemoLayer {
    /// Does nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Does what messages ask for, such as `#sim slow 2s`. The JSON pointer leads to their text in
    /// a callback's body: `/msg_body/text/content` for Wulai, `/message/text` for koipy.
    pub fn obey(mut self, text: &'static str) -> Self {
        self.text = Some(text);
        self
    }

    /// Writes a line to this file for every run, before the reply.
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
