//! The moments in which koipy asks a callback server.

/// When koipy calls. Three moments are known: [`OnMessage`], [`OnPreSend`] and [`OnResult`]; one
/// that is not yet can be added.
pub trait Hook: 'static {
    /// The name of its contract, which is also the scope of its ids.
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
