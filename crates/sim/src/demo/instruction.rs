use std::time::Duration;

use tower_callback_contract::Body;

use crate::platform::INSTRUCTION;

/// What a message tells its handler to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Instruction {
    Slow(Duration),
    FailOnce,
    PanicOnce,
}

/// No message occupies a handler for longer.
const SLOWEST: Duration = Duration::from_secs(10);

impl Instruction {
    /// The instruction in the text that a JSON pointer leads to.
    pub(super) fn of(body: &Body, text: &str) -> Option<Self> {
        let text = body.json().ok()?.pointer(text)?.as_str()?;
        match text.strip_prefix(INSTRUCTION)? {
            "fail once" => Some(Self::FailOnce),
            "panic once" => Some(Self::PanicOnce),
            other => other.strip_prefix("slow ").and_then(duration).map(Self::Slow),
        }
    }
}

/// Such as `2s` and `250ms`.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, Duration::from_millis(1)),
        None => (text.strip_suffix('s')?, Duration::from_secs(1)),
    };
    Some(unit.saturating_mul(number.parse().ok()?).min(SLOWEST))
}

#[cfg(test)]
mod tests {
    use tower_callback_contract::Spelling;

    use super::*;

    #[test]
    fn instructions_are_read_and_every_other_text_is_a_message() {
        let of = |text: &str| {
            let body = serde_json::json!({"message": {"text": text}}).to_string();
            Instruction::of(&Body::new(body, Spelling::VERBATIM), "/message/text")
        };
        assert_eq!(of("#sim fail once"), Some(Instruction::FailOnce));
        assert_eq!(of("#sim panic once"), Some(Instruction::PanicOnce));
        for (text, millis) in [("20ms", 20), ("8s", 8_000), ("4000000000s", 10_000)] {
            let expected = Some(Instruction::Slow(Duration::from_millis(millis)));
            assert_eq!(of(&format!("#sim slow {text}")), expected);
        }
        for text in
            ["/test", "", "#sim", "#sim slow", "#sim slow s", "#sim slow -1s", " #sim fail once"]
        {
            assert_eq!(of(text), None, "{text}");
        }
        let nowhere = Body::new("{", Spelling::VERBATIM);
        assert_eq!(Instruction::of(&nowhere, "/message/text"), None);
    }
}
