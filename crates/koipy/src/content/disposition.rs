use encoding_rs::Encoding;
use http::{HeaderMap, HeaderValue, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::params::Params;

/// What RFC 8187 lets stand in an extended value besides letters and digits.
const NOT_IN_EXTENDED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// Whether a body is meant to be saved as a file: `Content-Disposition: attachment`.
pub(crate) fn is_attachment(headers: &HeaderMap) -> bool {
    let params = Params::of(headers, &header::CONTENT_DISPOSITION);
    params.is_some_and(|params| params.main == "attachment")
}

/// The file name that a response gives its body, by `Content-Disposition`: that of `filename*` (RFC
/// 8187) rather than that of `filename`.
///
/// A name is never a path: everything up to the last slash or backslash is dropped, and so are control
/// characters. `None` if nothing is left.
pub(crate) fn file_name(headers: &HeaderMap) -> Option<String> {
    let params = Params::of(headers, &header::CONTENT_DISPOSITION)?;
    let extended = params.get("filename*").and_then(extended);
    let extended = extended.and_then(|name| without_path(&name));
    extended.or_else(|| without_path(params.get("filename")?))
}

/// The `Content-Disposition` of a file, with its name cut as in [`file_name`]. A name beyond ASCII is
/// written both ways, for old readers and new ones.
pub(crate) fn attachment(name: Option<&str>) -> HeaderValue {
    let Some(name) = name.and_then(without_path) else {
        return HeaderValue::from_static("attachment");
    };
    let ascii = |c: char| if c.is_ascii() { c } else { '_' };
    let mut value = String::from("attachment; filename=\"");
    for character in name.chars().map(ascii) {
        if character == '"' {
            value.push('\\');
        }
        value.push(character);
    }
    value.push('"');
    if !name.is_ascii() {
        value.push_str("; filename*=UTF-8''");
        value.extend(utf8_percent_encode(&name, NOT_IN_EXTENDED));
    }
    // It is ASCII without control characters.
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"))
}

/// `charset'language'percent-encoded`.
fn extended(value: &str) -> Option<String> {
    let mut parts = value.splitn(3, '\'');
    let (charset, _language, name) = (parts.next()?, parts.next()?, parts.next()?);
    let encoding = Encoding::for_label(charset.trim().as_bytes())?;
    let bytes: Vec<u8> = percent_decode_str(name).collect();
    let (name, broken) = encoding.decode_without_bom_handling(&bytes);
    (!broken).then(|| name.into_owned())
}

fn without_path(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next()?;
    let name: String = last.chars().filter(|character| !character.is_control()).collect();
    let name = name.trim();
    (!matches!(name, "" | "." | "..")).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(disposition: &[u8]) -> HeaderMap {
        let value = HeaderValue::from_bytes(disposition).unwrap();
        HeaderMap::from_iter([(header::CONTENT_DISPOSITION, value)])
    }

    fn read(disposition: &str) -> Option<String> {
        file_name(&headers(disposition.as_bytes()))
    }

    #[test]
    fn names_are_read_as_they_are_written_in_the_field() {
        for (disposition, expected) in [
            (r#"attachment; filename="test.jpg""#, Some("test.jpg")),
            ("attachment; filename=test.jpg", Some("test.jpg")),
            (r#"inline; FILENAME="test.jpg""#, Some("test.jpg")),
            (r#"attachment; filename="a;b.txt""#, Some("a;b.txt")),
            (r#"attachment; filename="say \"hi\".txt""#, Some("say \"hi\".txt")),
            (r#"attachment; filename="结果.txt""#, Some("结果.txt")),
            ("attachment; filename*=UTF-8''%E7%BB%93%E6%9E%9C.txt", Some("结果.txt")),
            ("attachment; filename=\"_.txt\"; filename*=utf-8'zh'%e7%bb%93.txt", Some("结.txt")),
            ("attachment; filename*=iso-8859-1''%A3.txt", Some("£.txt")),
            ("attachment; filename*=gbk''%C4%E3.txt", Some("你.txt")),
            // A name that cannot be read falls back on one that can.
            ("attachment; filename=\"a.txt\"; filename*=UTF-8''%FF", Some("a.txt")),
            ("attachment; filename=\"a.txt\"; filename*=klingon''b", Some("a.txt")),
            ("attachment; filename=\"a.txt\"; filename*=b", Some("a.txt")),
            ("attachment", None),
            ("", None),
            ("attachment; filename=\"\"", None),
        ] {
            assert_eq!(read(disposition).as_deref(), expected, "{disposition}");
        }
        let latin = headers(b"attachment; filename=\"\xa3.txt\"");
        assert_eq!(file_name(&latin).as_deref(), Some("£.txt"));
        assert_eq!(file_name(&HeaderMap::new()), None);
    }

    #[test]
    fn a_name_is_never_a_path() {
        for (disposition, expected) in [
            (r#"attachment; filename="../../etc/passwd""#, Some("passwd")),
            (r#"attachment; filename="C:\dir\a.txt""#, Some("a.txt")),
            ("attachment; filename*=UTF-8''..%2F..%2Fpasswd", Some("passwd")),
            ("attachment; filename*=UTF-8''a%00b%0d%0a.txt", Some("ab.txt")),
            (r#"attachment; filename="dir/""#, None),
            (r#"attachment; filename=".""#, None),
            (r#"attachment; filename=" .. ""#, None),
        ] {
            assert_eq!(read(disposition).as_deref(), expected, "{disposition}");
        }
    }

    #[test]
    fn only_an_attachment_is_one() {
        for (disposition, expected) in
            [("attachment", true), ("ATTACHMENT; filename=a", true), ("inline; filename=a", false)]
        {
            assert_eq!(is_attachment(&headers(disposition.as_bytes())), expected);
        }
        assert!(!is_attachment(&HeaderMap::new()));
    }

    proptest! {
        #[test]
        fn a_name_that_is_written_is_read_again(name in "\\PC{0,40}|[\\\\/\"%';a. \\u{0}-\\u{1f}]{0,20}") {
            let written = HeaderMap::from_iter([(
                header::CONTENT_DISPOSITION,
                attachment(Some(&name)),
            )]);
            prop_assert_eq!(file_name(&written), without_path(&name));
            prop_assert!(is_attachment(&written));
        }

        #[test]
        fn bytes_of_any_kind_make_a_name_or_none(value: Vec<u8>) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                let headers = HeaderMap::from_iter([(header::CONTENT_DISPOSITION, value)]);
                if let Some(name) = file_name(&headers) {
                    prop_assert_eq!(without_path(&name), Some(name));
                }
            }
        }
    }
}
