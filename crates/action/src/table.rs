use std::{any::type_name, cmp::Reverse, fmt, sync::Arc};

use bytes::Bytes;
use http::{Extensions, Response, StatusCode};
use tower_callback_contract::{Action, Contract, Refusal};

use crate::{Rule, Statuses, rule::Decision};

/// What becomes of a response that would not do what it seems to, such as a 400 to a platform that
/// ignores 400.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnMisleadingReply {
    /// Send what the handler meant instead: what the contract's
    /// [`intent`](tower_callback_contract::Contract::intent) says.
    #[default]
    Rewrite,
    /// Send it unchanged, and log a warning.
    Warn,
    /// Send it unchanged.
    Pass,
}

/// Which responses ask for what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    by_status: Vec<(Statuses, Rule)>,
    by_error: Vec<ErrorRule>,
    pub(crate) on_misleading_reply: OnMisleadingReply,
}

#[derive(Clone)]
struct ErrorRule {
    error: &'static str,
    rule: Arc<OfExtensions>,
}

type OfExtensions = dyn Fn(&Extensions) -> Option<Rule> + Send + Sync;

/// What becomes of a response.
pub(crate) enum Verdict {
    /// It passes unchanged.
    Stands,
    Decided(Decision),
    Refused(Refusal),
}

/// How much of a response was read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    Whole,
    HeadOnly,
}

impl Table {
    pub(crate) fn on(&mut self, statuses: Statuses, rule: Rule) {
        self.by_status.push((statuses, rule));
    }

    pub(crate) fn on_error<E, R>(&mut self, decide: impl Fn(&E) -> R + Send + Sync + 'static)
    where
        E: Send + Sync + 'static,
        R: Into<Rule>,
    {
        let rule =
            move |extensions: &Extensions| extensions.get().map(|error| decide(error).into());
        self.by_error.push(ErrorRule { error: type_name::<E>(), rule: Arc::new(rule) });
    }

    pub(crate) fn may_dead_letter(&self) -> bool {
        let is_sink = |(_, rule): &(_, Rule)| matches!(rule.0, Decision::DeadLetter(_));
        // Nobody knows what a typed error leads to before there is one.
        !self.by_error.is_empty() || self.by_status.iter().any(is_sink)
    }

    /// The handler's own action comes first, then the table, then the contract.
    pub(crate) fn verdict<C: Contract>(
        &self,
        contract: &C,
        reply: &Response<Bytes>,
        seen: Seen,
    ) -> Verdict {
        let (status, extensions) = (reply.status(), reply.extensions());
        if let Some(action) = extensions.get::<Action>() {
            return Verdict::Decided(Decision::Say(action.clone()));
        }
        if let Some(rule) = self.of_error(extensions).or_else(|| self.of_status(status)) {
            return Verdict::Decided(rule.0);
        }
        // Beside a success, it says why that was sent in place of another response, as a fallback is.
        if let Some(refusal) = extensions.get::<Refusal>().filter(|_| !status.is_success()) {
            return Verdict::Refused(refusal.clone());
        }
        // A head alone does not tell whether the response is misleading, nor whether it has content.
        match contract.intent(reply).filter(|_| seen == Seen::Whole) {
            Some(meant) => self.misleading(contract, status, meant),
            None => Verdict::Stands,
        }
    }

    fn of_error(&self, extensions: &Extensions) -> Option<Rule> {
        self.by_error.iter().rev().find_map(|by_error| (by_error.rule)(extensions))
    }

    fn of_status(&self, status: StatusCode) -> Option<Rule> {
        let rules = self.by_status.iter().enumerate();
        let matching = rules.filter(|(_, (statuses, _))| statuses.contains(status));
        let narrowest = matching.min_by_key(|(at, (statuses, _))| (statuses.width(), Reverse(*at)));
        narrowest.map(|(_, (_, rule))| rule.clone())
    }

    fn misleading<C: Contract>(&self, contract: &C, status: StatusCode, meant: Action) -> Verdict {
        let (contract, status, action) = (contract.name(), status.as_u16(), meant.name());
        match self.on_misleading_reply {
            OnMisleadingReply::Rewrite => {
                tracing::debug!(contract, status, action, "response rewritten to what it meant");
                Verdict::Decided(Decision::Say(meant))
            }
            OnMisleadingReply::Warn => {
                tracing::warn!(contract, status, action, "response does not do what it seems to");
                Verdict::Stands
            }
            OnMisleadingReply::Pass => Verdict::Stands,
        }
    }
}

impl fmt::Debug for ErrorRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.error)
    }
}
