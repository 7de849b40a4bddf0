use crate::error::Ambiguous;

/// Why reading ends early.
pub(crate) enum Stop {
    Fault(Fault),
    Ambiguous(Ambiguous),
}

/// What is wrong, after so many bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) syntax: Syntax,
    pub(crate) at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    End,
    Value,
    Colon,
    ArrayEnd,
    ObjectEnd,
    Key,
    TrailingComma,
    Trailing,
    Number,
    Range,
    Control,
    Escape,
    HexEnd,
    Surrogate,
    TooDeep,
    TooMany,
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Syntax {
    /// Says it in the words of `serde_json`, of which none are the body's.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::End => "unexpected end",
            Self::Value => "expected a value",
            Self::Colon => "expected `:`",
            Self::ArrayEnd => "expected `,` or `]`",
            Self::ObjectEnd => "expected `,` or `}`",
            Self::Key => "key must be a string",
            Self::TrailingComma => "trailing comma",
            Self::Trailing => "trailing characters",
            Self::Number => "invalid number",
            Self::Range => "number out of range",
            Self::Control => "control character (\\u0000-\\u001F) found while parsing a string",
            Self::Escape => "invalid escape",
            Self::HexEnd => "unexpected end of hex escape",
            Self::Surrogate => "lone leading surrogate in hex escape",
            Self::TooDeep => "recursion limit exceeded",
            Self::TooMany => "too many values",
        }
    }
}
