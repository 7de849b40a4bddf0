//! Random traffic through the lanes and through a naive model of them.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use tokio::time::Instant;
use tower_callback_contract::{Id, Timestamp};

use super::{Arrival, Ended, Held, Lanes, Limits, Message, Place, Refused};

const LANES: u128 = 2;
const STRICT: u64 = 40;
const MEMORY: u64 = 500;

/// One message of the traffic; times in milliseconds.
#[derive(Clone, Debug)]
#[expect(clippy::struct_field_names, reason = "the platform's word")]
struct Sent {
    lane: u128,
    sent_at: Option<u64>,
    id: u64,
    arrives: u64,
    hold: u64,
    takes: u64,
    fails: bool,
    /// Disconnects after waiting so long.
    leaves: u64,
}

/// What happened to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Went { at: u64, late: bool },
    Left { at: u64 },
    Refused,
}

fn traffic() -> impl Strategy<Value = Vec<Sent>> {
    let sent = (
        (0..LANES, prop::option::weighted(0.9, 0..30_u64), 0..4_u64, 0..200_u64),
        (
            0..60_u64,
            1..30_u64,
            prop::bool::weighted(0.2),
            prop_oneof![9 => Just(10_000_u64), 1 => 0..60_u64],
        ),
    );
    let sent = sent.prop_map(|((lane, sent_at, id, arrives), (hold, takes, fails, leaves))| Sent {
        lane,
        sent_at,
        id,
        arrives,
        hold,
        takes,
        fails,
        leaves,
    });
    prop::collection::vec(sent, 1..40)
}

