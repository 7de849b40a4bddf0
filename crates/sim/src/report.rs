use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    time::Duration,
};

use hdrhistogram::Histogram;
use serde::Serialize;
use tower_callback_contract::Envelope;

use crate::{
    effects::{Effect, Effects, Sent},
    plan::Settings,
};

/// The result of a storm.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    platform: &'static str,
    settings: Settings,
    /// How many messages were sent.
    pub sent: u64,
    /// How many requests were sent: first deliveries, duplicates and redeliveries.
    pub attempts: u64,
    /// How many messages the receiver accepted, as far as the platform knows.
    pub accepted: u64,
    /// How many messages the receiver refused for good.
    pub refused: u64,
    /// How many messages the platform gave up after its last redelivery.
    pub given_up: u64,
    /// How many requests the platform disconnected from, because they took too long.
    pub disconnects: u64,
    /// How many requests got no response, because there was no connection or it broke.
    pub errors: u64,
    /// The first of these errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_error: Option<String>,
    /// Responses by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Responses that would not do what they appear to do, by what is wrong with them.
    pub breaches: BTreeMap<&'static str, u64>,
    /// How long responses took.
    pub latency: Latency,
    /// What the handlers did, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effects: Option<Effects>,
    #[serde(skip)]
    messages: Vec<Sent>,
}

/// Times in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Half of the responses were faster.
    pub p50: f64,
    /// 90 of 100 were faster.
    pub p90: f64,
    /// 99 of 100 were faster.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

/// What is counted while a storm runs.
pub(crate) struct Tally {
    pub(crate) fates: Vec<Fate>,
    pub(crate) attempts: u64,
    pub(crate) disconnects: u64,
    errors: u64,
    first_error: Option<String>,
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) breaches: BTreeMap<&'static str, u64>,
    latency: Histogram<u64>,
}

/// In microseconds. No response takes as long.
const HOUR: u64 = 3_600_000_000;

/// The fate of a message, as far as the platform knows. Of two, the greater one counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    #[default]
    UnderWay,
    GivenUp,
    Refused,
    Accepted,
}

// ===== impl Tally =====

impl Tally {
    pub(crate) fn new(messages: usize) -> Self {
        Self {
            fates: vec![Fate::UnderWay; messages],
            attempts: 0,
            disconnects: 0,
            errors: 0,
            first_error: None,
            statuses: BTreeMap::new(),
            breaches: BTreeMap::new(),
            latency: Histogram::new_with_bounds(1, HOUR, 3).expect("bounds and a precision"),
        }
    }

    pub(crate) fn responded(&mut self, status: u16, took: Duration) {
        *self.statuses.entry(status).or_default() += 1;
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.latency.saturating_record(micros);
    }

    pub(crate) fn broke(&mut self, why: impl FnOnce() -> String) {
        self.errors += 1;
        self.first_error.get_or_insert_with(why);
    }

    pub(crate) fn end(&mut self, message: usize, fate: Fate) {
        self.fates[message] = self.fates[message].max(fate);
    }

    pub(crate) fn report(
        self,
        platform: &'static str,
        settings: Settings,
        envelopes: impl Iterator<Item = Envelope>,
    ) -> Report {
        let count = |fate| self.fates.iter().filter(|it| **it == fate).count() as u64;
        #[expect(clippy::cast_precision_loss, reason = "microseconds of one run")]
        let millis = |micros: u64| micros as f64 / 1e3;
        let at = |quantile| millis(self.latency.value_at_quantile(quantile));
        let latency =
            Latency { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: millis(self.latency.max()) };
        let accepted = self.fates.iter().map(|fate| *fate == Fate::Accepted);
        let messages = envelopes.zip(accepted).map(|(envelope, is_accepted)| Sent {
            id: envelope.id.map_or_else(String::new, |id| id.as_str().to_owned()),
            is_accepted,
            has_a_place: envelope.sent_at.is_some(),
        });
        Report {
            platform,
            settings,
            sent: self.fates.len() as u64,
            attempts: self.attempts,
            accepted: count(Fate::Accepted),
            refused: count(Fate::Refused),
            given_up: count(Fate::GivenUp),
            disconnects: self.disconnects,
            errors: self.errors,
            first_error: self.first_error,
            statuses: self.statuses,
            breaches: self.breaches,
            latency,
            effects: None,
            messages: messages.collect(),
        }
    }
}

// ===== impl Report =====

