use std::{
    fmt,
    fs::{self, File},
    io::{self, Write},
    path::Path,
    sync::Arc,
    thread,
};

use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
};
use tracing::error;

use crate::{Effect, parse};

/// How many lines may wait for the file, and how many are written at once.
const BATCH: usize = 256;

/// A file with one line of JSON for every handler run, for `callback-sim --effects`. Cheap to clone;
/// all clones write to the same file, through one thread.
#[derive(Clone)]
pub struct EffectsFile {
    lines: mpsc::Sender<Line>,
    path: Arc<Path>,
}

struct Line {
    json: Vec<u8>,
    written: oneshot::Sender<()>,
}

impl EffectsFile {
    /// Opens the file at `path` to append to it, and creates it if it does not exist.
    ///
    /// # Errors
    /// Fails if the file cannot be opened, or its thread cannot be started.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let file = File::options().append(true).create(true).open(path)?;
        let (lines, waiting) = mpsc::channel(BATCH);
        thread::Builder::new().name("effects".into()).spawn(move || {
            if let Err(error) = write_all(file, waiting) {
                error!(%error, "the effects file failed: no run can be recorded any more");
            }
        })?;
        Ok(Self { lines, path: path.into() })
    }

    /// Writes a line. When this returns, the operating system has the line, and it survives the app.
    ///
    /// # Errors
    /// Fails if the file cannot be written, or could not be written before: a line after half a line
    /// could not be read.
    pub async fn record(&self, effect: &Effect) -> io::Result<()> {
        let (line, is_written) = Line::of(effect)?;
        self.lines.send(line).await.map_err(|_| gone())?;
        is_written.await.map_err(|_| gone())
    }

    /// All lines so far, as an app shows them at `/effects`.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub async fn lines(&self) -> io::Result<String> {
        let path = Arc::clone(&self.path);
        spawn_blocking(move || fs::read_to_string(path)).await?
    }

    /// All runs so far.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or a line of it is not an [`Effect`].
    pub async fn effects(&self) -> io::Result<Vec<Effect>> {
        parse(&self.lines().await?).map_err(io::Error::other)
    }

    /// Writes a line without waiting for it. It is left out if too many lines wait.
    pub(super) fn record_later(&self, effect: &Effect) {
        if let Ok((line, _)) = Line::of(effect) {
            let _ = self.lines.try_send(line);
        }
    }
}

impl Line {
    fn of(effect: &Effect) -> io::Result<(Self, oneshot::Receiver<()>)> {
        let mut json = serde_json::to_vec(effect)?;
        json.push(b'\n');
        let (written, is_written) = oneshot::channel();
        Ok((Self { json, written }, is_written))
    }
}

fn gone() -> io::Error {
    io::Error::other("the effects file has failed")
}

/// Stops at the first error, because a line after half a line could not be read.
fn write_all(mut file: File, mut lines: mpsc::Receiver<Line>) -> io::Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    while lines.blocking_recv_many(&mut batch, BATCH) > 0 {
        let text: Vec<u8> = batch.iter().flat_map(|line| &line.json).copied().collect();
        file.write_all(&text)?;
        for line in batch.drain(..) {
            // Fails if nobody waits any more. The line is written all the same.
            let _ = line.written.send(());
        }
    }
    Ok(())
}

impl fmt::Debug for EffectsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EffectsFile").field("path", &self.path).finish_non_exhaustive()
    }
}
