use std::{borrow::Cow, fmt, sync::Arc};

use http::request;

use crate::Envelope;

/// What tells equal ids, and equal conversations, apart, besides the platform and the kind of
/// callback: by default the route.
///
/// Dedup asks it for the key of a callback, and order for the lane of its conversation.
#[derive(Clone, Default)]
pub struct Scope(Option<Arc<ScopeOf>>);

type ScopeOf = dyn Fn(&request::Parts, &Envelope) -> String + Send + Sync;

impl Scope {
    /// The [route](route) that a callback was sent to. This is the default.
    #[must_use]
    pub fn route() -> Self {
        Self::default()
    }

    /// What this function makes of a callback's head and envelope. Callbacks for which it returns one
    /// text share a scope.
    ///
    /// ```
    /// use tower_callback_contract::{Scope, route};
    ///
    /// // Two bots behind one path, told apart by the query.
    /// let by_bot = Scope::by(|head, _| {
    ///     format!("{}?{}", route(head), head.uri.query().unwrap_or_default())
    /// });
    /// // A fallback URL that counts as the same route.
    /// let one_for_all = Scope::by(|_, _| String::new());
    /// # drop((by_bot, one_for_all));
    /// ```
    pub fn by(
        scope_of: impl Fn(&request::Parts, &Envelope) -> String + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(scope_of)))
    }

    /// The scope of a callback.
    #[must_use]
    pub fn of<'a>(&self, head: &'a request::Parts, envelope: &Envelope) -> Cow<'a, str> {
        match &self.0 {
            Some(scope_of) => scope_of(head, envelope).into(),
            None => route(head).into(),
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Scope(..)" } else { "Scope(route)" })
    }
}

/// The path that a callback was sent to. Routers nested in axum hide its first part from a layer,
/// which the feature `axum` brings to light again.
#[must_use]
pub fn route(head: &request::Parts) -> &str {
    #[cfg(feature = "axum")]
    if let Some(original) = head.extensions.get::<axum::extract::OriginalUri>() {
        return original.0.path();
    }
    head.uri.path()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(uri: &str) -> request::Parts {
        http::Request::post(uri).body(()).unwrap().into_parts().0
    }

    #[test]
    fn k01_the_default_scope_is_the_route_without_its_query() {
        let (scope, nobody) = (Scope::route(), Envelope::default());
        assert_eq!(scope.of(&head("/a/message?bot=1"), &nobody), "/a/message");
        assert_eq!(scope.of(&head("http://host/a/message"), &nobody), "/a/message");
    }

    #[test]
    fn k01_a_scope_of_ones_own_sees_head_and_envelope() {
        let scope = Scope::by(|head, envelope| {
            let user = envelope.conversation.as_deref().unwrap_or("nobody");
            format!("{} {user}", head.uri.query().unwrap_or_default())
        });
        let anna = Envelope::default().conversation("anna".to_owned());
        assert_eq!(scope.of(&head("/?bot=1"), &anna), "bot=1 anna");
    }
}