fn limits(strict: bool) -> Limits {
    Limits {
        per_lane: 8,
        overall: 12,
        bytes: 1_000,
        wait_for_retry: Duration::from_millis(if strict { STRICT } else { 0 }),
        forget_after: Duration::from_millis(MEMORY),
        idle: 100,
        refuses_late: false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn lanes_do_what_the_model_does(traffic in traffic(), strict: bool) {
        let mut traffic = traffic;
        traffic.sort_by_key(|sent| sent.arrives);
        let (ours, left) = play_lanes(&traffic, strict);
        prop_assert_eq!(&ours, &play_model(&traffic, strict));
        prop_assert_eq!(left, (Held::default(), 0));
        one_at_a_time(&traffic, &ours);
    }

    #[test]
    fn what_needs_no_more_than_the_hold_is_handled_in_order(traffic in traffic()) {
        let mut traffic: Vec<_> = traffic.into_iter().take(8).collect();
        traffic.sort_by_key(|sent| sent.arrives);
        for sent in &mut traffic {
            *sent = Sent { lane: 0, leaves: 10_000, sent_at: sent.sent_at.or(Some(0)), ..*sent };
        }
        let hold = traffic.iter().map(|sent| needed_hold(&traffic, sent)).max().unwrap_or(0);
        // At the very end of its hold, one may have gone when the other comes.
        for sent in &mut traffic {
            sent.hold = hold + 1;
        }
        let (fates, _) = play_lanes(&traffic, false);
        let mut went: Vec<_> = traffic.iter().zip(fates).map(|(sent, fate)| match fate {
            Fate::Went { at, late } => (at, sent.sent_at, late),
            other => panic!("{other:?}"),
        }).collect();
        went.sort_by_key(|(at, ..)| *at);
        prop_assert!(went.is_sorted_by_key(|(_, sent_at, _)| *sent_at), "{went:?}");
        prop_assert!(went.iter().all(|(.., late)| !late), "{went:?}");
    }
}

#[test]
fn a_million_conversations_leave_no_more_than_the_lanes_may_remember() {
    let (mut lanes, limits) = (Lanes::new(), Limits { idle: 1_000, ..limits(false) });
    let start = Instant::now();
    for lane in 0..1_000_000_u64 {
        let now = start + Duration::from_micros(lane);
        let message = Some(Message { sent_at: time(lane), id: None });
        let arrival = Arrival { lane: lane.into(), message, deadline: now, bytes: 1 };
        let arrived = lanes.arrive(now, &limits, arrival, || ());
        assert!(arrived.goes);
        lanes.finish(now, &limits, &arrived.place.unwrap(), Ended::Handled);
        assert!(lanes.lanes() <= 1_001 + 1, "{}", lanes.lanes());
    }
    assert_eq!(lanes.held(), Held::default());
}

#[test]
fn who_is_refused_leaves_nothing() {
    let (mut lanes, limits) = (Lanes::new(), Limits { overall: 0, ..limits(false) });
    let start = Instant::now();
    let later = start + Duration::from_secs(1);
    for lane in 0..100 {
        let message = Some(Message { sent_at: time(1), id: None });
        let arrival = Arrival { lane, message, deadline: later, bytes: 1 };
        assert_eq!(lanes.arrive(start, &limits, arrival, || ()).place, Err(Refused::Full));
    }
    assert_eq!((lanes.lanes(), lanes.held()), (0, Held::default()));
}

#[test]
fn a_place_that_is_given_up_does_not_free_a_lane_in_which_another_is_under_way() {
    let (mut lanes, limits) = (Lanes::new(), limits(false));
    let now = Instant::now();
    let arrive = |lanes: &mut Lanes<u64>, sent_at| {
        let message = Some(Message { sent_at: time(sent_at), id: None });
        let arrival = Arrival { lane: 1, message, deadline: now, bytes: 1 };
        lanes.arrive(now, &limits, arrival, || sent_at)
    };
    let first = arrive(&mut lanes, 1);
    let [second, third] = [2, 3].map(|sent_at| arrive(&mut lanes, sent_at));
    assert!(first.goes && !second.goes && !third.goes);
    lanes.finish(now, &limits, &second.place.unwrap(), Ended::Handled);
    lanes.leave(now, &limits, &third.place.unwrap());
    assert_eq!(lanes.next(now, 1), Err(None));
    lanes.finish(now, &limits, &first.place.unwrap(), Ended::Handled);
    assert_eq!(lanes.next(now, 1), Ok(2));
}

/// How long others would have had to be held for this one to keep its place.
fn needed_hold(traffic: &[Sent], sent: &Sent) -> u64 {
    let newer = traffic.iter().filter(|other| (other.sent_at, other.id) > (sent.sent_at, sent.id));
    newer.map(|other| sent.arrives.saturating_sub(other.arrives)).max().unwrap_or(0)
}

/// A message is under way for as long as it takes, and no other of its lane meanwhile.
fn one_at_a_time(traffic: &[Sent], fates: &[Fate]) {
    for lane in 0..LANES {
        let mut runs: Vec<_> = traffic
            .iter()
            .zip(fates)
            .filter_map(|(sent, fate)| match fate {
                Fate::Went { at, .. } if sent.lane == lane => Some((*at, *at + sent.takes)),
                _ => None,
            })
            .collect();
        runs.sort_unstable();
        assert!(runs.windows(2).all(|two| two[0].1 <= two[1].0), "{runs:?}");
    }
}

/// What happens in each millisecond, in this order: runs end, callbacks arrive, clients leave, and
/// messages go that may.
fn play_lanes(traffic: &[Sent], strict: bool) -> (Vec<Fate>, (Held, usize)) {
    let start = Instant::now();
    let at = |millis| start + Duration::from_millis(millis);
    let (mut lanes, limits) = (Lanes::new(), limits(strict));
    let mut fates: Vec<Option<Fate>> = vec![None; traffic.len()];
    let mut places: Vec<Option<Place>> = vec![None; traffic.len()];
    let mut late = vec![false; traffic.len()];
    for now in 0..2_500 {
        for (index, sent) in traffic.iter().enumerate() {
            if let (Some(Fate::Went { at: went, .. }), Some(place)) = (fates[index], &places[index])
            {
                if went + sent.takes == now {
                    let ended = if sent.fails { Ended::Failed } else { Ended::Handled };
                    lanes.finish(at(now), &limits, place, ended);
                }
            }
        }
        for (index, sent) in traffic.iter().enumerate().filter(|(_, sent)| sent.arrives == now) {
            let id = Id::new("chat", &sent.id.to_string());
            let message = sent.sent_at.map(|sent_at| Message { sent_at: time(sent_at), id });
            let deadline = at(now + sent.hold);
            let arrival = Arrival { lane: sent.lane, message, deadline, bytes: 100 };
            let arrived = lanes.arrive(at(now), &limits, arrival, || index);
            match arrived.place {
                Ok(place) => {
                    late[index] = arrived.late_after.is_some();
                    places[index] = Some(place);
                    if arrived.goes {
                        fates[index] = Some(Fate::Went { at: now, late: late[index] });
                    }
                }
                Err(_) => fates[index] = Some(Fate::Refused),
            }
            go(&mut lanes, at(now), now, sent.lane, &mut fates, &late);
        }
        for (index, sent) in traffic.iter().enumerate() {
            if fates[index].is_none() && sent.arrives + sent.leaves == now {
                if let Some(place) = &places[index] {
                    lanes.leave(at(now), &limits, place);
                    fates[index] = Some(Fate::Left { at: now });
                }
            }
        }
        for lane in 0..LANES {
            go(&mut lanes, at(now), now, lane, &mut fates, &late);
        }
    }
    // An arrival elsewhere is what makes the lanes forget.
    let left = lanes.held();
    for probe in 0..4 {
        let now = at(9_000 + probe);
        let arrival = Arrival { lane: 99, message: None, deadline: now, bytes: 0 };
        let place = lanes.arrive(now, &limits, arrival, || 0).place.unwrap();
        lanes.finish(now, &limits, &place, Ended::Handled);
    }
    let fates = fates.into_iter().map(|fate| fate.expect("an end")).collect();
    (fates, (left, lanes.lanes() - 1))
}

fn go(
    lanes: &mut Lanes<usize>,
    instant: Instant,
    now: u64,
    lane: u128,
    fates: &mut [Option<Fate>],
    is_late: &[bool],
) {
    if let Ok(index) = lanes.next(instant, lane) {
        assert_eq!(fates[index], None);
        fates[index] = Some(Fate::Went { at: now, late: is_late[index] });
    }
}

/// The same with lists, looked through from one end to the other.
#[expect(clippy::too_many_lines, reason = "a model is to be read at one go")]
fn play_model(traffic: &[Sent], strict: bool) -> Vec<Fate> {
    #[derive(Default)]
    struct Lane {
        waiting: Vec<(usize, u64)>,
        running: Option<usize>,
        newest: Option<(u64, u64)>,
        missing: Option<((u64, u64), usize, u64)>,
    }
    // What counts as newest is what was handled, and what is under way.
    let newest_of = |lane: &Lane, rank: &dyn Fn(usize) -> Option<(u64, u64)>| {
        lane.newest.max(lane.running.and_then(rank))
    };
    let limits = limits(strict);
    let rank = |index: usize| traffic[index].sent_at.map(|sent_at| (sent_at, traffic[index].id));
    let key = |index: usize| (rank(index).map(|rank| (rank, index)), index);
    let mut lanes: BTreeMap<u128, Lane> = BTreeMap::new();
    let mut fates: Vec<Option<Fate>> = vec![None; traffic.len()];
    let mut is_late = vec![false; traffic.len()];
    let step = |lane: &mut Lane, fates: &mut Vec<Option<Fate>>, is_late: &[bool], now: u64| {
        let Some(&(head, _)) = lane.waiting.iter().min_by_key(|(index, _)| key(*index)) else {
            return;
        };
        let due = lane.waiting.iter().map(|(_, deadline)| *deadline).min().expect("a head");
        if lane.running.is_some() || now < due {
            return;
        }
        if let (Some((missing, failed, until)), Some(rank)) = (lane.missing, rank(head)) {
            if now < until && rank != missing && (missing, failed) < (rank, head) {
                return;
            }
        }
        lane.waiting.retain(|(index, _)| *index != head);
        lane.running = Some(head);
        if let (Some(rank), Some((missing, ..))) = (rank(head), lane.missing) {
            if rank >= missing {
                lane.missing = None;
            }
        }
        fates[head] = Some(Fate::Went { at: now, late: is_late[head] });
    };
    for now in 0..2_500 {
        for (index, sent) in traffic.iter().enumerate() {
            let lane = lanes.entry(sent.lane).or_default();
            if let (Some(Fate::Went { at, .. }), Some(running)) = (fates[index], lane.running) {
                if running == index && at + sent.takes == now {
                    lane.running = None;
                    let is_newest = rank(index).is_some_and(|it| Some(it) >= lane.newest);
                    match rank(index) {
                        Some(rank) if !sent.fails => lane.newest = lane.newest.max(Some(rank)),
                        Some(rank) if strict && is_newest => {
                            lane.missing = Some((rank, index, now + STRICT));
                        }
                        _ => {}
                    }
                }
            }
        }
        for (index, sent) in traffic.iter().enumerate().filter(|(_, sent)| sent.arrives == now) {
            let overall: usize = lanes.values().map(|lane| lane.waiting.len()).sum();
            let lane = lanes.entry(sent.lane).or_default();
            is_late[index] = rank(index).is_some_and(|it| Some(it) < newest_of(lane, &rank));
            let is_held = rank(index).is_some() && !is_late[index];
            let deadline = if is_held { now + sent.hold } else { now };
            let is_blocked = lane.missing.is_some_and(|(missing, failed, until)| {
                now < until
                    && rank(index)
                        .is_some_and(|it| it != missing && (missing, failed) < (it, index))
            });
            let is_awaited = lane.missing.is_some_and(|(missing, ..)| rank(index) == Some(missing));
            let waits =
                deadline > now || is_blocked || lane.running.is_some() || !lane.waiting.is_empty();
            let is_full = lane.waiting.len() >= limits.per_lane
                || overall >= limits.overall
                || overall * 100 + 100 > limits.bytes;
            if waits && is_full && !is_awaited {
                fates[index] = Some(Fate::Refused);
            } else {
                lane.waiting.push((index, deadline));
            }
            step(lane, &mut fates, &is_late, now);
        }
        for (index, sent) in traffic.iter().enumerate() {
            let waits = fates[index].is_none() && sent.arrives <= now;
            if waits && sent.arrives + sent.leaves == now {
                let lane = lanes.entry(sent.lane).or_default();
                lane.waiting.retain(|(waiting, _)| *waiting != index);
                fates[index] = Some(Fate::Left { at: now });
            }
        }
        for lane in lanes.values_mut() {
            step(lane, &mut fates, &is_late, now);
        }
    }
    fates.into_iter().map(|fate| fate.expect("an end")).collect()
}

fn time(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis).expect("a time")
}
