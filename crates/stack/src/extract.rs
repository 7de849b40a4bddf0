use std::{any::type_name, time::Duration};

use axum::{
    RequestExt,
    extract::{FromRequest, Request},
};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use tower_callback_contract::{Body, Callback, Limits, Reason, Refusal, Spelling};

use crate::read::read;

/// Extractor of what a callback says, read into a type of yours or a platform's model. As it takes the
/// body, it must be the last argument of a handler.
///
/// Behind a layer, it reads the document that was parsed for all of them. Without one it receives
/// the body itself: within a mebibyte, or axum's `DefaultBodyLimit` if that is less, and 10 s.
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
/// use tower_callback_contract::Envelope;
/// use tower_callback_stack::Payload;
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
        extract(request, Spelling::VERBATIM, |body: &Body| body.read()).await.map(Self)
    }
}

/// Extracts what `look` makes of a callback's body: that of a layer, if it is still the same, or that
/// of the request, in a platform's `spelling`.
///
/// # Errors
/// What cannot be received, and what `look` refuses.
pub async fn extract<T>(
    request: Request,
    spelling: Spelling,
    look: impl FnOnce(&Body) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let known = request.extensions().get::<Callback>().cloned();
    let extracted = receive(request, known.as_ref()).await.and_then(|bytes| match &known {
        Some(callback) if callback.body().holds(&bytes) => look(callback.body()),
        Some(changed) => look(&Body::new(bytes, changed.body().spelling())),
        None => look(&Body::new(bytes, spelling)),
    });
    extracted.inspect_err(|refusal| tell::<T>(known.as_ref(), refusal))
}

/// The whole body. One that a layer has read is within the limits of that layer.
async fn receive(request: Request, known: Option<&Callback>) -> Result<Bytes, Refusal> {
    let Some(callback) = known else {
        let limits = Limits::new(1024 * 1024, Duration::from_secs(10));
        return read(request.into_limited_body(), limits).await;
    };
    read(request.into_body(), callback.arrival().limits).await
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
