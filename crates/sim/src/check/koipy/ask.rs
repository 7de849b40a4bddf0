//! What is asked, and what is held against a reply.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::Value;

use crate::{
    Body, Event, Platform,
    check::{
        Verdict,
        trial::{NoReply, Trial, fail, nothing_for},
    },
    platform::koipy::{documented, on_message, on_pre_send, on_result},
};

/// A hook, and its reply to something.
pub(super) type Replied = (Platform, Response<Bytes>);

/// The replies of each hook to each user in each spelling.
pub(super) async fn replies(trial: &Trial) -> Result<Vec<Replied>, Verdict> {
    let mut replies = Vec::new();
    for hook in hooks(trial).await? {
        for user in users(trial) {
            for spell in [Value::clone, documented] {
                let event = Event { user: user.clone(), ..trial.event("/test") };
                let reply = ask(trial, &hook, &spell(&hook.payload(&event))).await?;
                replies.push((hook.clone(), reply));
            }
        }
    }
    Ok(replies)
}

/// The hooks that there is something for.
pub(super) async fn hooks(trial: &Trial) -> Result<Vec<Platform>, Verdict> {
    let mut hooks = Vec::new();
    for hook in [on_message(), on_pre_send(), on_result()] {
        match taken(trial, hook).await {
            Ok(hook) => hooks.push(hook),
            Err(Verdict::NotApplicable(_)) => {}
            Err(verdict) => return Err(verdict),
        }
    }
    if hooks.is_empty() {
        Err(fail("there is nothing at any of the three hooks"))
    } else {
        Ok(hooks)
    }
}

/// The hook, if there is something for it.
pub(super) async fn taken(trial: &Trial, hook: Platform) -> Result<Platform, Verdict> {
    let reply = trial.send(&hook, &trial.event("/test")).await?;
    let is_taken = reply.status() != StatusCode::NOT_FOUND;
    if is_taken { Ok(hook) } else { Err(nothing_for(&hook)) }
}

/// One of whom nothing is known, and one on the black list of koipy's documents.
pub(super) fn users(trial: &Trial) -> [String; 2] {
    let Event { user, .. } = trial.event("");
    [format!("koipybot_{user}"), user]
}

pub(super) async fn ask(
    trial: &Trial,
    hook: &Platform,
    payload: &Value,
) -> Result<Response<Bytes>, NoReply> {
    trial.post(hook.post(Body::from(Bytes::from(payload.to_string())))).await
}

pub(super) fn must_not_fail(what: &str, reply: &Response<Bytes>) -> Result<(), Verdict> {
    let status = reply.status();
    if status.is_server_error() {
        return Err(fail(format!("{what} is answered with {status}")));
    }
    Ok(())
}

/// The bot does the same on both. Whether they are failures is asked elsewhere.
pub(super) fn must_be_alike(
    hook: &Platform,
    one: &Response<Bytes>,
    other: &Response<Bytes>,
) -> Result<(), Verdict> {
    let said = |reply| (Response::status(reply), hook.action(reply).name());
    if said(one) != said(other) {
        let (one, other) = (one.status(), other.status());
        return Err(fail(format!("{}: {one} for the one and {other} for the other", hook.name)));
    }
    Ok(())
}

pub(super) fn must_be_effective((hook, reply): &Replied) -> Result<(), Verdict> {
    hook.breach(reply).map_or(Ok(()), |breach| Err(fail(format!("{}: {breach}", hook.name))))
}

pub(super) fn no(why: impl Into<String>) -> Verdict {
    Verdict::NotApplicable(why.into())
}
