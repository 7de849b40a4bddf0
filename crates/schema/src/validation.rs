use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use http::StatusCode;
use tower_callback_contract::ValueRef;
use tower_callback_contract::{Callback, Contract, Reason, Refusal, Violation, Violations};

use crate::{Schema, report::Values};

/// What a layer and its services share: how to validate a document, and what to do then.
pub(crate) struct Validation<C> {
    pub(crate) contract: Arc<C>,
    pub(crate) schema: Schema,
    pub(crate) settings: Settings,
    pub(crate) state: Arc<State>,
}

/// What a layer and its clones share, whatever their settings: which callback is sampled next.
#[derive(Debug, Default)]
pub(crate) struct State {
    sampled: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) side: Side,
    pub(crate) mode: Mode,
    pub(crate) status: Option<StatusCode>,
    pub(crate) values: Values,
    pub(crate) max_reply_bytes: usize,
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

impl<C> Validation<C> {
    /// Whether the next callback is validated.
    pub(crate) fn is_sampled(&self) -> bool {
        // 2^64 divided by the golden ratio: its multiples spread evenly, whatever the share.
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let Mode::Sample(share) = self.settings.mode else { return true };
        let at = self.state.sampled.fetch_add(STEP, Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "a share needs no 64 bits")]
        let at = (at >> 11) as f64 / (1_u64 << 53) as f64;
        at < share
    }

    pub(crate) fn enforces(&self) -> bool {
        self.settings.mode == Mode::Enforce
    }
}

impl<C: Contract> Validation<C> {
    /// Validates a document; one that could not be read is a violation too.
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

    /// Refuses a response that could not be read whole.
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
        // The place in the schema: the sender may have named the place in the document.
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
                Side::Response => "a response does not match its schema",
            }
        );
    }
}

/// The violations; for a document that cannot be validated, one with the reason.
fn of_reason(reason: &Reason) -> Violations {
    match reason.violations() {
        Some(violations) => violations.clone(),
        None => Violation::new("", reason.code(), reason.to_string()).into(),
    }
}
