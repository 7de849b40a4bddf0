//! A storm over real sockets, played to the binary.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

mod app;
#[path = "../../../tests/receivers/client.rs"]
mod client;

use std::time::{Duration, SystemTime};

use tower_callback_sim::{Disorder, Report, Storm, parse, platform};

use self::{app::App, client::client};

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_is_clean() {
    let app = App::start(&["--delay", "5ms"]);
    let report = storm().messages(1_500).run(client(&app.address)).await;
    let report = report.with_effects(&parse(&app.effects_text()).unwrap(), &[]);
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.effects.unwrap().handled, 1_500);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_a_storm_it_loses_nothing_that_was_accepted() {
    let mut app = App::start(&["--delay", "20ms"]);
    // Nothing listens for a moment: the platform redelivers for longer than that.
    let retries = vec![Duration::from_secs(1); 10];
    let storm = storm().messages(1_500).retries(retries).run(client(&app.address));
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

fn storm() -> Storm {
    Storm::new(platform::wulai::delivery())
        .users(50)
        .rate(500.0)
        .disorder(Disorder::Jitter)
        .slow_bodies(0.02)
}

fn now_millis() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    now.as_millis().try_into().unwrap()
}
