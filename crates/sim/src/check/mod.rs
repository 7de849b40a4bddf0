//! Named cases that every receiver should pass.

/// Cases: the name, the function that runs it, and why it matters.
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
    response_timeout: Duration,
}

/// The result of a case.
#[derive(Clone, Debug, Serialize)]
pub struct CaseResult {
    /// The name of the case.
    pub case: &'static str,
    /// Why it matters.
    pub matters: &'static str,
    /// Whether the receiver passed.
    pub verdict: Verdict,
}

/// Whether a receiver passed a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "why")]
pub enum Verdict {
    /// The receiver did what it should.
    Pass,
    /// It did not, for this reason.
    Fail(String),
    /// The case does not apply to this receiver, or nobody can tell, for this reason.
    NotApplicable(String),
}

#[derive(Clone, Copy, Debug)]
struct Case {
    name: &'static str,
    matters: &'static str,
    run: for<'a> fn(&'a Trial) -> trial::Running<'a>,
}

impl Suite {
    /// The platforms that have a suite.
    pub const NAMES: &[&str] = &["wulai", "koipy"];

    /// The suite of a platform by its name.
    #[must_use]
    pub fn of(platform: &str) -> Option<Self> {
        let cases = match platform {
            "wulai" => wulai::CASES,
            "koipy" => koipy::CASES,
            _ => return None,
        };
        Some(Self { cases, response_timeout: Duration::from_secs(30) })
    }

    /// Sets how long a response may take before its case has failed. Default: 30 s.
    #[must_use]
    pub fn response_timeout(mut self, response_timeout: Duration) -> Self {
        self.response_timeout = response_timeout;
        self
    }

    /// Runs the cases one after the other; with `only`, those whose name contains this text. `effects`
    /// returns what the handlers did so far, or `None` if nobody knows.
    ///
    /// # Errors
    /// Returns the error of `effects`. If the service returns an error, its case has failed.
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
            let trial = Trial::new(receiver.clone(), self.response_timeout);
            let verdict = match run(&trial).await {
                Ok(expected) => expected.compare(effects().await?),
                Err(verdict) => Err(verdict),
            };
            let verdict = verdict.err().unwrap_or(Verdict::Pass);
            results.push(CaseResult { case: name, matters, verdict });
        }
        Ok(results)
    }
}
