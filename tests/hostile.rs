//! Hostile and broken bodies.

use std::{fs, path::Path};

use tower_callback_tests::{DELIVERY, ERROR, ROUTE, answer};

/// The codes of the three routes.
const MALFORMED: [Option<&str>; 3] = [Some("malformed"); 3];
const AMBIGUOUS: [Option<&str>; 3] = [Some("ambiguous"); 3];
const INVALID: Option<&str> = Some("invalid");

#[test]
fn each_payload_is_accepted_by_its_route() {
    assert_eq!(answer(DELIVERY.as_bytes())[0], None);
    assert_eq!(answer(ROUTE.as_bytes())[1], None);
    assert_eq!(answer(ERROR.as_bytes())[2], None);
}

#[test]
fn r03_a_body_that_is_not_json_is_malformed() {
    let utf_16 = |order: fn(u16) -> [u8; 2]| DELIVERY.encode_utf16().flat_map(order).collect();
    let bodies: [Vec<u8>; 18] = [
        b"".into(),
        b"user_id=anna".into(),
        b"<xml/>".into(),
        b"{".into(),
        b"{\"user_id\":\"anna\"".into(),
        b"{\"user_id\":\"\\ud83d\"}".into(),
        b"{\"user_id\":\"\\udce6\\ud83d\"}".into(),
        b"{\"user_id\":\"\xf0\x9f\x93\"}".into(),
        b"{\"user_id\":\"\xed\xa0\xbd\"}".into(),
        b"{\"user_id\":\"\xc4\xe3\xba\xc3\"}".into(),
        b"{\"user_id\":\"a\0b\"}".into(),
        b"{\"user_id\":NaN}".into(),
        b"{'user_id':'anna'}".into(),
        [b"\xef\xbb\xbf", DELIVERY.as_bytes()].concat(),
        utf_16(u16::to_le_bytes),
        utf_16(u16::to_be_bytes),
        [b"\xff\xfe".to_vec(), utf_16(u16::to_le_bytes)].concat(),
        [DELIVERY.as_bytes(), b"{}"].concat(),
    ];
    for body in bodies {
        assert_eq!(answer(&body), MALFORMED, "{}", String::from_utf8_lossy(&body));
    }
}

#[test]
fn r03_ten_thousand_levels_are_refused() {
    for (open, close) in [("[", "]"), ("{\"msg_body\":", "}"), ("[{\"a\":", "}]")] {
        for levels in [129, 10_000] {
            let nested = format!("{}1{}", open.repeat(levels), close.repeat(levels));
            assert_eq!(answer(nested.as_bytes()), MALFORMED, "{levels} of {open}");
            assert_eq!(answer(open.repeat(levels).as_bytes()), MALFORMED);
            let beside = DELIVERY.replacen('{', &format!("{{\"x\":{nested},"), 1);
            assert_eq!(answer(beside.as_bytes()), MALFORMED);
        }
    }
    // As deep as allowed.
    let deep = format!("{}1{}", "[".repeat(126), "]".repeat(126));
    let beside = DELIVERY.replacen('{', &format!("{{\"x\":{deep},"), 1);
    assert_eq!(answer(beside.as_bytes())[0], None);
}

#[test]
fn r03_a_mebibyte_of_anything_gets_a_response() {
    let fill = |item: &str, frame: &str| {
        let items = (1024 * 1024 - frame.len()) / (item.len() + 1);
        frame.replace('@', &vec![item; items].join(","))
    };
    for item in ["0", "[]", "{}", "null", r#""""#, "[[[[[[[[]]]]]]]]", r#"{"a":{"a":1}}"#] {
        assert_eq!(answer(fill(item, "[@]").as_bytes()), MALFORMED, "{item}");
        for name in ["quick_reply", "suggested_response"] {
            let body = fill(item, &format!(r#"{{"{name}":[@]}}"#));
            let [delivery, route, _] = answer(body.as_bytes());
            assert_eq!((delivery, route), (INVALID, INVALID), "{name} of {item}");
        }
    }
    let item = r#"{"response":[{"msg_body":{"text":{},"event":1}}]}"#;
    assert_eq!(answer(fill(item, r#"{"suggested_response":[@]}"#).as_bytes())[1], INVALID);
}

#[test]
fn r04_what_identifies_stands_once_and_elsewhere_the_last_counts() {
    const DELIVERED: [Option<&str>; 3] = [None, INVALID, None];
    for (field, codes) in [
        (r#""user_id":"anna""#, AMBIGUOUS),
        (r#""userId":"somebody else""#, AMBIGUOUS),
        (r#""user\u005fid":"anna""#, AMBIGUOUS),
        (r#""x":{"msgId":"1","msg_id":1}"#, AMBIGUOUS),
        (r#""userId":"oZ8_anna""#, DELIVERED),
        (r#""x":{"a":1,"a":2}"#, DELIVERED),
        (r#""extra":17"#, DELIVERED),
    ] {
        let body = DELIVERY.replacen('{', &format!("{{{field},"), 1);
        assert_eq!(answer(body.as_bytes()), codes, "{field}");
    }
}

#[test]
fn numbers_of_any_size_get_a_response() {
    for number in
        ["1e400", "-1e400", "1e308", "99999999999999999999", "-0", "1E-400", "0.1e1", "17.0"]
    {
        for name in ["msg_id", "msg_ts", "user_id", "enable_evaluate", "x"] {
            let frame = format!("{{\"{name}\":{number},\"msg_body\":{{}}}}");
            let all =
                [("msg_id", "\"17\""), ("msg_ts", "\"1700000000000\""), ("user_id", "\"anna\"")];
            let body = all.iter().filter(|(other, _)| *other != name).fold(frame, |body, field| {
                body.replacen('{', &format!("{{\"{}\":{},", field.0, field.1), 1)
            });
            let codes = answer(body.as_bytes());
            let is_malformed = number.contains("1e400");
            assert_eq!(codes == MALFORMED, is_malformed, "{name} {number}: {codes:?}");
        }
    }
}

/// The seeds of the fuzzer, without the fuzzer.
#[test]
fn every_seed_of_the_fuzzer_gets_a_response() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
    let seeds: Vec<_> =
        fs::read_dir(seeds).expect("seeds").map(|seed| seed.unwrap().path()).collect();
    assert!(seeds.len() > 30, "{} seeds", seeds.len());
    for seed in seeds {
        let body = fs::read(&seed).expect("a file");
        let codes = answer(&body);
        // A seed is named after the route that accepts it, or after its fault.
        let name = seed.file_name().and_then(|name| name.to_str()).expect("a name");
        let expected = match name.split('-').next() {
            Some("delivery") => codes[0].is_none(),
            Some("route") => codes[1].is_none(),
            Some("error") => codes[2].is_none(),
            Some(code) => codes.contains(&Some(code)),
            None => false,
        };
        assert!(expected, "{name}: {codes:?}");
    }
}
