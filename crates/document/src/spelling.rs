use std::fmt;

/// Tells which names are one field.
#[derive(Clone, Copy)]
pub struct Spelling {
    canonical: Option<fn(&str) -> &str>,
    is_free: Option<fn(&str) -> bool>,
}

impl Spelling {
    /// Every name is itself.
    pub const VERBATIM: Self = Self { canonical: None, is_free: None };

    /// The names that lead to one canonical name are one field. A canonical name leads to itself.
    ///
    /// ```
    /// use tower_callback_document::{Document, Spelling};
    ///
    /// fn snake_case(name: &str) -> &str {
    ///     if name == "msgId" { "msg_id" } else { name }
    /// }
    ///
    /// let body = r#"{"msgId": 17}"#;
    /// let document = Document::read(body, Spelling::new(snake_case)).unwrap();
    /// assert_eq!(document.root().field("msg_id").unwrap().unwrap().as_u64(), Some(17));
    /// ```
    #[must_use]
    pub const fn new(canonical: fn(&str) -> &str) -> Self {
        Self { canonical: Some(canonical), is_free: None }
    }

    /// Names the fields whose content is the sender's own: there, at every depth, each name is
    /// itself. The function gets canonical names. By default no field is free.
    #[must_use]
    pub const fn with_free_fields(self, is_free: fn(&str) -> bool) -> Self {
        Self { is_free: Some(is_free), ..self }
    }

    /// The canonical name of a field.
    #[must_use]
    #[inline]
    pub fn canonical<'n>(&self, name: &'n str) -> &'n str {
        match self.canonical {
            Some(canonical) => canonical(name),
            None => name,
        }
    }

    #[inline]
    pub(crate) fn has_free_fields(&self) -> bool {
        self.is_free.is_some()
    }

    /// Whether the content of the field that has this name is the sender's own.
    #[inline]
    pub(crate) fn is_free(&self, name: &str) -> bool {
        self.is_free.is_some_and(|is_free| is_free(self.canonical(name)))
    }
}

impl fmt::Debug for Spelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spelling").finish_non_exhaustive()
    }
}
