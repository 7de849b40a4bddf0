//! What koipy sends, typed.
//!
//! `TryFrom` reads a [`HookRequest`] from a [`Body`](tower_callback_contract::Body) or
//! a [`Callback`](tower_callback_contract::Callback); with the feature `axum` it is an extractor.
//! Every field may be absent, because the bot leaves out null; a field that is there must be of its
//! type. Unknown fields are kept in `other`, under their documented names.
//!
//! `Debug` hides what must not get into a log: see [`Secret`](crate::Secret).

mod hook_request;
mod message;
mod read;
mod request;
mod result;

pub use self::{
    hook_request::{HookRequest, Unknown},
    message::{Chat, Message, User},
    request::{Item, Slave, SlaveRequest, Task},
    result::TestResult,
};
