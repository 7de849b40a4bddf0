use std::{any::type_name, time::Duration};

use axum_core::{
    RequestExt,
    extract::{FromRequest, FromRequestParts, Request},
};
use http::{StatusCode, request::Parts};
use serde::de::DeserializeOwned;

use crate::{Callback, Envelope, Limits, Reason, Refusal, as_written, body, typed};

/// Extractor of what a callback says, read into a type of yours or a platform's model. As it takes the
/// body, it must be the last argument of a handler.
///
/// Behind a layer, it reads the document that was parsed for all of them. Without one it receives
/// the body itself: within a mebibyte, or axum's `DefaultBodyLimit` if that is less, and 10 s; a
/// key that stands twice is refused all the same.
///
/// Field names are those that stand in the body: where a platform has two spellings, a type of your
/// own has to name both (`#[serde(alias = …)]`); the models of a platform's crate take either.
///
/// It is rejected with a [`Refusal`]: what does not fit the type is [invalid](Reason::Invalid), and its
/// problem document names the field and what it must be, and never its value. What a type says for
/// itself, as by `Error::custom`, is sent as it is. A warning tells the log which callback did not
/// fit which type; all other rejections are logged at the level of debugging, as those of the layers.
///
/// ```
/// use tower_callback_contract::{Envelope, Payload};
///
/// #[derive(serde::Deserialize)]
/// struct Order {
///     number: u32,
/// }
///
/// async fn deliver(envelope: Envelope, Payload(order): Payload<Order>) -> String {
///     format!("{:?} orders number {}", envelope.conversation, order.number)
/// }
/// # drop(deliver);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Payload<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Payload<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let known = request.extensions().get::<Callback>().cloned();
        let read = received(request).await.and_then(|callback| typed::read(callback.json()?));
        read.map(Self).inspect_err(|refusal| tell::<T>(known.as_ref(), refusal))
    }
}

/// Nothing of the refusal but its reason: fields may be named by the sender.
fn tell<T>(callback: Option<&Callback>, refusal: &Refusal) {
    let id = callback.and_then(|callback| callback.envelope().id.as_ref());
    let id = id.map(tracing::field::display);
    match refusal.reason() {
        Reason::Invalid(_) => {
            let expected = type_name::<T>();
            tracing::warn!(id, expected, "a callback does not fit its handler's type");
        }
        reason => tracing::debug!(id, reason = reason.code(), "callback refused"),
    }
}

/// The callback of a layer, if its body is still the same; a new one otherwise.
async fn received(request: Request) -> Result<Callback, Refusal> {
    let Some(known) = request.extensions().get::<Callback>().cloned() else {
        let limits = Limits { bytes: 1024 * 1024, deadline: Duration::from_secs(10) };
        let whole = body::read(request.into_limited_body(), limits).await?;
        return Ok(Callback::new(whole, as_written));
    };
    // It has been read before, within the limits of whoever did so.
    let limits = Limits { bytes: usize::MAX, deadline: Duration::from_secs(10) };
    let whole = body::read(request.into_body(), known.limits().unwrap_or(limits)).await?;
    Ok(if known.holds(&whole) { known } else { Callback::new(whole, known.spelling()) })
}

/// Rejects with 500 where no layer received the callback.
impl<S: Sync> FromRequestParts<S> for Envelope {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let callback = parts.extensions.get::<Callback>();
        callback.map(|callback| callback.envelope().clone()).ok_or((
            StatusCode::INTERNAL_SERVER_ERROR,
            "no `Envelope`: the route has no layer that receives callbacks, or was not called by POST",
        ))
    }
}
