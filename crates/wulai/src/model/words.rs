use serde::{Deserialize, Serialize};

/// The platform's name for the kind of a message.
///
/// A handler should rather match on [`MsgBody`](super::MsgBody), which holds the message itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum MsgType {
    /// `TEXT`
    Text,
    /// `IMAGE`
    Image,
    /// `VOICE`
    Voice,
    /// `NOTICE`
    Notice,
    /// `FILE`
    File,
    /// `SHARELINK`
    #[serde(rename = "SHARELINK")]
    ShareLink,
    /// `VIDEO`
    Video,
    /// `CUSTOM`
    Custom,
    /// `PUBLIC_EVENT`
    PublicEvent,
    /// `NONSUPPORT`
    #[serde(rename = "NONSUPPORT")]
    NonSupport,
    /// `EVENT`
    Event,
    /// `CALLBACK_NOTICE`
    CallbackNotice,
    /// `RICH_TEXT`
    RichText,
    /// A type that is not known yet, as it was written.
    #[serde(untagged)]
    Other(String),
}

/// Which bot an answer comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum Source {
    /// `DEFAULT_ANSWER_SOURCE`: no bot knew an answer.
    DefaultAnswerSource,
    /// `KEYWORD_BOT`
    KeywordBot,
    /// `TASK_BOT`
    TaskBot,
    /// `QA_BOT`
    QaBot,
    /// `CHITCHAT_BOT`
    ChitchatBot,
    /// A source that is not known yet, as it was written.
    #[serde(untagged)]
    Other(String),
}

/// How a voice message is encoded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[non_exhaustive]
pub enum VoiceType {
    /// `AMR`
    Amr,
    /// `PCM`
    Pcm,
    /// `WAV`
    Wav,
    /// `OPUS`
    Opus,
    /// `SPEEX`
    Speex,
    /// `MP3`
    Mp3,
    /// An encoding that is not known yet, as it was written.
    #[serde(untagged)]
    Other(String),
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde_json::json;
    use tower_callback_contract::Document;

    use super::*;
    use crate::fields::{word, word_of};

    fn is_written<T>(word_type: T, written: &str)
    where
        T: Serialize + for<'de> Deserialize<'de> + PartialEq + Debug,
    {
        assert_eq!(serde_json::to_value(&word_type).unwrap(), written);
        assert_eq!(word_of::<T>(written), Some(word_type));
    }

    #[test]
    fn every_word_of_the_platform_is_known() {
        is_written(MsgType::Text, "TEXT");
        is_written(MsgType::Image, "IMAGE");
        is_written(MsgType::Voice, "VOICE");
        is_written(MsgType::Notice, "NOTICE");
        is_written(MsgType::File, "FILE");
        is_written(MsgType::ShareLink, "SHARELINK");
        is_written(MsgType::Video, "VIDEO");
        is_written(MsgType::Custom, "CUSTOM");
        is_written(MsgType::PublicEvent, "PUBLIC_EVENT");
        is_written(MsgType::NonSupport, "NONSUPPORT");
        is_written(MsgType::Event, "EVENT");
        is_written(MsgType::CallbackNotice, "CALLBACK_NOTICE");
        is_written(MsgType::RichText, "RICH_TEXT");
        is_written(Source::DefaultAnswerSource, "DEFAULT_ANSWER_SOURCE");
        is_written(Source::KeywordBot, "KEYWORD_BOT");
        is_written(Source::TaskBot, "TASK_BOT");
        is_written(Source::QaBot, "QA_BOT");
        is_written(Source::ChitchatBot, "CHITCHAT_BOT");
        is_written(VoiceType::Amr, "AMR");
        is_written(VoiceType::Pcm, "PCM");
        is_written(VoiceType::Wav, "WAV");
        is_written(VoiceType::Opus, "OPUS");
        is_written(VoiceType::Speex, "SPEEX");
        is_written(VoiceType::Mp3, "MP3");
    }

    #[test]
    fn a_new_word_is_kept_as_written() {
        is_written(MsgType::Other("HOLOGRAM".into()), "HOLOGRAM");
        is_written(Source::Other("大模型".into()), "大模型");
        is_written(VoiceType::Other("amr".into()), "amr");
    }

    #[test]
    fn only_a_string_is_a_word() {
        for value in [json!(1), json!({"TEXT": null}), json!(["TEXT"])] {
            assert!(word::<MsgType>(Document::from(&value).root()).is_err());
        }
    }
}
