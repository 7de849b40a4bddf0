use bytes::Bytes;
use http::Response;
use tower_callback_contract::{Action, Content};

use crate::wire::{self, TextType};

/// The response to a hook, by what koipy does on it.
///
/// With the feature `axum`, a handler can return it; elsewhere `From` makes it a [`Response`]. Its
/// [`Action`] is in the response's extensions, where the action layer finds it.
///
/// ```
/// use http::Response;
/// use bytes::Bytes;
/// use tower_callback_koipy::Reply;
///
/// let refused: Response<Bytes> = Reply::refuse("你已被拉黑").into();
/// assert_eq!(refused.status(), 403);
/// let named: Response<Bytes> = Reply::file("结果.txt", "…").into();
/// assert_eq!(
///     named.headers()["content-disposition"],
///     "attachment; filename=\"__.txt\"; filename*=UTF-8''%E7%BB%93%E6%9E%9C.txt",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a reply does nothing until it is returned"]
pub struct Reply(Action);

/// The bytes are neither a PNG nor a JPEG.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a photo has to be a PNG or a JPEG")]
#[non_exhaustive]
pub struct NotAPhoto;

impl Reply {
    /// The task goes on.
    pub fn proceed() -> Self {
        Self(Action::Accept)
    }

    /// The task is refused, and the user sees the text.
    pub fn refuse(text: impl Into<String>) -> Self {
        Self(Action::Refuse { text: text.into() })
    }

    /// The task goes on, and the user gets the text, if it is not empty.
    pub fn text(text: impl Into<String>) -> Self {
        Self::using(Content::Text(text.into()))
    }

    /// The task goes on, and the user gets the picture. Its first bytes tell its media type.
    ///
    /// # Errors
    /// If it is neither a PNG nor a JPEG.
    pub fn photo(bytes: impl Into<Bytes>) -> Result<Self, NotAPhoto> {
        let bytes = bytes.into();
        let media_type = match &bytes[..] {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => "image/png",
            [0xFF, 0xD8, 0xFF, ..] => "image/jpeg",
            _ => return Err(NotAPhoto),
        };
        Ok(Self::using(Content::Image { media_type: media_type.to_owned(), bytes }))
    }

    /// The task goes on, and the user gets the file, if it is not empty. Of a path, the last part is the
    /// name.
    pub fn file(name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self::using(Content::File { name: Some(name.into()), bytes: bytes.into() })
    }

    pub(crate) fn merge(document: impl Into<Bytes>) -> Self {
        Self::using(Content::Merge(document.into()))
    }

    /// What koipy does on it.
    #[must_use]
    pub fn action(&self) -> &Action {
        &self.0
    }

    /// Content as koipy would use it, so that `action` says what happens.
    fn using(content: Content) -> Self {
        let wire = wire::reply(&Action::Use(content), TextType::TextPlain);
        Self(wire::action(&wire))
    }
}

impl<B: From<Bytes>> From<Reply> for Response<B> {
    fn from(Reply(action): Reply) -> Self {
        let mut response = wire::reply(&action, TextType::TextPlain).map(B::from);
        response.extensions_mut().insert(action);
        response
    }
}

#[cfg(feature = "axum")]
impl axum_core::response::IntoResponse for Reply {
    fn into_response(self) -> axum_core::response::Response {
        self.into()
    }
}
