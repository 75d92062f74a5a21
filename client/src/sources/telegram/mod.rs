//! Telegram Desktop's JSON export (FORMATS §3.2): one chat, or a whole account.
//!
//! The file is walked message by message; memory holds one message and the names of people, whatever its size.

mod convert;
mod media;
#[cfg(test)]
mod tests;
mod text;
mod walk;

use std::io::Read;

use struson::reader::ValueType;

use super::export::Taker;
use super::json::{Broken, Walker};
use super::{Answers, ChatReport, Files, ImportError, Sink};

/// Source name of rows read here.
pub const SOURCE: &str = "telegram";
/// How much of a file is looked at to tell what it is.
const DETECT_BYTES: u64 = 64 << 10;
/// How many files of an export are looked at.
const DETECT_FILES_MAX: usize = 1000;

const CHAT_TYPES: [&str; 8] = [
    "personal_chat",
    "bot_chat",
    "saved_messages",
    "private_group",
    "private_supergroup",
    "public_supergroup",
    "private_channel",
    "public_channel",
];

/// Finds the export's JSON files by content.
pub fn detect(files: &dyn Files) -> Vec<String> {
    let list = files.list();
    let alone = list.len() == 1;
    let json = |path: &str| alone || path.rsplit_once('.').is_some_and(|(_, e)| e.eq_ignore_ascii_case("json"));
    let candidates = list.iter().filter(|e| json(&e.path)).take(DETECT_FILES_MAX);
    candidates.filter(|e| begins_like_ours(files, &e.path)).map(|e| e.path.clone()).collect()
}

/// Reads every export found, chat by chat.
pub fn read(files: &dyn Files, answers: &Answers, sink: &mut dyn Sink) -> Result<Vec<ChatReport>, ImportError> {
    let found = detect(files);
    if found.is_empty() {
        return Err(ImportError::Unreadable("no Telegram export was found in it".into()));
    }
    let mut taker = Taker::new(files);
    let mut reports = Vec::new();
    for path in found {
        walk::read(files, &path, answers, &mut taker, sink, &mut reports)?;
    }
    Ok(reports)
}

fn begins_like_ours(files: &dyn Files, path: &str) -> bool {
    let Ok(file) = files.open(path) else { return false };
    // What is cut off at the end of the sample reads as broken; what was seen before that counts.
    look(&mut Walker::new(file.take(DETECT_BYTES))).unwrap_or(false)
}

fn look<R: Read>(walker: &mut Walker<R>) -> Result<bool, Broken> {
    if walker.peek()? != ValueType::Object {
        return Ok(false);
    }
    walker.begin_object()?;
    while let Some(name) = walker.member()? {
        let kind = walker.peek()?;
        match (name.as_str(), kind) {
            // An account's export may say much about the account before it comes to the chats.
            ("personal_information" | "left_chats", ValueType::Object) => return Ok(true),
            ("chats", ValueType::Object) => return look_at_account(walker),
            ("type", ValueType::String) => {
                let value = walker.value(100)?;
                if value.is_some_and(|t| t.text().is_some_and(|t| CHAT_TYPES.contains(&t))) {
                    return Ok(true);
                }
            }
            ("messages", ValueType::Array) => return look_at_messages(walker),
            _ => walker.skip()?,
        }
    }
    Ok(false)
}

fn look_at_account<R: Read>(walker: &mut Walker<R>) -> Result<bool, Broken> {
    walker.begin_object()?;
    while let Some(name) = walker.member()? {
        if name == "list" {
            return Ok(walker.peek()? == ValueType::Array);
        }
        walker.skip()?;
    }
    Ok(false)
}

/// Judges by the first message.
fn look_at_messages<R: Read>(walker: &mut Walker<R>) -> Result<bool, Broken> {
    walker.begin_array()?;
    if !walker.item()? || walker.peek()? != ValueType::Object {
        return Ok(false);
    }
    walker.begin_object()?;
    while let Some(name) = walker.member()? {
        match (name.as_str(), walker.peek()?) {
            ("date_unixtime", _) => return Ok(true),
            ("type", ValueType::String) => {
                let value = walker.value(100)?;
                return Ok(value.is_some_and(|t| matches!(t.text(), Some("message" | "service"))));
            }
            _ => walker.skip()?,
        }
    }
    Ok(false)
}
