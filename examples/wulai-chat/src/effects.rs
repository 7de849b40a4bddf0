//! The file of `--effects`: one line of JSON per handler run.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    thread,
};

use axum::http::StatusCode;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tracing::error;

/// How many lines wait for the file, and how many are written at once.
const BATCH: usize = 256;

/// One handler run. Times are milliseconds since the Unix epoch.
#[derive(Serialize)]
pub(crate) struct Effect<'a> {
    /// Platform and kind of callback: the id is unique only among those.
    pub(crate) callback: Option<&'a str>,
    pub(crate) id: Option<&'a str>,
    pub(crate) conversation: Option<&'a str>,
    pub(crate) sent_at: Option<u64>,
    pub(crate) start: u128,
    pub(crate) end: u128,
    pub(crate) outcome: Outcome,
    /// It came after one of its conversation that was sent later, and the handler knew.
    pub(crate) late: bool,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Ok,
    Refused,
    Failed,
}

impl Outcome {
    pub(crate) fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            ..400 => Self::Ok,
            400..500 => Self::Refused,
            500.. => Self::Failed,
        }
    }
}

/// The file, written by a thread of its own.
pub(crate) struct Effects {
    lines: mpsc::Sender<Line>,
    path: PathBuf,
}

#[derive(Debug)]
pub(crate) struct NotWritten;

struct Line {
    json: Vec<u8>,
    written: oneshot::Sender<()>,
}

impl Effects {
    /// Appends to the file at `path`.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().append(true).create(true).open(path)?;
        let (lines, waiting) = mpsc::channel(BATCH);
        thread::Builder::new().name("effects".into()).spawn(move || {
            if let Err(error) = write_all(file, waiting) {
                error!(%error, "the effects file fails: so do all handlers from now on");
            }
        })?;
        Ok(Self { lines, path: path.into() })
    }

    /// All lines so far.
    pub(crate) async fn read(&self) -> io::Result<Vec<u8>> {
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || fs::read(path)).await?
    }

    /// Returns when the line has reached the operating system: from there on it outlives us.
    pub(crate) async fn record(&self, effect: &Effect<'_>) -> Result<(), NotWritten> {
        let mut json = serde_json::to_vec(effect).map_err(|_| NotWritten)?;
        json.push(b'\n');
        let (written, is_written) = oneshot::channel();
        let line = Line { json, written };
        self.lines.send(line).await.map_err(|_| NotWritten)?;
        is_written.await.map_err(|_| NotWritten)
    }
}

/// Stops at the first error, because what follows a half-written line could not be read.
fn write_all(mut file: File, mut lines: mpsc::Receiver<Line>) -> io::Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    while lines.blocking_recv_many(&mut batch, BATCH) > 0 {
        let text: Vec<u8> = batch.iter().flat_map(|line| &line.json).copied().collect();
        file.write_all(&text)?;
        for line in batch.drain(..) {
            // Fails if nobody waits any more: the line stands all the same.
            let _ = line.written.send(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_stands_in_the_file_once_it_is_recorded() {
        let path = std::env::temp_dir().join(format!("wulai-chat-{}.jsonl", std::process::id()));
        let effects = Effects::open(&path).unwrap();
        let effect = Effect {
            callback: Some("wulai.delivery"),
            id: Some("1"),
            conversation: Some("anna"),
            sent_at: None,
            start: 1,
            end: 2,
            outcome: Outcome::Ok,
            late: false,
        };
        effects.record(&effect).await.unwrap();
        let written = String::from_utf8(effects.read().await.unwrap()).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(
            written,
            "{\"callback\":\"wulai.delivery\",\"id\":\"1\",\"conversation\":\"anna\",\
             \"sent_at\":null,\"start\":1,\"end\":2,\"outcome\":\"ok\",\"late\":false}\n"
        );
    }
}
