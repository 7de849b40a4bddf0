//! A storm over real sockets, on the binary.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

mod app;

use std::time::{Duration, SystemTime};

use axum::http::{Request, uri::PathAndQuery};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::ServiceExt;
use tower_callback_sim::{Body, Disorder, Report, Storm, check, parse, platform};

use self::app::App;

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_leaves_no_damage() {
    let app = App::start(&["--delay", "5ms"]);
    let report = storm().messages(1_500).run(client(&app)).await;
    let report = report.with_effects(&parse(&app.effects_text()).unwrap(), &[]);
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.effects.unwrap().handled, 1_500);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_mid_storm_it_loses_nothing_that_was_accepted() {
    let mut app = App::start(&["--delay", "20ms"]);
    // Nothing listens for a moment: the platform repeats for as long as it takes.
    let retries = vec![Duration::from_secs(1); 10];
    let storm = storm().messages(1_500).retries(retries).run(client(&app));
    let storm = tokio::spawn(storm);
    let mut restarts = Vec::new();
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        app.kill_and_restart(&["--delay", "20ms"]);
        restarts.push(now_millis());
    }
    let report: Report = storm.await.unwrap();
    // A kill may cut the last line short.
    let text = app.effects_text();
    let whole: Vec<_> = text.lines().filter(|line| line.ends_with('}')).collect();
    let report = report.with_effects(&parse(&whole.join("\n")).unwrap(), &restarts);
    println!("{report}");
    let effects = report.effects.as_ref().unwrap();
    assert!(report.errors > 0, "it was not killed in the middle: {report}");
    assert_eq!((report.accepted, report.given_up), (report.sent, 0), "{report}");
    assert!(effects.lost.is_empty() && effects.twice.is_empty(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_of_the_suite_passes() {
    let app = App::start(&["--sim", "--hold", "500ms"]);
    let suite = check::Suite::of("wulai").unwrap();
    let effects = async || Ok::<_, String>(Some(parse(&app.effects_text())?));
    // A stalled body waits for its deadline: that is shown elsewhere, in virtual time.
    for only in [
        "copies",
        "retry",
        "copy",
        "body-under",
        "spellings",
        "route",
        "kind",
        "garbage",
        "ambiguous",
        "large",
        "disorder",
        "flood",
        "error",
    ] {
        for result in suite.run(client(&app), effects, Some(only)).await.unwrap() {
            assert_eq!(result.verdict, check::Verdict::Pass, "{}", result.case);
        }
    }
}

fn storm() -> Storm {
    Storm::new(platform::wulai::delivery())
        .users(50)
        .rate(500.0)
        .disorder(Disorder::Jitter)
        .slow_bodies(0.02)
}

type HttpClient = Client<hyper_util::client::legacy::connect::HttpConnector, Body>;

fn client(
    app: &App,
) -> tower::util::MapRequest<
    HttpClient,
    impl FnMut(Request<Body>) -> Request<Body> + Clone + Send + 'static,
> {
    let address = app.address.clone();
    let client: HttpClient = Client::builder(TokioExecutor::new()).build_http();
    client.map_request(move |mut request: Request<Body>| {
        let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        *request.uri_mut() = format!("http://{address}{path}").parse().unwrap();
        request
    })
}

fn now_millis() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    now.as_millis().try_into().unwrap()
}
