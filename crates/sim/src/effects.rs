//! What the handlers of the app under test did.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// One handler run, as the app under test records it: a line of JSON. Other fields than these are
/// ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// The kind of callback, such as `wulai.delivery`. Ids are unique within one kind only.
    #[serde(default)]
    pub callback: Option<String>,
    /// The id of the callback.
    #[serde(default)]
    pub id: Option<String>,
    /// The conversation it belongs to.
    #[serde(default)]
    pub conversation: Option<String>,
    /// When it was sent, in milliseconds since the Unix epoch.
    #[serde(default)]
    pub sent_at: Option<u64>,
    /// When the handler started, in milliseconds since the Unix epoch.
    pub start: u64,
    /// When it ended.
    pub end: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the handler was told that the message is late.
    #[serde(default)]
    pub late: bool,
}

/// How a handler's run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It did its work.
    Ok,
    /// It refused the callback, without an effect.
    Refused,
    /// It failed.
    Failed,
}

/// What happened to the callbacks in the app under test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Effects {
    /// Runs that did their work.
    pub handled: u64,
    /// Runs that failed.
    pub failed: u64,
    /// Callbacks that were accepted, but not handled.
    pub lost: Vec<String>,
    /// Callbacks that were handled a second time.
    pub twice: Vec<String>,
    /// Callbacks that were handled before and after a restart of the app. It cannot know of the first
    /// run, unless its records survive a restart.
    pub twice_across_restarts: Vec<String>,
    /// Callbacks that were handled after one of their conversation that was sent later, while the
    /// handler was not told that they are late.
    pub out_of_order: Vec<String>,
    /// Callbacks that were handled after one that was sent later, while the handler was told so.
    pub late: Vec<String>,
    /// Callbacks that were handled, but never accepted as far as the platform knows.
    pub unheard: u64,
}

/// What the platform knows of a callback.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) id: String,
    pub(crate) is_accepted: bool,
    /// Whether the platform says when it was sent. Without a time it has no place in the order.
    pub(crate) has_a_place: bool,
}

/// Reads the lines of an effects file.
///
/// # Errors
/// Names the first line that is not an [`Effect`], by its number.
pub fn parse(lines: &str) -> Result<Vec<Effect>, String> {
    let parse = |(number, line)| {
        serde_json::from_str(line).map_err(|error| format!("line {}: {error}", number + 1))
    };
    lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(parse).collect()
}

impl Effects {
    /// Compares what was sent with what the handlers did. `restarts` are the times at which the app was
    /// restarted, in milliseconds since the Unix epoch.
    pub(crate) fn of(sent: &[Sent], effects: &[Effect], restarts: &[u64]) -> Self {
        let mut all = Self::default();
        let known: HashMap<&str, &Sent> = sent.iter().map(|sent| (&*sent.id, sent)).collect();
        let mut ours: Vec<&Effect> = effects
            .iter()
            .filter(|effect| effect.id.as_deref().is_some_and(|id| known.contains_key(id)))
            .collect();
        // They are written in the order in which runs end.
        ours.sort_by_key(|effect| effect.start);
        let mut handled: HashMap<&str, u64> = HashMap::new();
        let mut newest: HashMap<&str, u64> = HashMap::new();
        for effect in ours {
            let Some(id) = effect.id.as_deref() else { continue };
            match effect.outcome {
                Outcome::Ok => {}
                Outcome::Failed => {
                    all.failed += 1;
                    continue;
                }
                Outcome::Refused => continue,
            }
            all.handled += 1;
            if let Some(before) = handled.insert(id, effect.end) {
                let is_restarted = restarts.iter().any(|at| (before..=effect.start).contains(at));
                let list =
                    if is_restarted { &mut all.twice_across_restarts } else { &mut all.twice };
                list.push(id.to_owned());
                continue;
            }
            let (Some(conversation), Some(sent_at)) = (&effect.conversation, effect.sent_at) else {
                continue;
            };
            if !known.get(id).is_some_and(|sent| sent.has_a_place) {
                continue;
            }
            let newest = newest.entry(conversation).or_default();
            if *newest > sent_at {
                let list = if effect.late { &mut all.late } else { &mut all.out_of_order };
                list.push(id.to_owned());
            }
            *newest = sent_at.max(*newest);
        }
        for sent in sent {
            match (sent.is_accepted, handled.contains_key(&*sent.id)) {
                (true, false) => all.lost.push(sent.id.clone()),
                (false, true) => all.unheard += 1,
                _ => {}
            }
        }
        all
    }

