//! Reads a JSON body once, strictly, for all that a callback's layers, models and handlers ask of it.
//!
//! A [`Document`] knows where in the body each value stands. It takes 8 or 16 bytes for a value and
//! copies no text but one with escapes. From it come:
//!
//! * values to look at, as a [`serde_json::Value`] has them ([`ValueRef`]),
//! * any type that `serde_json` reads ([`ValueRef::read`]), borrowed texts and raw values included,
//! * fields by name in whichever spelling they stand ([`ValueRef::field`]), and by [`Pointer`],
//! * equality as JSON Schema has it, and a digest that tells what was said, not how it was written.
//!
//! ```
//! use serde::Deserialize;
//! use tower_callback_document::{Document, Spelling};
//!
//! fn snake_case(name: &str) -> &str {
//!     match name {
//!         "msgId" => "msg_id",
//!         other => other,
//!     }
//! }
//!
//! #[derive(Deserialize)]
//! struct Text<'a> {
//!     content: &'a str,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let body = r#"{"msgId": 1.7e1, "text": {"content": "hello"}}"#;
//! let document = Document::read(body, Spelling::new(snake_case))?;
//! let root = document.root();
//!
//! let id = root.field("msg_id")?.expect("it has an id");
//! assert_eq!(id.as_integer(), Some(17));
//!
//! let text: Text<'_> = root.get("text").expect("it has a text").read()?;
//! assert_eq!(text.content, "hello");
//!
//! let again = Document::read(r#"{"text": {"content": "hello"}, "msg_id": "17"}"#, Spelling::VERBATIM)?;
//! assert_eq!(again.root().digest(&[]), root.digest(&[]));
//!
//! let error = Document::read(r#"{"msgId": 17, "msg_id": 18}"#, document.spelling()).unwrap_err();
//! assert_eq!(error.to_string(), "field `msg_id` has two spellings with different values");
//! assert_eq!((error.line(), error.column()), (1, 15));
//! # Ok(())
//! # }
//! ```
//!
//! # What happens when …
//!
//! | | |
//! |---|---|
//! | the body is not JSON in UTF-8, or nested more than 127 deep | it is refused with the position, as by `serde_json` |
//! | a number is out of every float's range | it is refused, even with `serde_json`'s feature `arbitrary_precision` |
//! | a key stands twice in one object | the last one counts, everywhere; [`ValueRef::field`] refuses it |
//! | a field stands in two spellings with different values | the body is refused, unless a field around it is [free](Spelling::with_free_fields) |
//! | a value does not fit a type | [`Mismatch`] names the place and what belongs there, never what was found |
//! | a struct stands as an array | it does not fit, where `serde_json` would take it |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod access;
mod de;
mod digest;
mod document;
mod equal;
mod error;
mod fault;
mod items;
mod key;
mod lexer;
mod mismatch;
mod names;
mod number;
mod pointer;
mod reader;
mod spelling;
mod tape;
mod value;
mod visit;
mod worth;

pub use self::{
    document::Document,
    error::{Ambiguous, ReadError, ReadErrorKind},
    items::{Fields, Items},
    mismatch::Mismatch,
    pointer::{Pointer, PointerError},
    spelling::Spelling,
    value::ValueRef,
};
