//! The fuzzer's property, without the fuzzer.

#[path = "support/property.rs"]
mod property;

use std::{fs, path::Path};

#[test]
fn it_holds_of_every_seed_of_the_fuzzer() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let mut bodies = 0;
    for folder in ["seeds", "seeds-document"] {
        let files = fs::read_dir(fuzz.join(folder)).into_iter().flatten();
        for file in files.map(|file| file.expect("a file").path()) {
            let body = fs::read(&file).expect("a file");
            assert!(std::panic::catch_unwind(|| property::holds(&body)).is_ok(), "{file:?}");
            bodies += 1;
        }
    }
    assert!(bodies > 250, "{bodies} bodies");
}
