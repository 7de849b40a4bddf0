//! The cases whose handlers do what a message asks for.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::{
    Ran,
    ask::{must_not_fail, no, taken},
};
use crate::{
    Body, Event,
    check::{
        expected::Expected,
        trial::{Trial, fail},
    },
    platform::koipy::on_message,
};

pub(super) async fn users_at_once(trial: &Trial) -> Ran {
    let hook = &taken(trial, on_message()).await?;
    let asked = (0..50).map(|number| async move {
        let event = trial.event("#sim slow 200ms");
        let event = Event { user: format!("{}-{number}", event.user), ..event };
        let start = Instant::now();
        trial.send(hook, &event).await.map(|_| start.elapsed())
    });
    let waited = join_all(asked).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    match waited.into_iter().max() {
        Some(longest) if longest > hook.timeout() => {
            Err(fail(format!("a user waited {longest:?}")))
        }
        _ => Ok(Expected::nothing()),
    }
}

pub(super) async fn slow_handler(trial: &Trial) -> Ran {
    const QUICK: Duration = Duration::from_secs(1);
    let hook = taken(trial, on_message()).await?;
    let start = Instant::now();
    let request = hook.request(&trial.event("#sim slow 8s"), Body::from);
    let Some(response) = trial.disconnect(request, hook.timeout()).await? else {
        return Err(fail(format!("no response within {:?}", hook.timeout())));
    };
    if start.elapsed() < QUICK {
        return Err(no("the handler is not slow when asked to (`#sim slow 8s`)"));
    }
    must_not_fail(hook.name, &response)?;
    Ok(Expected::nothing())
}

pub(super) async fn failing_handler(trial: &Trial) -> Ran {
    let hook = taken(trial, on_message()).await?;
    let events = ["#sim fail once", "#sim panic once"].map(|text| trial.event(text));
    for event in &events {
        let response = trial.send(&hook, event).await?;
        must_not_fail(&format!("`{}`", event.text), &response)?;
    }
    Ok(Expected::failures(&hook, &events))
}
