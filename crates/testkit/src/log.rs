use std::{
    io,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use tracing::{
    Dispatch,
    subscriber::{DefaultGuard, NoSubscriber, set_default},
};

/// What was logged on this thread since [`capture_events`].
#[derive(Clone, Default, Debug)]
pub struct Events(Arc<Mutex<Vec<u8>>>);

/// Captures what this thread logs until the guard is dropped.
#[must_use]
pub fn capture_events() -> (Events, DefaultGuard) {
    // With only one subscriber, tracing remembers for all threads whether the first thread wanted an event,
    // and that thread may have no subscriber. With two, tracing asks both.
    static OTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));
    LazyLock::force(&OTHER);
    let events = Events::default();
    let writer = events.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    (events, set_default(subscriber))
}

impl Events {
    /// All of it.
    #[must_use]
    pub fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8(bytes.clone()).unwrap()
    }

    /// The lines of this level, such as `WARN`.
    #[must_use]
    pub fn lines(&self, level: &str) -> Vec<String> {
        let text = self.text();
        let of_level = text.lines().filter(|line| line.contains(&format!(" {level} ")));
        of_level.map(str::to_owned).collect()
    }
}

impl io::Write for Events {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
