//! The cases that a callback server of koipy should pass. All but one look at responses only.

mod ask;
mod handlers;
mod responses;

use std::time::Duration;

use bytes::Bytes;
use http::header;
use serde_json::{Map, Value, json};

use self::{
    ask::{ask, hooks, must_be_alike, must_not_fail, taken, users},
    handlers::{failing_handler, slow_handler, users_at_once},
    responses::{duplicates, empty_200, in_vain, not_400, picture, refusal, secrets},
};
use super::{
    Case, Verdict,
    expected::Expected,
    trial::{NoResponse, Trial, fail},
};
use crate::{
    Body, Event,
    platform::koipy::{documented, on_message, on_pre_send, on_result},
};

cases! {
    "as-the-bot-sends-it": as_sent,
        "The bot writes from-user where the documents write from_user: a server that fails on it \
         refuses every test.";
    "both-spellings": both_spellings,
        "A user whom the server refuses in one spelling is refused in the other.";
    "no-content-type": no_content_type,
        "Older versions of the bot do not say that they send JSON.";
    "every-sender": every_sender,
        "Users without a name and anonymous admins send commands too.";
    "absent-fields": absent_fields,
        "The bot leaves out what is null: any field can be absent.";
    "failed-test": failed_test,
        "A failed test has an error instead of columns, and its user has to see it.";
    "refusal-says-why": refusal,
        "A refusal is a status above 400, and the user sees its text, in UTF-8.";
    "400-refuses-nobody": not_400,
        "The bot goes on at a 400: a user on the blocklist is tested all the same.";
    "picture-is-sent": picture,
        "A picture is sent under a 200, as PNG or JPEG; under a 403 it refuses the test.";
    "empty-200": empty_200,
        "An empty 200 without a type sends an empty file; a 204 goes on without a word.";
    "nothing-in-vain": in_vain,
        "Content that the bot does not use, and columns of the wrong length, are wasted work.";
    "secrets-are-kept": secrets,
        "Tokens and subscriptions in a payload are not shown to the users of a group.";
    "duplicates-alike": duplicates,
        "A duplicate gets the response of the first delivery, at once or later.";
    "users-at-once": users_at_once,
        "Tests of 50 users wait for their responses at once, and not for each other.";
    "slow-handler": slow_handler,
        "The user's task stands still until there is a response: slow work gets one in time.";
    "failing-handler": failing_handler,
        "A handler that fails or panics sends no 500 to the bot: that would refuse the test.";
    "large-task": large_task,
        "A thousand nodes are half a megabyte: the user who tests most must not be refused for it.";
    "garbage": garbage,
        "A body that is not JSON is not a failure of the server: that would refuse a test.";
    "too-large-body": too_large,
        "A body of 8 MiB is not accepted, and is not a failure of the server.";
    "stalled-body": stalled,
        "A body that never ends does not occupy a connection for ever.";
}

type Ran = Result<Expected, Verdict>;

type Change = fn(&mut Map<String, Value>);

async fn as_sent(trial: &Trial) -> Ran {
    for hook in hooks(trial).await? {
        let response = trial.send(&hook, &trial.event("/test")).await?;
        must_not_fail(hook.name, &response)?;
    }
    Ok(Expected::nothing())
}

async fn both_spellings(trial: &Trial) -> Ran {
    for hook in hooks(trial).await? {
        for user in users(trial) {
            let payload = || hook.payload(&Event { user: user.clone(), ..trial.event("/test") });
            let one = ask(trial, &hook, &payload()).await?;
            let other = ask(trial, &hook, &documented(&payload())).await?;
            must_be_alike(&hook, &one, &other)?;
        }
    }
    Ok(Expected::nothing())
}

async fn no_content_type(trial: &Trial) -> Ran {
    for hook in hooks(trial).await? {
        for spell in [Value::clone, documented] {
            let payload = || spell(&hook.payload(&trial.event("/test"))).to_string();
            let with = trial.post(hook.post(Body::from(Bytes::from(payload())))).await?;
            let mut request = hook.post(Body::from(Bytes::from(payload())));
            request.headers_mut().remove(header::CONTENT_TYPE);
            must_be_alike(&hook, &with, &trial.post(request).await?)?;
        }
    }
    Ok(Expected::nothing())
}

