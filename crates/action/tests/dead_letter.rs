//! Dead letters in a process that dies: none is lost; at worst the sink sees one twice.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

mod support;

use std::{
    convert::Infallible,
    env,
    fs::OpenOptions,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio, abort, id},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::{BoxError, Layer, service_fn};
use tower_callback_action::{ActionLayer, Rule};
use tower_callback_stack::Buffered;

const DIES: &str = "TOWER_CALLBACK_TEST_DIES";
const LETTERS: &str = "TOWER_CALLBACK_TEST_LETTERS";

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_between_sink_and_response_loses_no_letter() {
    for (dies, kept_at_first, kept_at_last) in [("before", 0, 1), ("after", 1, 2)] {
        let letters = env::temp_dir().join(format!("tower-callback-letters-{}-{dies}", id()));
        let receiver = Receiver::start(&letters, dies);
        assert_eq!(receiver.send().await, None, "died {dies} the sink had taken it");
        assert_eq!(lines(&letters), kept_at_first);

        // Not accepted, so the platform sends it again.
        let receiver = Receiver::start(&letters, "never");
        assert_eq!(receiver.send().await, Some(StatusCode::OK));
        assert_eq!(lines(&letters), kept_at_last);
        std::fs::remove_file(&letters).unwrap();
    }
}

fn lines(letters: &Path) -> usize {
    let text = std::fs::read_to_string(letters).unwrap();
    assert!(text.lines().all(|line| line == support::BODY), "{text}");
    text.lines().count()
}

/// A process of its own: this test binary, running only [`receiver`].
struct Receiver {
    process: Child,
    url: String,
}

impl Receiver {
    fn start(letters: &Path, dies: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "receiver", "--nocapture"])
            .env(LETTERS, letters)
            .env(DIES, dies)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let url = lines.find_map(|line| line.strip_prefix("at ").map(str::to_owned)).unwrap();
        Self { process, url }
    }

    /// The response's status, or `None` if there was no response.
    async fn send(&self) -> Option<StatusCode> {
        let client: Client<HttpConnector, Full<Bytes>> =
            Client::builder(TokioExecutor::new()).build_http();
        let request = Request::post(&self.url).body(support::BODY.into()).unwrap();
        client.request(request).await.ok().map(|reply| reply.status())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
#[ignore = "a process that the other test starts"]
async fn receiver() {
    let Some(letters) = env::var_os(LETTERS).map(PathBuf::from) else { return };
    let handler = service_fn(async |_: Request<Buffered<Incoming>>| {
        let poison = Response::builder().status(422).body(Full::<Bytes>::default());
        Ok::<_, Infallible>(poison.unwrap())
    });
    let sink = service_fn(move |request: Request<Bytes>| {
        let letters = letters.clone();
        async move { tokio::task::spawn_blocking(move || keep(&letters, request.body())).await? }
    });
    let layer = ActionLayer::for_contract(support::DELIVERY).on(422, Rule::dead_letter(sink));
    let acted = layer.layer(handler);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("\nat http://{}/", listener.local_addr().unwrap());
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        let service = TowerToHyperService::new(acted.clone());
        let server = hyper::server::conn::http1::Builder::new();
        let _ = server.serve_connection(TokioIo::new(connection), service).await;
    }
}

fn keep(letters: &Path, letter: &[u8]) -> Result<(), BoxError> {
    let dies = env::var(DIES)?;
    let mut file = OpenOptions::new().create(true).append(true).open(letters)?;
    if dies == "before" {
        abort();
    }
    file.write_all(&[letter, b"\n"].concat())?;
    file.sync_all()?;
    if dies == "after" {
        abort();
    }
    Ok(())
}
