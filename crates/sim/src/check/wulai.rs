//! The cases that a receiver of Wulai's callbacks should pass.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::{
    Case, Verdict,
    expected::Expected,
    trial::{NoResponse, Trial, fail, is_accepted, must_accept, must_refuse},
};
use crate::{
    Body, Event,
    platform::wulai::{camel_case, delivery, error, route},
};

cases! {
    "duplicates-together": duplicates_together,
        "Duplicates arrive while the first run is in progress: the user must not be told twice.";
    "duplicate-later": duplicate_later,
        "A duplicate arrives after the first delivery was handled: it is accepted, and nothing \
         happens again.";
    "failure-then-retry": failure_then_retry,
        "A failed run is redelivered: a receiver that stores the id before the work is done loses \
         the message.";
    "disconnect-then-retry": disconnect_then_retry,
        "The platform disconnects from slow work and redelivers: the work is neither cut nor done \
         twice.";
    "both-spellings": both_spellings,
        "msg_id and msgId are one field: a duplicate in the other spelling is a duplicate.";
    "other-body-under-one-id": other_body,
        "Another message under a known id is refused or handled, not accepted and dropped.";
    "route-same-answer": route_same_answer,
        "A question that is asked again gets the same answer.";
    "every-kind-of-message": every_kind,
        "A handler that only knows text fails on a picture, and the platform redelivers it for ever.";
    "garbage": garbage,
        "A body that is not JSON is refused, and is not a failure of the server.";
    "ambiguous-id": ambiguous_id,
        "Two ids in one body: a receiver that checks one and uses the other can be fooled.";
    "too-large-body": too_large_body,
        "A body of 8 MiB is refused before it takes the memory.";
    "stalled-body": stalled_body,
        "A body that never ends does not occupy a connection for ever.";
    "disorder-within-200-ms": disorder,
        "Messages of one user overtake each other: they are handled in the order they were sent.";
    "flood-by-one-user": flood,
        "One user who sends 200 messages at once does not keep the others waiting.";
    "error-reported-once": error_once,
        "An error callback has no id of its own, but a duplicate of it is still a duplicate.";
}

type Ran = Result<Expected, Verdict>;

async fn duplicates_together(trial: &Trial) -> Ran {
    let event = trial.event("duplicates together");
    trial.together(&delivery(), &event, 20).await?;
    Ok(Expected::once(&delivery(), &event))
}

async fn duplicate_later(trial: &Trial) -> Ran {
    let event = trial.event("a duplicate later");
    for _ in 0..2 {
        trial.accepted(&delivery(), &event).await?;
    }
    Ok(Expected::once(&delivery(), &event))
}

async fn failure_then_retry(trial: &Trial) -> Ran {
    let event = trial.event("#sim fail once");
    // If it is accepted, it is not redelivered, even if the handler failed.
    if !is_accepted(&delivery(), &trial.send(&delivery(), &event).await?) {
        trial.accepted(&delivery(), &event).await?;
    }
    Ok(Expected::once_after_a_failure(&delivery(), &event))
}

async fn disconnect_then_retry(trial: &Trial) -> Ran {
    let event = trial.event("#sim slow 1s");
    let request = delivery().request(&event, Body::from);
    let response = trial.disconnect(request, Duration::from_millis(300)).await?;
    if let Some(response) = response {
        must_accept(&delivery(), &response)?;
        let why = "the handler is not slow when asked to (`#sim slow 1s`)";
        return Err(Verdict::NotApplicable(why.to_owned()));
    }
    trial.accepted(&delivery(), &event).await?;
    // If the first run was not cut, it may end after the second.
    sleep(Duration::from_millis(1_200)).await;
    Ok(Expected::once(&delivery(), &event))
}

async fn both_spellings(trial: &Trial) -> Ran {
    let event = trial.event("both spellings");
    let snake = delivery().payload(&event);
    for payload in [camel_case(&snake), snake] {
        let response = trial.post(delivery().post(Body::from(text(&payload)))).await?;
        must_accept(&delivery(), &response)?;
    }
    Ok(Expected::once(&delivery(), &event))
}

async fn other_body(trial: &Trial) -> Ran {
    let event = trial.event("one thing");
    trial.accepted(&delivery(), &event).await?;
    let other = Event { text: "another thing".to_owned(), ..event };
    let response = trial.send(&delivery(), &other).await?;
    if is_accepted(&delivery(), &response) {
        return Ok(Expected::times(2, &delivery(), &other));
    }
    must_refuse(&response)?;
    Ok(Expected::nothing())
}

async fn route_same_answer(trial: &Trial) -> Ran {
    let event = trial.event("a question");
    let first = trial.accepted_if_taken(&route(), &event).await?;
    let second = trial.accepted(&route(), &event).await?;
    if first.body() != second.body() {
        return Err(fail("two answers to one question"));
    }
    Ok(Expected::nothing())
}

