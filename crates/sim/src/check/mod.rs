//! Named cases that every receiver should stand.

/// Cases by their names, what each runs, and why it matters.
macro_rules! cases {
    ($($name:literal: $run:ident, $matters:literal;)+) => {
        pub(super) const CASES: &[Case] = &[
            $(Case { name: $name, matters: $matters, run: |trial| Box::pin($run(trial)) },)+
        ];
    };
}

mod expected;
mod koipy;
mod trial;
mod wulai;

use std::{future::Future, time::Duration};

use http::{Request, Response};
use serde::Serialize;
use tower::Service;

use self::trial::{Receiver, Trial};
use crate::{Body, Effect};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The cases for the receivers of one platform.
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    cases: &'static [Case],
    patience: Duration,
}

/// What came of a case.
#[derive(Clone, Debug, Serialize)]
pub struct CaseResult {
    /// Its name.
    pub case: &'static str,
    /// Why it matters.
    pub matters: &'static str,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "why")]
pub enum Verdict {
    /// The receiver did what it should.
    Pass,
    /// It did not.
    Fail(String),
    /// It cannot be told, or the receiver has nothing of the kind.
    NotApplicable(String),
}

#[derive(Clone, Copy, Debug)]
struct Case {
    name: &'static str,
    matters: &'static str,
    run: for<'a> fn(&'a Trial) -> trial::Running<'a>,
}

impl Suite {
    /// The platforms that there is a suite for.
    pub const NAMES: &[&str] = &["wulai", "koipy"];

    /// The suite of a platform by its name.
    #[must_use]
    pub fn of(platform: &str) -> Option<Self> {
        let cases = match platform {
            "wulai" => wulai::CASES,
            "koipy" => koipy::CASES,
            _ => return None,
        };
        Some(Self { cases, patience: Duration::from_secs(30) })
    }

    /// How long a reply may take before its case has failed: 30 s unless set.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Runs the cases, or only those whose name contains a text, one after the other. `effects`
    /// tells what the handlers did so far, if somebody knows.
    ///
    /// # Errors
    /// That of `effects`. An error of the service is a case that fails.
    pub async fn run<S, B, F, Fut, E>(
        &self,
        service: S,
        effects: F,
        only: Option<&str>,
    ) -> Result<Vec<CaseResult>, E>
    where
        S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
        S: Clone + Send + 'static,
        B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
        F: Fn() -> Fut,
        Fut: Future<Output = Result<Option<Vec<Effect>>, E>>,
    {
        let receiver = Receiver::new(service);
        let mut results = Vec::new();
        let cases = self.cases.iter().filter(|case| only.is_none_or(|it| case.name.contains(it)));
        for Case { name, matters, run } in cases.copied() {
            let trial = Trial::new(receiver.clone(), self.patience);
            let verdict = match run(&trial).await {
                Ok(expected) => expected.hold_against(effects().await?),
                Err(verdict) => Err(verdict),
            };
            let verdict = verdict.err().unwrap_or(Verdict::Pass);
            results.push(CaseResult { case: name, matters, verdict });
        }
        Ok(results)
    }
}
