use std::{fmt, mem, sync::Arc};

use bytes::Bytes;
use http::{Extensions, Response};
use http_body_util::LengthLimitError;
use tower_callback_contract::{Action, Body, Callback, Contract, Reason, Refusal};
use tower_callback_stack::{
    Buffered, Next, Received, ResponseBody, Step, collect, refuse, size_hint, whole,
};

use crate::validation::{Side, Validation, Verdict};

/// The schema layer's step.
pub struct SchemaStep<C> {
    validation: Arc<Validation<C>>,
}

impl<C> SchemaStep<C> {
    pub(crate) fn new(validation: Validation<C>) -> Self {
        Self { validation: Arc::new(validation) }
    }
}

// By hand: a derive would ask for `C: Clone`.
impl<C> Clone for SchemaStep<C> {
    fn clone(&self) -> Self {
        Self { validation: Arc::clone(&self.validation) }
    }
}

impl<C> fmt::Debug for SchemaStep<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchemaStep").finish_non_exhaustive()
    }
}

impl<C, R, E> Step<R, E> for SchemaStep<C>
where
    C: Contract,
    R: ResponseBody,
    E: Send + 'static,
{
    async fn run<N: Next<R, E>>(
        self,
        mut received: Received,
        next: N,
    ) -> Result<Response<Buffered<R>>, E> {
        let Self { validation } = self;
        if !validation.is_sampled() {
            return next.run(received).await;
        }
        match validation.settings.side {
            Side::Request => match validate_request(&validation, &mut received) {
                Ok(()) => next.run(received).await,
                Err(refusal) => Ok(refuse(&*validation.contract, refusal)),
            },
            Side::Response => {
                let callback = received.callback.clone();
                let response = next.run(received).await?;
                Ok(validate_response(&validation, &callback, response).await)
            }
        }
    }
}

fn validate_request<C: Contract>(
    validation: &Validation<C>,
    received: &mut Received,
) -> Result<(), Refusal> {
    match validation.check(&received.callback, received.callback.json()) {
        Ok(()) => Ok(()),
        Err(Verdict::Refuse(refusal)) => Err(refusal),
        Err(Verdict::Report(violations)) => {
            received.head.extensions.insert(violations);
            Ok(())
        }
    }
}

async fn validate_response<C: Contract, R: ResponseBody>(
    validation: &Validation<C>,
    callback: &Callback,
    response: Response<Buffered<R>>,
) -> Response<Buffered<R>> {
    let contract = &*validation.contract;
    match look_at(validation, callback, response).await {
        Looked::Passed(response) => response,
        Looked::Refused(refusal, known) => fall_back(contract, callback, refusal, known),
        Looked::BrokenOff => {
            let id = callback.envelope().id.as_ref().map(tracing::field::display);
            tracing::error!(contract = contract.name(), id, "handler broke off its response");
            refuse(contract, Reason::HandlerFailed.into())
        }
    }
}

/// What becomes of a response.
enum Looked<R> {
    Passed(Response<Buffered<R>>),
    /// With what the handler's response had in its extensions.
    Refused(Refusal, Extensions),
    /// Nobody knows what the rest would have said: no fallback takes its place.
    BrokenOff,
}

async fn look_at<C: Contract, R: ResponseBody>(
    validation: &Validation<C>,
    callback: &Callback,
    response: Response<Buffered<R>>,
) -> Looked<R> {
    let (limit, length) = (validation.settings.max_reply_bytes, size_hint(response.body()).exact());
    let fits = length.is_some_and(|length| length <= limit as u64);
    let (head, body) = response.into_parts();
    let head = Response::from_parts(head, Bytes::new());
    let is_unread = || fails(&validation.contract.effect(&head));
    if length == Some(0) || (!fits && (!validation.enforces() || is_unread())) {
        return Looked::Passed(head.map(|_| body));
    }
    let (mut head, _) = head.into_parts();
    let response = match collect(body, limit).await {
        Ok(body) => Response::from_parts(head, body),
        Err(error) if error.is::<LengthLimitError>() && validation.enforces() => {
            let refusal = validation.unread(callback, &Reason::BodyTooLarge);
            return Looked::Refused(refusal, mem::take(&mut head.extensions));
        }
        Err(_) => return Looked::BrokenOff,
    };
    if response.body().is_empty() || fails(&validation.contract.effect(&response)) {
        return Looked::Passed(whole(response));
    }
    let body = Body::new(response.body().clone(), callback.body().spelling());
    let mut response = whole(response);
    match validation.check(callback, body.json()) {
        Ok(()) => {}
        Err(Verdict::Refuse(refusal)) => {
            return Looked::Refused(refusal, mem::take(response.extensions_mut()));
        }
        Err(Verdict::Report(violations)) => {
            response.extensions_mut().insert(violations);
        }
    }
    Looked::Passed(response)
}

/// Whether the platform takes the response for a failure, and so does not read its body.
fn fails(action: &Action) -> bool {
    matches!(action, Action::Retry { .. } | Action::Refuse { .. })
}

fn fall_back<C: Contract, R>(
    contract: &C,
    callback: &Callback,
    refusal: Refusal,
    mut known: Extensions,
) -> Response<Buffered<R>> {
    let fallback = contract.fallback(callback);
    let mut response = fallback.unwrap_or_else(|| contract.refuse(&refusal));
    // That of the handler's response is no longer what the platform does.
    if known.remove::<Action>().is_some() {
        known.insert(contract.action(&response));
    }
    known.insert(refusal);
    response.extensions_mut().extend(known);
    whole(response)
}