async fn every_sender(trial: &Trial) -> Ran {
    let hook = taken(trial, on_message()).await?;
    let senders: [(&str, Change); 3] = [
        ("a user without a name", |message| {
            message["from-user"].as_object_mut().map(|user| user.remove("username"));
        }),
        ("an anonymous admin", |message| {
            message.remove("from-user");
            message.insert("sender-chat".to_owned(), message["chat"].clone());
        }),
        ("nobody", |message| {
            message.remove("from-user");
        }),
    ];
    for (sender, change) in senders {
        let mut payload = hook.payload(&trial.event("/test"));
        payload["message"].as_object_mut().map(change);
        for payload in [documented(&payload), payload] {
            must_not_fail(sender, &ask(trial, &hook, &payload).await?)?;
        }
    }
    Ok(Expected::nothing())
}

async fn absent_fields(trial: &Trial) -> Ran {
    for hook in hooks(trial).await? {
        let sent = hook.payload(&trial.event("/test"));
        let message =
            json!({"id": sent["message"]["id"], "chat": {"id": sent["message"]["chat"]["id"]}});
        for payload in [
            json!({}),
            json!({"message": {}, "slaveRequest": {}, "result": {}}),
            json!({"message": message}),
            json!({"slaveRequest": sent["slaveRequest"], "result": sent["result"]}),
        ] {
            must_not_fail(hook.name, &ask(trial, &hook, &payload).await?)?;
        }
    }
    Ok(Expected::nothing())
}

async fn failed_test(trial: &Trial) -> Ran {
    let hook = taken(trial, on_result()).await?;
    for result in [json!({"error": "timeout"}), json!({})] {
        let mut payload = hook.payload(&trial.event("/test"));
        payload["result"] = result;
        must_not_fail(hook.name, &ask(trial, &hook, &payload).await?)?;
    }
    Ok(Expected::nothing())
}

async fn large_task(trial: &Trial) -> Ran {
    let hook = taken(trial, on_pre_send()).await?;
    let small = trial.send(&hook, &trial.event("/test")).await?;
    let mut payload = hook.payload(&trial.event("/test"));
    let node = json!({"name": "香港", "type": "ss", "padding": "x".repeat(450)});
    payload["slaveRequest"]["proxies"] = vec![node; 1_000].into();
    must_be_alike(&hook, &small, &ask(trial, &hook, &payload).await?)?;
    Ok(Expected::nothing())
}

async fn garbage(trial: &Trial) -> Ran {
    let nested = "[".repeat(100_000);
    for hook in hooks(trial).await? {
        for body in ["", "{", "[]", "null", "7", "message=1", r#"{"message": 7}"#, &nested] {
            let response = trial.post(hook.post(Body::from(Bytes::from(body.to_owned())))).await?;
            let start: String = body.chars().take(14).collect();
            must_not_fail(&format!("{start:?}"), &response)?;
        }
    }
    Ok(Expected::nothing())
}

async fn too_large(trial: &Trial) -> Ran {
    let hook = taken(trial, on_message()).await?;
    let before = trial.send(&hook, &trial.event("/test")).await?;
    // A server may close the connection while the sender still sends.
    match trial.send(&hook, &trial.event(&"x".repeat(8 * 1024 * 1024))).await {
        Ok(response) if response.status().is_success() => return Err(fail("it is accepted")),
        Ok(response) => must_not_fail("8 MiB", &response)?,
        Err(NoResponse::Broken(_)) => {}
        Err(too_slow) => return Err(too_slow.into()),
    }
    must_be_alike(&hook, &before, &trial.send(&hook, &trial.event("/test")).await?)?;
    Ok(Expected::nothing())
}

async fn stalled(trial: &Trial) -> Ran {
    let hook = taken(trial, on_message()).await?;
    let before = trial.send(&hook, &trial.event("/test")).await?;
    let body = hook.payload(&trial.event("/test")).to_string();
    let body = Body::slow(body.into(), Duration::from_secs(3_600));
    // A response or a cut: both end it.
    match trial.post(hook.post(body)).await {
        Ok(_) | Err(NoResponse::Broken(_)) => {}
        Err(too_slow) => return Err(too_slow.into()),
    }
    must_be_alike(&hook, &before, &trial.send(&hook, &trial.event("/test")).await?)?;
    Ok(Expected::nothing())
}
