//! The cases that ask whether responses do what they appear to do.

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Response, StatusCode, header};
use tower_callback_contract::{Action, Content};

use super::{
    Ran,
    ask::{Responded, hooks, must_be_effective, no, responses},
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
    let is_refusal = |response: &Response<Bytes>| matches!(response.status().as_u16(), 401..500);
    let responses = responses(trial).await?;
    let mut refusals = responses.iter().filter(|(_, response)| is_refusal(response)).peekable();
    if refusals.peek().is_none() {
        return Err(no("no user is refused: koipybot_… is on the blocklist of koipy's documents"));
    }
    refusals.try_for_each(must_be_effective)?;
    Ok(Expected::nothing())
}

pub(super) async fn not_400(trial: &Trial) -> Ran {
    let responses = responses(trial).await?;
    let is_400 = |(_, response): &&Responded| response.status() == StatusCode::BAD_REQUEST;
    responses.iter().filter(is_400).try_for_each(must_be_effective)?;
    Ok(Expected::nothing())
}

pub(super) async fn picture(trial: &Trial) -> Ran {
    let responses = responses(trial).await?;
    let mut pictures =
        responses.iter().filter(|(_, response)| is_picture(response.body())).peekable();
    if pictures.peek().is_none() {
        return Err(no("there is no picture"));
    }
    for (hook, response) in pictures {
        if !matches!(
            hook.action(response),
            Action::Use(Content::Image { .. } | Content::File { .. })
        ) {
            let media_type = response.headers().get(header::CONTENT_TYPE);
            let media_type = media_type.and_then(|it| it.to_str().ok()).unwrap_or("no type");
            let status = response.status();
            return Err(fail(format!("{}: a picture under {status}, {media_type}", hook.name)));
        }
    }
    Ok(Expected::nothing())
}

pub(super) async fn empty_200(trial: &Trial) -> Ran {
    let responses = responses(trial).await?;
    let is_empty =
        |(_, response): &&Responded| response.status() == 200 && response.body().is_empty();
    responses.iter().filter(is_empty).try_for_each(must_be_effective)?;
    Ok(Expected::nothing())
}

pub(super) async fn in_vain(trial: &Trial) -> Ran {
    let responses = responses(trial).await?;
    let is_content = |(_, response): &&Responded| {
        !response.body().is_empty() && (200..400).contains(&response.status().as_u16())
    };
    responses.iter().filter(is_content).try_for_each(must_be_effective)?;
    Ok(Expected::nothing())
}

pub(super) async fn secrets(trial: &Trial) -> Ran {
    let mut responses = responses(trial).await?;
    for hook in hooks(trial).await? {
        // An error page may show the payload.
        let mut cut = hook.payload(&trial.event("/test")).to_string();
        cut.pop();
        let response = trial.post(hook.post(Body::from(Bytes::from(cut)))).await?;
        responses.push((hook, response));
    }
    for (hook, response) in responses {
        // A document goes to the bot, which knows the secrets.
        if matches!(hook.action(&response), Action::Use(Content::Merge(_))) {
            continue;
        }
        let shown = String::from_utf8_lossy(response.body());
        if let Some(secret) = SECRETS.iter().find(|secret| shown.contains(**secret)) {
            return Err(fail(format!("{}: shows {secret}", hook.name)));
        }
    }
    Ok(Expected::nothing())
}

pub(super) async fn duplicates(trial: &Trial) -> Ran {
    for hook in hooks(trial).await? {
        let event = trial.event("/test");
        let together = join_all((0..5).map(|_| trial.send(&hook, &event))).await;
        let mut responses = together.into_iter().collect::<Result<Vec<_>, _>>()?;
        responses.push(trial.send(&hook, &event).await?);
        let said = |response: &Response<Bytes>| (response.status(), response.body().clone());
        if responses.iter().any(|response| said(response) != said(&responses[0])) {
            return Err(fail(format!("{}: two responses to one callback", hook.name)));
        }
    }
    Ok(Expected::nothing())
}
