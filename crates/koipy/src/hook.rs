//! The moments at which koipy calls a callback server.

/// A moment at which koipy calls. Three are known: [`OnMessage`], [`OnPreSend`] and [`OnResult`].
/// Implement this trait for a new one.
pub trait Hook: 'static {
    /// The name of its contract, and the scope of its ids.
    const NAME: &'static str;
}

/// `callbacks.onMessage`: a test command arrived.
#[derive(Debug)]
pub enum OnMessage {}

/// `callbacks.onPreSend`: the task is ready, and about to go to a back end.
#[derive(Debug)]
pub enum OnPreSend {}

/// `callbacks.onResult`: raw results are in.
#[derive(Debug)]
pub enum OnResult {}

impl Hook for OnMessage {
    const NAME: &'static str = "koipy.onMessage";
}

impl Hook for OnPreSend {
    const NAME: &'static str = "koipy.onPreSend";
}

impl Hook for OnResult {
    const NAME: &'static str = "koipy.onResult";
}
