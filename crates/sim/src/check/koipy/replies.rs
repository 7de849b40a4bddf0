//! Whether replies do what they seem to.

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Response, StatusCode, header};
use tower_callback_contract::{Action, Content};

use super::{
    Ran,
    ask::{Replied, hooks, must_be_effective, no, replies},
};
use crate::{
    Body,
    check::{
        expected::Expected,
        trial::{Trial, fail},
    },
    platform::koipy::{SECRETS, is_picture},
};

pub(super) async fn refusal(trial: &Trial) -> Ran {
    let is_refusal = |reply: &Response<Bytes>| matches!(reply.status().as_u16(), 401..500);
    let replies = replies(trial).await?;
    let mut refusals = replies.iter().filter(|(_, reply)| is_refusal(reply)).peekable();
    if refusals.peek().is_none() {
        return Err(no("nobody is refused: koipybot_… is on the documents' black list"));
    }
    refusals.try_for_each(must_be_effective)?;
    Ok(Expected::nothing())
}

pub(super) async fn not_400(trial: &Trial) -> Ran {
    let replies = replies(trial).await?;
    let is_400 = |(_, reply): &&Replied| reply.status() == StatusCode::BAD_REQUEST;
    replies.iter().filter(is_400).try_for_each(must_be_effective)?;
    Ok(Expected::nothing())
}

pub(super) async fn picture(trial: &Trial) -> Ran {
    let replies = replies(trial).await?;
    let mut pictures = replies.iter().filter(|(_, reply)| is_picture(reply.body())).peekable();
    if pictures.peek().is_none() {
        return Err(no("there is no picture"));
    }
    for (hook, reply) in pictures {
        if !matches!(hook.action(reply), Action::Use(Content::Image { .. } | Content::File { .. }))
        {
            let media_type = reply.headers().get(header::CONTENT_TYPE);
            let media_type = media_type.and_then(|it| it.to_str().ok()).unwrap_or("no type");
            let status = reply.status();
            return Err(fail(format!("{}: a picture under {status}, {media_type}", hook.name)));
        }
    }
    Ok(Expected::nothing())
}

pub(super) async fn empty_200(trial: &Trial) -> Ran {
    let replies = replies(trial).await?;
    let is_empty = |(_, reply): &&Replied| reply.status() == 200 && reply.body().is_empty();
    replies.iter().filter(is_empty).try_for_each(must_be_effective)?;
    Ok(Expected::nothing())
}

pub(super) async fn in_vain(trial: &Trial) -> Ran {
    let replies = replies(trial).await?;
    let is_content = |(_, reply): &&Replied| {
        !reply.body().is_empty() && (200..400).contains(&reply.status().as_u16())
    };
    replies.iter().filter(is_content).try_for_each(must_be_effective)?;
    Ok(Expected::nothing())
}

pub(super) async fn secrets(trial: &Trial) -> Ran {
    let mut replies = replies(trial).await?;
    for hook in hooks(trial).await? {
        // A failure's own page may show what came.
        let mut cut = hook.payload(&trial.event("/test")).to_string();
        cut.pop();
        let reply = trial.post(hook.post(Body::from(Bytes::from(cut)))).await?;
        replies.push((hook, reply));
    }
    for (hook, reply) in replies {
        // A document goes to the bot, who has them.
        if matches!(hook.action(&reply), Action::Use(Content::Merge(_))) {
            continue;
        }
        let shown = String::from_utf8_lossy(reply.body());
        if let Some(secret) = SECRETS.iter().find(|secret| shown.contains(**secret)) {
            return Err(fail(format!("{}: shows {secret}", hook.name)));
        }
    }
    Ok(Expected::nothing())
}

pub(super) async fn copies(trial: &Trial) -> Ran {
    for hook in hooks(trial).await? {
        let event = trial.event("/test");
        let together = join_all((0..5).map(|_| trial.send(&hook, &event))).await;
        let mut replies = together.into_iter().collect::<Result<Vec<_>, _>>()?;
        replies.push(trial.send(&hook, &event).await?);
        let said = |reply: &Response<Bytes>| (reply.status(), reply.body().clone());
        if replies.iter().any(|reply| said(reply) != said(&replies[0])) {
            return Err(fail(format!("{}: two replies to one callback", hook.name)));
        }
    }
    Ok(Expected::nothing())
}
