use std::slice;

use super::{Verdict, trial::fail};
use crate::{Effect, Event, Outcome, Platform};

/// What the handlers should have done.
#[derive(Default)]
pub(super) struct Expected {
    /// They handled these, this often.
    done: Vec<(Of, usize)>,
    /// They handled these in this order.
    in_order: Vec<Of>,
    /// They failed at these, because a message told them to.
    failed: Vec<(Of, String)>,
}

/// Which callback a run was for.
#[derive(Clone, PartialEq)]
enum Of {
    Id(String),
    /// The only one of this conversation. A callback without an id gets one from each app as it
    /// likes.
    Conversation(String),
}

impl Expected {
    /// Expects nothing: the responses were enough.
    pub(super) fn nothing() -> Self {
        Self::default()
    }

    pub(super) fn once(platform: &Platform, event: &Event) -> Self {
        Self::times(1, platform, event)
    }

    pub(super) fn times(times: usize, platform: &Platform, event: &Event) -> Self {
        Self { done: vec![(Of::id(platform, event), times)], ..Self::default() }
    }

    /// One run in the conversation of this trial.
    pub(super) fn once_in_conversation(event: &Event) -> Self {
        Self { done: vec![(Of::Conversation(event.user.clone()), 1)], ..Self::default() }
    }

    /// A failure for each event, as its text told the handler to.
    pub(super) fn failures(platform: &Platform, events: &[Event]) -> Self {
        let failed = events.iter().map(|event| (Of::id(platform, event), event.text.clone()));
        Self { failed: failed.collect(), ..Self::default() }
    }

    pub(super) fn once_after_a_failure(platform: &Platform, event: &Event) -> Self {
        let Self { failed, .. } = Self::failures(platform, slice::from_ref(event));
        Self { failed, ..Self::once(platform, event) }
    }

    pub(super) fn in_order(platform: &Platform, events: &[Event]) -> Self {
        let in_order: Vec<_> = events.iter().map(|event| Of::id(platform, event)).collect();
        let done = in_order.iter().map(|of| (of.clone(), 1)).collect();
        Self { done, in_order, ..Self::default() }
    }

    pub(super) fn compare(self, effects: Option<Vec<Effect>>) -> Result<(), Verdict> {
        if self.done.is_empty() && self.failed.is_empty() {
            return Ok(());
        }
        let Some(mut effects) = effects else {
            let why = "nobody knows what the handlers did: see --effects";
            return Err(Verdict::NotApplicable(why.to_owned()));
        };
        effects.sort_by_key(|effect| effect.start);
        for (of, told) in &self.failed {
            let failed = |effect: &Effect| effect.outcome == Outcome::Failed && of.is(effect);
            if !effects.iter().any(failed) {
                let why = format!("the handler does not fail when asked to (`{told}`)");
                return Err(Verdict::NotApplicable(why));
            }
        }
        effects.retain(|effect| effect.outcome == Outcome::Ok);
        for (of, times) in &self.done {
            match effects.iter().filter(|effect| of.is(effect)).count() {
                runs if runs == *times => {}
                runs if *times == 1 => return Err(fail(format!("handled {runs} times"))),
                runs => return Err(fail(format!("{times} accepted, {runs} handled"))),
            }
        }
        self.compare_order(&effects)
    }

    fn compare_order(&self, handled: &[Effect]) -> Result<(), Verdict> {
        let ours = |effect: &&Effect| self.in_order.iter().any(|of| of.is(effect));
        let handled: Vec<_> = handled.iter().filter(ours).collect();
        let is_in_order =
            handled.iter().zip(&self.in_order).all(|(effect, expected)| expected.is(effect));
        if is_in_order {
            return Ok(());
        }
        let why = "handled in another order than sent";
        if handled.iter().any(|effect| effect.late) {
            return Err(fail(format!(
                "{why}, and the handler was told that they are late: an adaptive hold learns from the \
                 first messages out of order; a fixed one (`Hold::fixed`) holds them from the start"
            )));
        }
        Err(fail(why))
    }
}

impl Of {
    fn id(platform: &Platform, event: &Event) -> Self {
        let id = platform.envelope(event).id;
        Self::Id(id.map_or_else(String::new, |id| id.as_str().to_owned()))
    }

    fn is(&self, effect: &Effect) -> bool {
        match self {
            Self::Id(id) => effect.id.as_ref() == Some(id),
            Self::Conversation(name) => effect.conversation.as_ref() == Some(name),
        }
    }
}