async fn every_kind(trial: &Trial) -> Ran {
    let url = "https://example.com/it";
    let sent = [
        ("IMAGE", json!({"image": {"resource_url": url}})),
        ("VOICE", json!({"voice": {"resource_url": url, "type": "AMR", "recognition": ""}})),
        ("VIDEO", json!({"video": {"resource_url": url}})),
        ("FILE", json!({"file": {"file_name": "a.pdf", "resource_url": url}})),
        ("SHARELINK", json!({"share_link": {"title": "t", "destination_url": url}})),
        ("RICH_TEXT", json!({"rich_text": {"resource_url": url}})),
        ("CUSTOM", json!({"custom": {"content": "{}"}})),
        ("EVENT", json!({"event": {"event_type": "rated", "fields": "{}"}})),
    ]
    .map(|(kind, body)| async move {
        let mut payload = delivery().payload(&trial.event(""));
        payload["msg_type"] = kind.into();
        payload["msg_body"] = body;
        let response = trial.post(delivery().post(Body::from(text(&payload)))).await?;
        must_accept(&delivery(), &response)
            .map_err(|_| fail(format!("a message of kind {kind} gets {}", response.status())))
    });
    join_all(sent).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(Expected::nothing())
}

async fn garbage(trial: &Trial) -> Ran {
    let nested = "[".repeat(100_000);
    for body in ["", "{", "[]", "null", "\u{feff}{}", "user_id=anna", &nested] {
        let response = trial.post(delivery().post(Body::from(text(body)))).await?;
        must_refuse(&response).map_err(|_| {
            let start: String = body.chars().take(12).collect();
            fail(format!("{start:?} gets {}", response.status()))
        })?;
    }
    Ok(Expected::nothing())
}

async fn ambiguous_id(trial: &Trial) -> Ran {
    let mut payload = delivery().payload(&trial.event("ambiguous"));
    payload["msgId"] = "1".into();
    must_refuse(&trial.post(delivery().post(Body::from(text(&payload)))).await?)?;
    Ok(Expected::nothing())
}

async fn too_large_body(trial: &Trial) -> Ran {
    let event = trial.event(&"x".repeat(8 * 1024 * 1024));
    // A server may close the connection while the sender still sends.
    match trial.send(&delivery(), &event).await {
        Ok(response) => must_refuse(&response)?,
        Err(NoResponse::Broken(_)) => {}
        Err(too_slow) => return Err(too_slow.into()),
    }
    trial.accepted(&delivery(), &trial.event("after a large one")).await?;
    Ok(Expected::nothing())
}

async fn stalled_body(trial: &Trial) -> Ran {
    let body = text(&delivery().payload(&trial.event("stalled")));
    let stalled = delivery().post(Body::slow(body, Duration::from_secs(3_600)));
    // Refused or cut off: both end it.
    match trial.post(stalled).await {
        Ok(response) if is_accepted(&delivery(), &response) => {
            return Err(fail("half a message is accepted"));
        }
        Ok(_) | Err(NoResponse::Broken(_)) => {}
        Err(too_slow) => return Err(too_slow.into()),
    }
    trial.accepted(&delivery(), &trial.event("after a stalled one")).await?;
    Ok(Expected::nothing())
}

async fn disorder(trial: &Trial) -> Ran {
    let sent: Vec<_> = [0, 1, 2, 3]
        .map(|number: u64| {
            let event = trial.event("in disorder");
            Event { sent_at: event.sent_at + number, ..event }
        })
        .into();
    let arrive = [2, 0, 3, 1].into_iter().enumerate().map(|(place, index)| {
        let event = &sent[index];
        async move {
            sleep(Duration::from_millis(40 * place as u64)).await;
            trial.accepted(&delivery(), event).await
        }
    });
    join_all(arrive).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(Expected::in_order(&delivery(), &sent))
}

async fn flood(trial: &Trial) -> Ran {
    let events: Vec<_> = (0..200).map(|_| trial.event("#sim slow 20ms")).collect();
    let delivery = delivery();
    let flood = join_all(events.iter().map(|event| trial.send(&delivery, event)));
    let other = Event { user: "somebody-else".to_owned(), ..trial.event("one message") };
    let other = async {
        sleep(Duration::from_millis(100)).await;
        let start = Instant::now();
        trial.accepted(&delivery, &other).await.map(|_| start.elapsed())
    };
    let (waited, ()) = tokio::join!(other, async {
        let _ = timeout(Duration::from_secs(20), flood).await;
    });
    match waited? {
        waited if waited > Duration::from_secs(2) => {
            Err(fail(format!("another user waited {waited:?}")))
        }
        _ => Ok(Expected::nothing()),
    }
}

async fn error_once(trial: &Trial) -> Ran {
    let event = trial.event("reported");
    for _ in 0..2 {
        trial.accepted_if_taken(&error(), &event).await?;
    }
    Ok(Expected::once_in_conversation(&event))
}

fn text(body: &(impl ToString + ?Sized)) -> Bytes {
    body.to_string().into()
}
