//! What each does with copies, failures, hang-ups and ids that come again: how often the handler
//! ran, as its app counts it.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde::Serialize;
use tokio::{
    sync::Barrier,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    Peer,
    install::Installed,
    served::{Counts, SLOW},
};
use crate::{
    load::{Credentials, Failure, connect},
    payload::saying,
    report::Table,
};

/// What one of them did.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Behaviour {
    pub(crate) peer: &'static str,
    pub(crate) versions: String,
    copies: Trial,
    failure: Trial,
    hang_up: Trial,
    other_body: Trial,
}

/// Runs of the handler, and the replies in the order they came.
#[derive(Clone, Debug, Serialize)]
struct Trial {
    runs: Counts,
    replies: Vec<u16>,
}

/// One server and its clients.
struct Bench {
    port: u16,
    credentials: Credentials,
}

const COPIES: usize = 100;
/// A platform's patience with one message.
const RETRIES: usize = 3;

pub(crate) async fn measure(peer: Peer, installed: &Installed) -> Result<Behaviour, Failure> {
    let server = peer.start(installed).await?;
    let bench = Bench { port: server.port, credentials: peer.credentials(&server).await? };
    Ok(Behaviour {
        peer: peer.name,
        versions: peer.versions(&server).await?,
        copies: bench.trial(bench.copies()).await?,
        failure: bench.trial(bench.until_taken(2, "#fail")).await?,
        hang_up: bench.trial(bench.hang_up()).await?,
        other_body: bench.trial(bench.other_body()).await?,
    })
}

impl Bench {
    async fn trial(
        &self,
        replies: impl Future<Output = Result<Vec<u16>, Failure>>,
    ) -> Result<Trial, Failure> {
        let before = self.counts().await?;
        let replies = replies.await?;
        // What still runs is counted too.
        sleep(SLOW * 2).await;
        let after = self.counts().await?;
        let (begun, finished) = (after.begun - before.begun, after.finished - before.finished);
        Ok(Trial { runs: Counts { begun, finished }, replies })
    }

    async fn copies(&self) -> Result<Vec<u16>, Failure> {
        let (mut copies, all_connected) = (JoinSet::new(), Arc::new(Barrier::new(COPIES)));
        for _ in 0..COPIES {
            let (port, request) = (self.port, self.request(1, "#slow")?);
            let all_connected = Arc::clone(&all_connected);
            copies.spawn(async move {
                let (mut sender, connection) = connect(port).await?;
                all_connected.wait().await;
                let status = sender.send_request(request).await?.status().as_u16();
                connection.abort();
                Ok::<_, Failure>(status)
            });
        }
        let mut replies = copies.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
        replies.sort_unstable();
        Ok(replies)
    }

    async fn hang_up(&self) -> Result<Vec<u16>, Failure> {
        let (mut sender, connection) = connect(self.port).await?;
        let reply = sender.send_request(self.request(3, "#slow")?);
        if timeout(SLOW / 4, reply).await.is_ok() {
            return Err("it answered before the hang-up".into());
        }
        connection.abort();
        self.until_taken(3, "#slow").await
    }

    async fn other_body(&self) -> Result<Vec<u16>, Failure> {
        let mut replies = Vec::new();
        for text in ["one text", "another text"] {
            replies.push(self.send(4, text).await?.as_u16());
        }
        Ok(replies)
    }

    /// As a platform does: again, after a while, if the reply is not 200.
    async fn until_taken(&self, number: u64, text: &str) -> Result<Vec<u16>, Failure> {
        let mut replies = Vec::new();
        for _ in 0..=RETRIES {
            let status = self.send(number, text).await?;
            replies.push(status.as_u16());
            if status == StatusCode::OK {
                break;
            }
            sleep(SLOW).await;
        }
        Ok(replies)
    }

    async fn send(&self, number: u64, text: &str) -> Result<StatusCode, Failure> {
        let (mut sender, connection) = connect(self.port).await?;
        let status = sender.send_request(self.request(number, text)?).await?.status();
        connection.abort();
        Ok(status)
    }

    fn request(&self, number: u64, text: &str) -> Result<Request<Full<Bytes>>, Failure> {
        let mut request = Request::post("/callback/message")
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(saying(number, text)))?;
        self.credentials.put(number, request.headers_mut());
        Ok(request)
    }

    async fn counts(&self) -> Result<Counts, Failure> {
        Ok(serde_json::from_slice(&fetch(self.port, "/runs").await?)?)
    }
}

pub(crate) async fn fetch(port: u16, path: &str) -> Result<Bytes, Failure> {
    let (mut sender, connection) = connect(port).await?;
    let request = Request::get(path).header(header::HOST, "localhost").body(Full::default())?;
    let body = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
    connection.abort();
    Ok(body)
}

impl Trial {
    fn text(&self) -> String {
        let runs = match self.runs {
            Counts { begun: 1, finished: 1 } => "1 run".to_owned(),
            Counts { begun, finished } if begun == finished => format!("{begun} runs"),
            Counts { begun, finished } => format!("{begun} begun, {finished} finished"),
        };
        let replies = self.replies.chunk_by(|one, next| one == next).map(|same| match same {
            [one] => one.to_string(),
            same => format!("{} × {}", same.len(), same[0]),
        });
        format!("{runs}: {}", replies.collect::<Vec<_>>().join(", "))
    }
}

pub(crate) fn table(rows: &[Behaviour]) -> Table {
    let mut table = Table::new(&[
        "server",
        "100 copies at once",
        "fails once, sent again",
        "hang-up, sent again",
        "same id, other body",
    ]);
    for row in rows {
        let trials = [&row.copies, &row.failure, &row.hang_up, &row.other_body];
        table.row([row.peer.to_owned()].into_iter().chain(trials.map(Trial::text)));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_tells_runs_and_replies() {
        let text = |begun, finished, replies: &[u16]| {
            Trial { runs: Counts { begun, finished }, replies: replies.to_vec() }.text()
        };
        assert_eq!(text(1, 1, &[200, 409, 409]), "1 run: 200, 2 × 409");
        assert_eq!(text(2, 2, &[200, 200]), "2 runs: 2 × 200");
        assert_eq!(text(2, 1, &[500, 200]), "2 begun, 1 finished: 500, 200");
    }
}