    /// Whether nothing was lost or handled twice, and the handlers were told of all that was out of
    /// order.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.flaws().is_empty()
    }

    /// Why it is not clean: one line for each reason.
    pub(crate) fn flaws(&self) -> Vec<String> {
        let flaw =
            |ids: &[String], what| (!ids.is_empty()).then(|| format!("{} {what}", ids.len()));
        let lost = if self.handled + self.failed == 0 {
            "lost: accepted, but the app recorded no run at all"
        } else {
            "lost: accepted, but not handled"
        };
        let flaws = [
            flaw(&self.lost, lost),
            flaw(&self.twice, "handled twice"),
            flaw(&self.out_of_order, "out of order, and the handler was not told"),
        ];
        flaws.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_compared_with_what_was_sent() {
        let sent = ["1", "2", "3", "4", "5", "6"].map(|id| Sent {
            id: id.to_owned(),
            is_accepted: id != "5",
            has_a_place: true,
        });
        let run = |id: &str, sent_at, start, outcome, late| Effect {
            callback: None,
            id: Some(id.to_owned()),
            conversation: Some("anna".to_owned()),
            sent_at: Some(sent_at),
            start,
            end: start + 5,
            outcome,
            late,
        };
        let effects = [
            run("2", 2, 20, Outcome::Ok, false),
            run("1", 1, 10, Outcome::Failed, false),
            run("1", 1, 30, Outcome::Ok, false),
            run("3", 3, 40, Outcome::Ok, false),
            run("3", 3, 50, Outcome::Ok, false),
            run("3", 3, 150, Outcome::Ok, false),
            run("5", 2, 60, Outcome::Ok, true),
            run("6", 6, 70, Outcome::Refused, false),
            run("7", 7, 80, Outcome::Ok, false),
        ];
        let all = Effects::of(&sent, &effects, &[100]);
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        let expected = Effects {
            handled: 6,
            failed: 1,
            lost: ids(&["4", "6"]),
            twice: ids(&["3"]),
            twice_across_restarts: ids(&["3"]),
            out_of_order: ids(&["1"]),
            late: ids(&["5"]),
            unheard: 1,
        };
        assert_eq!(all, expected);
        assert!(!all.is_clean());
    }

    #[test]
    fn a_callback_without_a_place_is_never_out_of_order() {
        let run = |id: &str, sent_at| Effect {
            callback: None,
            id: Some(id.to_owned()),
            conversation: Some("anna".to_owned()),
            sent_at: Some(sent_at),
            start: 10 - sent_at,
            end: 10,
            outcome: Outcome::Ok,
            late: false,
        };
        let (runs, id) = ([run("1", 1), run("2", 2)], str::to_owned);
        for has_a_place in [true, false] {
            let sent = ["1", "2"].map(|it| Sent { id: id(it), is_accepted: true, has_a_place });
            let all = Effects::of(&sent, &runs, &[]);
            assert_eq!(all.out_of_order, if has_a_place { vec![id("1")] } else { vec![] });
        }
    }

    #[test]
    fn lines_are_read_and_the_first_bad_one_is_named() {
        let line = r#"{"id":"1","start":1,"end":2,"outcome":"ok","more":[]}"#;
        let effects = parse(&format!("{line}\n\n{line}\n")).unwrap();
        assert_eq!((effects.len(), effects[0].late), (2, false));
        assert!(parse(&format!("{line}\nx")).unwrap_err().starts_with("line 2: "));
    }
}
