//! A column of our own: how good a node is.

use tower_callback::koipy::model::TestResult;

/// The name of the column.
pub(crate) const COLUMN: &str = "评级";

/// A grade for every node, by its delay in milliseconds and its speed in bytes per second, if they were
/// measured.
pub(crate) fn grades(result: &TestResult) -> Vec<&'static str> {
    let number = |column: &str, row: usize| result.column(column)?.get(row)?.as_f64();
    let delay = |row| number("HTTPS延迟", row).or_else(|| number("HTTP延迟", row));
    let rows = 0..result.rows().unwrap_or(0);
    rows.map(|row| grade(delay(row), number("平均速度", row))).collect()
}

fn grade(delay: Option<f64>, speed: Option<f64>) -> &'static str {
    const MIB: f64 = 1024.0 * 1024.0;
    match (delay, speed) {
        (None, None) => "未测",
        (Some(delay), _) if delay <= 0.0 => "不可用",
        (_, Some(speed)) if speed <= 0.0 => "不可用",
        (delay, speed) => {
            let is_quick = delay.is_none_or(|delay| delay <= 100.0);
            let is_fast = speed.is_none_or(|speed| speed >= 10.0 * MIB);
            match (is_quick, is_fast) {
                (true, true) => "优",
                (false, false) => "中",
                _ => "良",
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_node_has_a_grade() {
        let Value::Object(fields) = json!({
            "节点名称": ["a", "b", "c", "d", "e"],
            "HTTPS延迟": [80, 0, 320, 80, null],
            "平均速度": [52_428_800.5, 0, 1_048_576, 1, "odd"],
        }) else {
            unreachable!()
        };
        assert_eq!(grades(&fields.into()), ["优", "不可用", "中", "良", "未测"]);
        assert!(grades(&TestResult::default()).is_empty());
    }
}
