//! The files of an export, and what a message's text says about them (FORMATS §3.1).

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

use super::marks::{LRM, folded, is_mark, is_space, skip_marks};
use super::phrases;
use crate::event::Role;
use crate::sources::Files;

/// Stands for a file in identities where its name differs between exports.
pub(super) const TOKEN: char = '\u{fffc}';

/// A message names few files; further brackets in one body are not looked at.
const BRACKETS_MAX: usize = 1024;

/// A file that a message speaks of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Media {
    pub name: Option<String>,
    /// Where it lies in the export.
    pub path: Option<String>,
    pub role: Role,
    /// The same name in every export (Android).
    pub stable: bool,
}

/// Finds files by their bare names.
pub(super) struct Shelf {
    by_name: HashMap<String, String>,
}

impl Shelf {
    pub fn new(files: &dyn Files, chat_file: &str) -> Self {
        let folder = |path: &str| path.rsplit_once('/').map(|(f, _)| f.to_owned());
        let home = folder(chat_file);
        let mut by_name: HashMap<String, String> = HashMap::new();
        for entry in files.list().iter().filter(|e| e.path != chat_file) {
            let name = entry.path.rsplit_once('/').map_or(entry.path.as_str(), |(_, name)| name);
            let near = folder(&entry.path) == home;
            let known = by_name.contains_key(&key(name));
            if near || !known {
                by_name.insert(key(name), entry.path.clone());
            }
        }
        Self { by_name }
    }

    fn path(&self, name: &str) -> Option<&String> {
        self.by_name.get(&key(name))
    }

    fn media(&self, name: &str, stable: bool) -> Media {
        let name = name.trim();
        Media { name: Some(name.to_owned()), path: self.path(name).cloned(), role: role(name), stable }
    }
}

/// Archives made on other systems spell accents in pieces, and texts put marks around names.
fn key(name: &str) -> String {
    name.chars().filter(|c| !is_mark(*c)).nfc().collect()
}

/// Takes the attachments out of a body: what is left is the caption.
///
/// `strict`: the file is from a phone that marks what WhatsApp wrote, so unmarked text was typed by a person, unless
/// it names a file that is there.
pub(super) fn attached(body: &str, shelf: &Shelf, strict: bool) -> Option<(String, Vec<Media>)> {
    attached_android(body, shelf, strict).or_else(|| attached_ios(body, shelf, strict))
}

/// `FILE (file attached)` in the first line; the caption follows.
fn attached_android(body: &str, shelf: &Shelf, strict: bool) -> Option<(String, Vec<Media>)> {
    let (line, caption) = body.split_once('\n').unwrap_or((body, ""));
    let marked = line.starts_with(LRM);
    let line = skip_marks(line).trim_end();
    // A file named "ok" must not take every "ok" for itself.
    if line.contains('.') && shelf.path(line).is_some() {
        return Some((caption.to_owned(), vec![shelf.media(line, true)]));
    }
    if let Some((name, words)) = line.strip_suffix(')').and_then(|l| l.rsplit_once(" (")) {
        let told = (marked || !strict) && (phrases::is_attached(&folded(words)) || is_android_name(name));
        if shelf.path(name).is_some() || (told && !name.trim().is_empty()) {
            return Some((caption.to_owned(), vec![shelf.media(name, true)]));
        }
    }
    // Old iPhones wrote `FILE <attached>`.
    let (name, words) = line.strip_suffix('>')?.rsplit_once(" <")?;
    let told = (words.starts_with(LRM) || !strict) && phrases::is_attached(&folded(words));
    let known = shelf.path(name).is_some() || (told && is_file_name(name));
    known.then(|| (caption.to_owned(), vec![shelf.media(name, false)]))
}

/// `<attached: FILE>` anywhere, mostly behind the caption.
fn attached_ios(body: &str, shelf: &Shelf, strict: bool) -> Option<(String, Vec<Media>)> {
    let mut caption = String::new();
    let mut found = Vec::new();
    let mut rest = body;
    for _ in 0..BRACKETS_MAX {
        let Some((before, after)) = rest.split_once('<') else { break };
        caption.push_str(before);
        let marked = before.ends_with(LRM);
        let token = token_end(after).and_then(|(inner, rest)| {
            let (word, name) = inner.split_once(": ")?;
            let told = phrases::is_attached(&folded(word)) || (marked && is_file_name(name));
            let known = shelf.path(name).is_some() || (told && (marked || !strict));
            known.then_some((name, rest))
        });
        match token {
            Some((name, after)) => {
                caption.truncate(caption.trim_end_matches(is_mark).len());
                found.push(shelf.media(skip_marks(name), false));
                rest = after;
            }
            None => {
                caption.push('<');
                rest = after;
            }
        }
    }
    caption.push_str(rest);
    let caption = caption.trim_matches(|c| is_space(c) || c == '\n');
    (!found.is_empty()).then(|| (caption.to_owned(), found))
}

