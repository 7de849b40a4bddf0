//! Measures what each does with duplicates, failures, disconnects and known ids: how often the handler ran,
//! as its app counts it.

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

/// What one of the servers did.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Behaviour {
    pub(crate) peer: &'static str,
    pub(crate) versions: String,
    duplicates: Trial,
    failure: Trial,
    disconnect: Trial,
    other_body: Trial,
}

/// Runs of the handler, and the responses in the order they came.
#[derive(Clone, Debug, Serialize)]
struct Trial {
    runs: Counts,
    responses: Vec<u16>,
}

/// One server and its clients.
struct Bench {
    port: u16,
    credentials: Credentials,
}

const DELIVERIES: usize = 100;
/// How often the platform redelivers a message.
const REDELIVERIES: usize = 3;

pub(crate) async fn measure(peer: Peer, installed: &Installed) -> Result<Behaviour, Failure> {
    let server = peer.start(installed).await?;
    let bench = Bench { port: server.port, credentials: peer.credentials(&server).await? };
    Ok(Behaviour {
        peer: peer.name,
        versions: peer.versions(&server).await?,
        duplicates: bench.trial(bench.duplicates()).await?,
        failure: bench.trial(bench.until_taken(2, "#fail")).await?,
        disconnect: bench.trial(bench.disconnect()).await?,
        other_body: bench.trial(bench.other_body()).await?,
    })
}

impl Bench {
    async fn trial(
        &self,
        responses: impl Future<Output = Result<Vec<u16>, Failure>>,
    ) -> Result<Trial, Failure> {
        let before = self.counts().await?;
        let responses = responses.await?;
        // Counts the runs that have not ended yet, too.
        sleep(SLOW * 2).await;
        let after = self.counts().await?;
        let (begun, finished) = (after.begun - before.begun, after.finished - before.finished);
        Ok(Trial { runs: Counts { begun, finished }, responses })
    }

    async fn duplicates(&self) -> Result<Vec<u16>, Failure> {
        let (mut sent, all_connected) = (JoinSet::new(), Arc::new(Barrier::new(DELIVERIES)));
        for _ in 0..DELIVERIES {
            let (port, request) = (self.port, self.request(1, "#slow")?);
            let all_connected = Arc::clone(&all_connected);
            sent.spawn(async move {
                let (mut sender, connection) = connect(port).await?;
                all_connected.wait().await;
                let status = sender.send_request(request).await?.status().as_u16();
                connection.abort();
                Ok::<_, Failure>(status)
            });
        }
        let mut responses = sent.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
        responses.sort_unstable();
        Ok(responses)
    }

    async fn disconnect(&self) -> Result<Vec<u16>, Failure> {
        let (mut sender, connection) = connect(self.port).await?;
        let response = sender.send_request(self.request(3, "#slow")?);
        if timeout(SLOW / 4, response).await.is_ok() {
            return Err("it responded before the disconnect".into());
        }
        connection.abort();
        self.until_taken(3, "#slow").await
    }

    async fn other_body(&self) -> Result<Vec<u16>, Failure> {
        let mut responses = Vec::new();
        for text in ["one text", "another text"] {
            responses.push(self.send(4, text).await?.as_u16());
        }
        Ok(responses)
    }

    /// Sends a message as a platform does: redelivers it after a while if the response is not a 200.
    async fn until_taken(&self, number: u64, text: &str) -> Result<Vec<u16>, Failure> {
        let mut responses = Vec::new();
        for _ in 0..=REDELIVERIES {
            let status = self.send(number, text).await?;
            responses.push(status.as_u16());
            if status == StatusCode::OK {
                break;
            }
            sleep(SLOW).await;
        }
        Ok(responses)
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
        let responses = self.responses.chunk_by(|one, next| one == next).map(|same| match same {
            [one] => one.to_string(),
            same => format!("{} × {}", same.len(), same[0]),
        });
        format!("{runs}: {}", responses.collect::<Vec<_>>().join(", "))
    }
}

pub(crate) fn table(rows: &[Behaviour]) -> Table {
    let mut table = Table::new(&[
        "server",
        "100 deliveries at once",
        "fails once, redelivered",
        "disconnect, redelivered",
        "same id, other body",
    ]);
    for row in rows {
        let trials = [&row.duplicates, &row.failure, &row.disconnect, &row.other_body];
        table.row([row.peer.to_owned()].into_iter().chain(trials.map(Trial::text)));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_shows_runs_and_responses() {
        let text = |begun, finished, responses: &[u16]| {
            Trial { runs: Counts { begun, finished }, responses: responses.to_vec() }.text()
        };
        assert_eq!(text(1, 1, &[200, 409, 409]), "1 run: 200, 2 × 409");
        assert_eq!(text(2, 2, &[200, 200]), "2 runs: 2 × 200");
        assert_eq!(text(2, 1, &[500, 200]), "2 begun, 1 finished: 500, 200");
    }
}
