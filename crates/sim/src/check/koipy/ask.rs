//! How hooks are asked, and what their responses must be.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::Value;

use crate::{
    Body, Event, Platform,
    check::{
        Verdict,
        trial::{NoResponse, Trial, fail, nothing_for},
    },
    platform::koipy::{documented, on_message, on_pre_send, on_result},
};

/// A hook, and one of its responses.
pub(super) type Responded = (Platform, Response<Bytes>);

/// The responses of each hook to each user in each spelling.
pub(super) async fn responses(trial: &Trial) -> Result<Vec<Responded>, Verdict> {
    let mut responses = Vec::new();
    for hook in hooks(trial).await? {
        for user in users(trial) {
            for spell in [Value::clone, documented] {
                let event = Event { user: user.clone(), ..trial.event("/test") };
                let response = ask(trial, &hook, &spell(&hook.payload(&event))).await?;
                responses.push((hook.clone(), response));
            }
        }
    }
    Ok(responses)
}

/// The hooks that the receiver handles.
pub(super) async fn hooks(trial: &Trial) -> Result<Vec<Platform>, Verdict> {
    let mut hooks = Vec::new();
    for hook in [on_message(), on_pre_send(), on_result()] {
        match taken(trial, hook).await {
            Ok(hook) => hooks.push(hook),
            Err(Verdict::NotApplicable(_)) => {}
            Err(verdict) => return Err(verdict),
        }
    }
    if hooks.is_empty() { Err(fail("nothing handles any of the three hooks")) } else { Ok(hooks) }
}

/// The hook, if the receiver handles it.
pub(super) async fn taken(trial: &Trial, hook: Platform) -> Result<Platform, Verdict> {
    let response = trial.send(&hook, &trial.event("/test")).await?;
    let is_taken = response.status() != StatusCode::NOT_FOUND;
    if is_taken { Ok(hook) } else { Err(nothing_for(&hook)) }
}

/// One on the blocklist of koipy's documents, and one of whom nothing is known.
pub(super) fn users(trial: &Trial) -> [String; 2] {
    let Event { user, .. } = trial.event("");
    [format!("koipybot_{user}"), user]
}

pub(super) async fn ask(
    trial: &Trial,
    hook: &Platform,
    payload: &Value,
) -> Result<Response<Bytes>, NoResponse> {
    trial.post(hook.post(Body::from(Bytes::from(payload.to_string())))).await
}

pub(super) fn must_not_fail(what: &str, response: &Response<Bytes>) -> Result<(), Verdict> {
    let status = response.status();
    if status.is_server_error() {
        return Err(fail(format!("{what} gets {status}")));
    }
    Ok(())
}

/// The bot must do the same on both. Other cases ask whether that is a failure.
pub(super) fn must_be_alike(
    hook: &Platform,
    one: &Response<Bytes>,
    other: &Response<Bytes>,
) -> Result<(), Verdict> {
    let said = |response| (Response::status(response), hook.action(response).name());
    if said(one) != said(other) {
        let (one, other) = (one.status(), other.status());
        return Err(fail(format!("{}: {one} for the one and {other} for the other", hook.name)));
    }
    Ok(())
}

pub(super) fn must_be_effective((hook, response): &Responded) -> Result<(), Verdict> {
    hook.breach(response).map_or(Ok(()), |breach| Err(fail(format!("{}: {breach}", hook.name))))
}

pub(super) fn no(why: impl Into<String>) -> Verdict {
    Verdict::NotApplicable(why.into())
}
