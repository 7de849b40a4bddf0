use tower_callback_contract::{Body, Pointer};

/// Tells the body of one callback from that of another: the [digest](Body::digest) of what it says,
/// without the fields that change from one delivery to the next.
///
/// It finds accidental differences. It is not collision-resistant: a sender can craft two bodies
/// with one fingerprint, which gains no more than sending the first one again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    pub(crate) fn of(body: &Body, ignored: &[Pointer]) -> Self {
        Self(body.digest(ignored))
    }
}

/// Whether two bodies say different things, as far as both were looked at.
pub(crate) fn differ(one: Option<Fingerprint>, other: Option<Fingerprint>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one != other)
}

#[cfg(test)]
mod tests {
    use tower_callback_contract::Spelling;

    use super::*;

    fn fingerprint(body: &str, ignored: &[&str]) -> Fingerprint {
        let spelling = Spelling::new(|name| if name == "msgId" { "msg_id" } else { name });
        let ignored: Vec<_> =
            ignored.iter().map(|pointer| Pointer::parse(pointer).unwrap()).collect();
        Fingerprint::of(&Body::new(body.to_owned(), spelling), &ignored)
    }

    #[test]
    fn ignored_fields_make_no_difference() {
        let ignored = ["/seen", "/a/0/t", "/b/1", "/x~1y", "/none/of/these"];
        let one = fingerprint(r#"{"seen":1,"a":[{"t":1,"u":1}],"b":[1,2],"x/y":1}"#, &ignored);
        assert_eq!(fingerprint(r#"{"a":[{"t":2,"u":1}],"b":[1,3]}"#, &ignored), one);
        assert_ne!(fingerprint(r#"{"a":[{"t":2,"u":2}],"b":[1,3]}"#, &ignored), one);
        assert_ne!(fingerprint(r#"{"a":[{"u":1},{"t":1}],"b":[1,3]}"#, &ignored), one);
        assert_ne!(fingerprint(r#"{"a":[{"t":2,"u":1}],"b":[1]}"#, &ignored), one);
    }

    #[test]
    fn k03_a_star_stands_for_each_item_of_a_list() {
        let of = |body| fingerprint(body, &["/events/*/seen", "/tags/*", "/*"]);
        let one = of(r#"{"events":[{"id":1,"seen":1},{"id":2,"seen":1}],"tags":["a","b"],"*":1}"#);
        assert_eq!(of(r#"{"events":[{"id":1,"seen":2},{"id":2}],"tags":["c",1]}"#), one);
        assert_ne!(of(r#"{"events":[{"id":1},{"id":3}],"tags":["a","b"]}"#), one);
        assert_ne!(of(r#"{"events":[{"id":1},{"id":2}],"tags":["a"]}"#), one);
    }

    #[test]
    fn an_ignored_field_is_meant_in_every_spelling() {
        let one = fingerprint(r#"{"msgId":"1"}"#, &["/msg_id"]);
        assert_eq!(fingerprint(r#"{"msg_id":"2"}"#, &["/msgId"]), one);
        assert_ne!(fingerprint(r#"{"msg_id":"2"}"#, &[]), one);
    }

    #[test]
    fn a_body_that_is_not_json_counts_by_its_bytes() {
        assert_eq!(fingerprint("<xml>", &["/a"]), fingerprint("<xml>", &[]));
        assert_ne!(fingerprint("<xml>", &[]), fingerprint("<xml >", &[]));
    }
}
