use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use http::StatusCode;
use tower_callback_contract::{
    Callback, Contract, Reason, Refusal, ValueRef, Violation, Violations,
};

use crate::{Schema, report::Values};

/// What a layer and its services share: how to look at a document, and what to do then.
pub(crate) struct Validation<C> {
    pub(crate) contract: Arc<C>,
    pub(crate) schema: Schema,
    pub(crate) settings: Settings,
    pub(crate) sampled: Arc<AtomicU64>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) side: Side,
    pub(crate) mode: Mode,
    pub(crate) status: Option<StatusCode>,
    pub(crate) values: Values,
    pub(crate) limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Request,
    Response,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mode {
    Enforce,
    Report,
    Sample(f64),
}

/// What to do with a document that does not match.
pub(crate) enum Verdict {
    Refuse(Refusal),
    Report(Violations),
}

// By hand: a derive would ask for `C: Clone`.
impl<C> Clone for Validation<C> {
    fn clone(&self) -> Self {
        let (contract, sampled) = (Arc::clone(&self.contract), Arc::clone(&self.sampled));
        Self { contract, schema: self.schema.clone(), settings: self.settings, sampled }
    }
}

impl<C> Validation<C> {
    /// Whether the next callback is looked at.
    pub(crate) fn is_sampled(&self) -> bool {
        // 2^64 by the golden ratio: its multiples spread as evenly as any.
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let Mode::Sample(share) = self.settings.mode else { return true };
        let at = self.sampled.fetch_add(STEP, Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "a share needs no 64 bits")]
        let at = (at >> 11) as f64 / (1_u64 << 53) as f64;
        at < share
    }

    pub(crate) fn enforces(&self) -> bool {
        self.settings.mode == Mode::Enforce
    }
}

impl<C: Contract> Validation<C> {
    /// Holds a document, or what was wrong with reading it, against the schema.
    pub(crate) fn check(
        &self,
        callback: &Callback,
        document: Result<ValueRef<'_>, Refusal>,
    ) -> Result<(), Verdict> {
        let Settings { side, values, .. } = self.settings;
        let refusal = match document {
            Ok(document) => match self.schema.check_and_tell(document, values) {
                Ok(()) => return Ok(()),
                Err(violations) => self.refusal(violations),
            },
            Err(unread) if side == Side::Response => self.refusal(of_reason(unread.reason())),
            Err(unread) => unread,
        };
        Err(self.verdict(callback, refusal))
    }

    /// Refuses a reply that cannot be looked at.
    pub(crate) fn unread(&self, callback: &Callback, reason: &Reason) -> Refusal {
        let violations = of_reason(reason);
        self.tell(callback, &violations);
        self.refusal(violations)
    }

    fn refusal(&self, violations: Violations) -> Refusal {
        let Settings { side, status, .. } = self.settings;
        let refusal = Refusal::new(match side {
            Side::Request => Reason::Invalid(violations),
            Side::Response => Reason::InvalidReply(violations),
        });
        status.into_iter().fold(refusal, Refusal::status)
    }

    fn verdict(&self, callback: &Callback, refusal: Refusal) -> Verdict {
        let violations = of_reason(refusal.reason());
        self.tell(callback, &violations);
        if self.enforces() { Verdict::Refuse(refusal) } else { Verdict::Report(violations) }
    }

    fn tell(&self, callback: &Callback, violations: &Violations) {
        let (contract, enforced) = (self.contract.name(), self.enforces());
        let id = callback.envelope().id.as_ref().map(tracing::field::display);
        // The place in the schema: that in the document may be named by the sender.
        let first = violations.iter().next().map_or("", |first| &*first.schema_pointer);
        let count = violations.count();
        tracing::warn!(
            contract,
            id,
            count,
            first,
            enforced,
            "{}",
            match self.settings.side {
                Side::Request => "a callback does not match its schema",
                Side::Response => "a reply does not match its schema",
            }
        );
    }
}

/// The violations; for what cannot be held against a schema, one that says so.
fn of_reason(reason: &Reason) -> Violations {
    match reason.violations() {
        Some(violations) => violations.clone(),
        None => Violation::new("", reason.code(), reason.to_string()).into(),
    }
}
