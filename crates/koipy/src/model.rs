//! What koipy sends, typed.
//!
//! Read from a [`Callback`](tower_callback_contract::Callback) by `TryFrom`. Everything may be
//! absent, because the bot leaves out what is null; what is there has to be of its type. Fields
//! that are not known are kept in `other`, under their documented names.
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
