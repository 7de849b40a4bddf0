use std::{
    fmt,
    hash::{Hash, Hasher},
};

use tower_callback_contract::keyed_hash;

/// What a store knows a callback by: its id, and everything that tells equal ids apart.
///
/// `Debug` shows only the hash, because the text may hold a secret part of the route's path.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    text: String,
    hash: u128,
}

impl Key {
    /// A key of these parts, which cannot run into each other.
    #[must_use]
    pub fn new(parts: &[&str]) -> Self {
        let len = parts.iter().map(|part| part.len() + 4).sum();
        let mut text = String::with_capacity(len);
        for part in parts {
            push_decimal(&mut text, part.len());
            text.push(':');
            text.push_str(part);
        }
        let hash = keyed_hash(text.as_str());
        Self { text, hash }
    }

    /// The parts, each behind its length. Every process makes the same text. Keep it out of logs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// A keyed hash. Every process makes another one.
    #[must_use]
    pub fn keyed_hash(&self) -> u128 {
        self.hash
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:032x})", self.hash)
    }
}

/// Each callback pays for this, and formatting takes five times as long.
fn push_decimal(text: &mut String, number: usize) {
    if number >= 10 {
        push_decimal(text, number / 10);
    }
    text.push(char::from(b"0123456789"[number % 10]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cannot_run_into_each_other() {
        assert_ne!(Key::new(&["a", "bc"]), Key::new(&["ab", "c"]));
        assert_ne!(Key::new(&["a", ""]), Key::new(&["", "a"]));
        assert_eq!(Key::new(&["a", "b"]), Key::new(&["a", "b"]));
    }

    #[test]
    fn d19_no_other_process_knows_how_keys_are_hashed() {
        let key = Key::new(&["wulai.delivery", "1"]);
        let (one, other) = (key.keyed_hash() >> 64, key.keyed_hash() & u128::from(u64::MAX));
        println!("hashes: {one:016x} {other:016x}");
        assert_ne!(one, other);
        if std::env::var_os("INNER").is_some() {
            return;
        }
        let name = "key::tests::d19_no_other_process_knows_how_keys_are_hashed";
        let inner = std::process::Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env("INNER", "1")
            .output()
            .unwrap();
        let printed = String::from_utf8(inner.stdout).unwrap();
        assert!(printed.contains("hashes: "), "{printed}");
        for hash in [one, other] {
            assert!(!printed.contains(&format!("{hash:016x}")), "{printed}");
        }
    }

    #[test]
    fn debug_shows_no_text() {
        assert!(!format!("{:?}", Key::new(&["/secret-path"])).contains("secret"));
    }
}
