use std::future::Future;

use http::Response;

use crate::{Buffered, Received};

/// One layer's part of the way. Cheap to clone: an `Arc` of what its services share.
///
/// `R` is the body of the handler's responses, `E` the error of its service.
pub trait Step<R, E>: Clone + Send + Sync + 'static {
    /// Decides what becomes of a callback: hands it on to `next`, now or later, or answers instead.
    fn run<N: Next<R, E>>(
        self,
        received: Received,
        next: N,
    ) -> impl Future<Output = Result<Response<Buffered<R>>, E>> + Send;
}

/// The rest of the way, as a step sees it.
pub trait Next<R, E>: Send + 'static {
    /// Goes on to the handler.
    fn run(
        self,
        received: Received,
    ) -> impl Future<Output = Result<Response<Buffered<R>>, E>> + Send + 'static;
}

/// A step, and what comes after it.
struct Then<A, N> {
    step: A,
    next: N,
}

impl<R, E, A, N> Next<R, E> for Then<A, N>
where
    A: Step<R, E>,
    N: Next<R, E>,
    R: 'static,
    E: 'static,
{
    fn run(
        self,
        received: Received,
    ) -> impl Future<Output = Result<Response<Buffered<R>>, E>> + Send + 'static {
        self.step.run(received, self.next)
    }
}

/// No step.
impl<R: 'static, E: 'static> Step<R, E> for () {
    fn run<N: Next<R, E>>(
        self,
        received: Received,
        next: N,
    ) -> impl Future<Output = Result<Response<Buffered<R>>, E>> + Send {
        next.run(received)
    }
}

/// The first, and the second inside it.
impl<R, E, A, Z> Step<R, E> for (A, Z)
where
    A: Step<R, E>,
    Z: Step<R, E>,
    R: 'static,
    E: 'static,
{
    fn run<N: Next<R, E>>(
        self,
        received: Received,
        next: N,
    ) -> impl Future<Output = Result<Response<Buffered<R>>, E>> + Send {
        let (outer, step) = self;
        outer.run(received, Then { step, next })
    }
}

/// A step that may be absent.
impl<R, E, A> Step<R, E> for Option<A>
where
    A: Step<R, E>,
    R: 'static,
    E: 'static,
{
    async fn run<N: Next<R, E>>(
        self,
        received: Received,
        next: N,
    ) -> Result<Response<Buffered<R>>, E> {
        match self {
            Some(step) => step.run(received, next).await,
            None => next.run(received).await,
        }
    }
}
