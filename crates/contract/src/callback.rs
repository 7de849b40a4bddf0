use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::request;
use serde::Deserialize;
use tokio::time::Instant;

use crate::{Body, Contract, Envelope, Refusal, ValueRef};

/// One request of a platform, read once: lives in the request's extensions and is cheap to clone.
///
/// With the feature `axum` a handler takes it as an argument; what it says, read into a type, as
/// `Payload<T>`.
///
/// `Debug` shows its envelope and nothing else of the payload.
#[derive(Clone)]
pub struct Callback {
    inner: Arc<Inner>,
}

struct Inner {
    body: Body,
    envelope: Envelope,
    arrival: Arrival,
}

/// How a callback came to be, so that an inner layer knows whether it may take it over.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    pub contract: &'static str,
    pub limits: Limits,
    pub at: Instant,
}

/// How much a layer reads of a body, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest body in bytes. Default: 1 MiB.
    pub max_body_bytes: usize,
    /// How long the whole body may take to arrive. Default: the contract's
    /// [reply deadline](crate::Timing::reply_deadline).
    pub read_deadline: Duration,
}

impl Callback {
    /// A callback as a layer would receive it now: `bytes` is the whole body of the request with
    /// this head. For tests of contracts and models.
    ///
    /// # Errors
    /// What the contract refuses to [identify](Contract::identify).
    pub fn receive<C: Contract + ?Sized>(
        contract: &C,
        head: &request::Parts,
        bytes: impl Into<Bytes>,
    ) -> Result<Self, Refusal> {
        let (limits, at) = (Limits::of(contract), Instant::now());
        Self::arrived(
            contract,
            head,
            bytes.into(),
            Arrival { contract: contract.name(), limits, at },
        )
    }

    #[doc(hidden)]
    pub fn arrived<C: Contract + ?Sized>(
        contract: &C,
        head: &request::Parts,
        bytes: Bytes,
        arrival: Arrival,
    ) -> Result<Self, Refusal> {
        let body = Body::new(bytes, contract.spelling());
        let envelope = contract.identify(head, &body)?;
        Ok(Self { inner: Arc::new(Inner { body, envelope, arrival }) })
    }

    /// Its body: the bytes, and what they say.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.inner.body
    }

    /// Who the callback is.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.inner.envelope
    }

    /// The body as JSON: see [`Body::json`].
    ///
    /// # Errors
    /// Those of [`Body::json`].
    pub fn json(&self) -> Result<ValueRef<'_>, Refusal> {
        self.inner.body.json()
    }

    /// A field of the body's object by its canonical name: see [`Body::field`].
    ///
    /// # Errors
    /// Those of [`Body::field`].
    pub fn field(&self, name: &str) -> Result<Option<ValueRef<'_>>, Refusal> {
        self.inner.body.field(name)
    }

    /// Reads the body into a type: see [`Body::read`].
    ///
    /// # Errors
    /// Those of [`Body::read`].
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Refusal> {
        self.inner.body.read()
    }

    /// How long ago its first layer saw it.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.inner.arrival.at.elapsed()
    }

    #[doc(hidden)]
    #[must_use]
    pub fn arrival(&self) -> Arrival {
        self.inner.arrival
    }

    /// Whether both are one and the same.
    #[doc(hidden)]
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback")
            .field("bytes", &self.inner.body.bytes().len())
            .field("envelope", self.envelope())
            .finish_non_exhaustive()
    }
}

impl Limits {
    /// Limits on the size of a body and on the time it takes to arrive.
    #[must_use]
    pub const fn new(max_body_bytes: usize, read_deadline: Duration) -> Self {
        Self { max_body_bytes, read_deadline }
    }

    /// The default limits for a contract.
    #[must_use]
    pub fn of<C: Contract + ?Sized>(contract: &C) -> Self {
        Self { max_body_bytes: 1024 * 1024, read_deadline: contract.timing().reply_deadline() }
    }
}