impl Report {
    /// Adds what the handlers did. `restarts` are the times at which the app was restarted, in
    /// milliseconds since the Unix epoch.
    #[must_use]
    pub fn with_effects(mut self, effects: &[Effect], restarts: &[u64]) -> Self {
        self.effects = Some(Effects::of(&self.messages, effects, restarts));
        self
    }

    /// Whether every message was accepted or refused, no response broke the contract, and, if the effects
    /// are known, nothing was lost, handled twice, or out of order without its handler being told.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.flaws().is_empty()
    }

    /// Why it is not clean: one line for each reason.
    #[must_use]
    pub fn flaws(&self) -> Vec<String> {
        let mut flaws = Vec::new();
        if self.statuses.is_empty() && self.sent > 0 {
            flaws.push(match &self.first_error {
                Some(error) => format!("nothing got through: {error}"),
                None => "no response came in time".to_owned(),
            });
        }
        let given_up = self.sent - self.accepted - self.refused;
        if given_up > 0 {
            flaws.push(format!("{given_up} given up: neither accepted nor refused"));
        }
        let broken = |(breach, count)| format!("{count} responses broke the contract: {breach}");
        flaws.extend(self.breaches.iter().map(broken));
        flaws.extend(self.effects.iter().flat_map(Effects::flaws));
        flaws
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows: Vec<(&str, String)> = vec![
            ("messages sent", self.sent.to_string()),
            ("attempts", self.attempts.to_string()),
            ("accepted", self.accepted.to_string()),
            ("refused", self.refused.to_string()),
            ("given up", self.given_up.to_string()),
            ("disconnects", self.disconnects.to_string()),
            ("without a response", self.errors.to_string()),
        ];
        rows.extend(self.first_error.iter().map(|error| ("… the first", error.clone())));
        let mut statuses = String::new();
        for (status, count) in &self.statuses {
            write!(statuses, "{status}: {count}  ")?;
        }
        rows.push(("responses by status", statuses.trim_end().to_owned()));
        let Latency { p50, p90, p99, max } = self.latency;
        let latency = format!("{p50:.1} · {p90:.1} · {p99:.1} · {max:.1} ms");
        rows.push(("p50 · p90 · p99 · max", latency));
        for (breach, count) in &self.breaches {
            rows.push(("broken contract", format!("{count} × {breach}")));
        }
        if let Some(effects) = &self.effects {
            let count = |ids: &Vec<String>| ids.len().to_string();
            rows.push(("handled", effects.handled.to_string()));
            rows.push(("failed runs", effects.failed.to_string()));
            rows.push(("lost", count(&effects.lost)));
            rows.push(("handled twice", count(&effects.twice)));
            if !effects.twice_across_restarts.is_empty() {
                rows.push(("… across a restart", count(&effects.twice_across_restarts)));
            }
            rows.push(("out of order", count(&effects.out_of_order)));
            rows.push(("late, and told so", count(&effects.late)));
            rows.push(("handled, not accepted", effects.unheard.to_string()));
        }
        for (name, value) in rows {
            writeln!(f, "{name:<24} {value}")?;
        }
        let flaws = self.flaws();
        f.write_str(if flaws.is_empty() { "clean" } else { "not clean:" })?;
        flaws.iter().try_for_each(|flaw| write!(f, "\n  {flaw}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_that_is_not_clean_says_why() {
        let mut tally = Tally::new(0);
        tally.fates =
            vec![Fate::Accepted, Fate::Accepted, Fate::Refused, Fate::GivenUp, Fate::UnderWay];
        tally.responded(200, Duration::ZERO);
        let settings = Settings {
            messages: 5,
            users: 1,
            rate: 1.0,
            burst: 1,
            duplicates: 0.0,
            disorder: crate::Disorder::None,
            slow: 0.0,
            seed: 1,
        };
        let mut report = tally.report("wulai delivery", settings, [].into_iter());
        report.breaches.insert("odd", 7);
        let ids = |count: usize| vec!["1".to_owned(); count];
        let effects = Effects {
            handled: 2,
            lost: ids(1),
            twice: ids(2),
            out_of_order: ids(3),
            late: ids(4),
            ..Effects::default()
        };
        report.effects = Some(effects);
        let why = "not clean:
  2 given up: neither accepted nor refused
  7 responses broke the contract: odd
  1 lost: accepted, but not handled
  2 handled twice
  3 out of order, and the handler was not told";
        assert!(report.to_string().ends_with(why), "{report}");
    }
}
