use super::{Verdict, trial::fail};
use crate::{Effect, Event, Outcome, Platform};

/// What the handlers are to have done.
#[derive(Default)]
pub(super) struct Expected {
    /// That they did these, and how often.
    done: Vec<(Of, usize)>,
    /// That they did these in this order.
    in_order: Vec<Of>,
    /// That they failed at this before.
    failed_first: Option<Of>,
}

/// Which callback a run was for.
#[derive(Clone, PartialEq)]
enum Of {
    Id(String),
    /// The only one of this conversation: what has no id of its own is called by every app as it
    /// likes.
    Conversation(String),
}

impl Expected {
    /// Nothing that only the handlers know.
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

    pub(super) fn once_after_a_failure(platform: &Platform, event: &Event) -> Self {
        let failed_first = Some(Of::id(platform, event));
        Self { failed_first, ..Self::once(platform, event) }
    }

    pub(super) fn in_order(platform: &Platform, events: &[Event]) -> Self {
        let in_order: Vec<_> = events.iter().map(|event| Of::id(platform, event)).collect();
        let done = in_order.iter().map(|of| (of.clone(), 1)).collect();
        Self { done, in_order, ..Self::default() }
    }

    pub(super) fn hold_against(self, effects: Option<Vec<Effect>>) -> Result<(), Verdict> {
        if self.done.is_empty() {
            return Ok(());
        }
        let Some(mut effects) = effects else {
            let why = "what the handlers did is not known: see --effects";
            return Err(Verdict::NotApplicable(why.to_owned()));
        };
        effects.sort_by_key(|effect| effect.start);
        if let Some(of) = &self.failed_first {
            let failed = |effect: &Effect| effect.outcome == Outcome::Failed && of.is(effect);
            if !effects.iter().any(failed) {
                let why = "the handler does not fail when asked to (`#sim fail once`)";
                return Err(Verdict::NotApplicable(why.to_owned()));
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
        let order =
            effects.iter().filter_map(|effect| self.in_order.iter().find(|of| of.is(effect)));
        if !order.eq(&self.in_order) {
            return Err(fail("handled in another order than sent"));
        }
        Ok(())
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