/// Splits at the `>` that ends a token. It is looked for nearby only: a body full of `<` must not be read once per `<`.
fn token_end(after: &str) -> Option<(&str, &str)> {
    const TOKEN_CHARS_MAX: usize = 320;
    let (at, _) = after.char_indices().take(TOKEN_CHARS_MAX).find(|(_, c)| matches!(c, '>' | '\n'))?;
    let (inner, rest) = after.split_at_checked(at)?;
    Some((inner, rest.strip_prefix('>')?))
}

/// Takes the sign of a file left out of the export out of a body.
pub(super) fn omitted(body: &str, ios: bool, strict: bool) -> Option<(String, Vec<Media>)> {
    let media = |text: &str| {
        let role = phrases::role_named(text).unwrap_or(Role::File);
        vec![Media { name: None, path: None, role, stable: false }]
    };
    let (line, caption) = body.split_once('\n').unwrap_or((body, ""));
    let inner = skip_marks(line).trim().strip_prefix('<').and_then(|l| l.strip_suffix('>')).map(folded);
    if let Some(inner) = inner.filter(|i| phrases::is_omission(i) && (line.starts_with(LRM) || !strict)) {
        return Some((caption.to_owned(), media(&inner)));
    }
    if let Some((before, tail)) = body.rsplit_once(LRM) {
        let text = folded(tail.trim().trim_start_matches('<').trim_end_matches('>'));
        if !tail.contains('\n') && phrases::is_omission(&text) && phrases::role_named(&text).is_some() {
            let caption = before.trim_matches(|c| is_space(c) || is_mark(c) || c == '\n');
            return Some((caption.to_owned(), media(&text)));
        }
    }
    let text = folded(body);
    let bare = ios && !strict && text.split(' ').count() <= 4 && !body.contains('\n');
    let told = bare && phrases::is_omission(&text) && phrases::role_named(&text).is_some();
    told.then(|| (String::new(), media(&text)))
}

/// `IMG-20240301-WA0005.jpg` and the like: made once by the phone that received the file.
pub(super) fn is_android_name(name: &str) -> bool {
    let name = skip_marks(name);
    let Some((kind, rest)) = name.split_once('-') else { return false };
    let Some((day, number)) = rest.split_once("-WA") else { return false };
    matches!(kind, "IMG" | "VID" | "PTT" | "AUD" | "STK" | "DOC")
        && day.len() == 8
        && day.bytes().all(|b| b.is_ascii_digit())
        && number.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether a text looks like the name of a file: it ends in a short extension.
fn is_file_name(name: &str) -> bool {
    let fits = |e: &str| (1..=8).contains(&e.len()) && e.chars().all(|c| c.is_ascii_alphanumeric());
    name.len() <= 255 && !name.contains(['/', '\n']) && name.rsplit_once('.').is_some_and(|(_, e)| fits(e))
}

fn extension(name: &str) -> String {
    name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default()
}

/// The part a file plays, by what the phone called it, else by its extension.
pub(super) fn role(name: &str) -> Role {
    const BY_NAME: [(&str, Role); 5] = [
        ("-GIF-", Role::Gif),
        ("-STICKER-", Role::Sticker),
        ("-PHOTO-", Role::Photo),
        ("-VIDEO-", Role::Video),
        ("-AUDIO-", Role::Voice),
    ];
    if let Some((_, role)) = BY_NAME.iter().find(|(part, _)| name.contains(part)) {
        return *role;
    }
    if name.starts_with("STK-") {
        return Role::Sticker;
    }
    match extension(name).as_str() {
        "jpg" | "jpeg" | "png" | "heic" | "heif" | "bmp" | "avif" => Role::Photo,
        "mp4" | "mov" | "3gp" | "mkv" | "avi" | "webm" | "m4v" => Role::Video,
        "opus" | "ogg" | "amr" | "m4a" | "aac" | "mp3" | "wav" => Role::Voice,
        "webp" | "was" => Role::Sticker,
        "gif" => Role::Gif,
        "vcf" => Role::Contact,
        _ => Role::File,
    }
}

/// The media type by extension; absent where we are not sure.
pub(super) fn mime(name: &str) -> Option<&'static str> {
    Some(match extension(name).as_str() {
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "avif" => "image/avif",
        "bmp" => "image/bmp",
        "mp4" | "m4v" => "video/mp4",
        "mov" => "video/quicktime",
        "3gp" => "video/3gpp",
        "webm" => "video/webm",
        "mkv" => "video/x-matroska",
        "avi" => "video/x-msvideo",
        "opus" | "ogg" => "audio/ogg",
        "mp3" => "audio/mpeg",
        "m4a" => "audio/mp4",
        "aac" => "audio/aac",
        "amr" => "audio/amr",
        "wav" => "audio/wav",
        "vcf" => "text/vcard",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "csv" => "text/csv",
        "zip" => "application/zip",
        "doc" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xls" => "application/vnd.ms-excel",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "ppt" => "application/vnd.ms-powerpoint",
        "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        _ => return None,
    })
}
