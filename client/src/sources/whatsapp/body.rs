//! What a line says: a person's text, media, a mark of deletion, or something WhatsApp wrote (FORMATS §3.1, §2a item 1).

use super::marks::{LRM, digit, folded, is_mark, is_space, without_marks};
use super::media::{self, Media, Shelf, TOKEN};
use super::phrases;
use crate::event::{Kind, Role};
use crate::merge::Class;

/// How the phone that wrote a file writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hand {
    pub ios: bool,
    /// The file marks what WhatsApp wrote by U+200E; some languages leave the marks out.
    pub marks: bool,
}

impl Hand {
    /// Unmarked text was typed by a person.
    fn strict(self) -> bool {
        self.ios && self.marks
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Content {
    pub kind: Kind,
    pub class: Class,
    /// The text to show: without signs for files and edits.
    pub text: String,
    /// What of it is identity.
    pub normal: String,
    pub files: Vec<Media>,
    /// A place on the map, as a link.
    pub place: Option<String>,
    /// The app's own words where they replace a text.
    pub action: Option<String>,
}

impl Content {
    fn plain(kind: Kind, text: &str) -> Self {
        Self {
            kind,
            class: Class::Plain,
            text: text.to_owned(),
            normal: normal(text),
            files: Vec::new(),
            place: None,
            action: None,
        }
    }
}

/// Reads a line that names nobody.
pub(super) fn unsigned(body: &str) -> Content {
    let call = phrases::is_call(&folded(body));
    Content::plain(if call { Kind::CALL } else { Kind::SYSTEM }, body)
}

/// Reads a line that names a sender. A `SYSTEM` answer means that the name is not a sender's: iPhones put the group's
/// or a person's name before what the app wrote.
pub(super) fn signed(body: &str, shelf: &Shelf, hand: Hand) -> Content {
    if let Some(poll) = poll(body, hand) {
        return poll;
    }
    let (text, edited) = match unedited(body, hand) {
        Some(text) => (text, true),
        None => (body, false),
    };
    let taken = media::attached(text, shelf, hand.strict());
    if taken.is_none() && is_deleted(text, hand) {
        let words = without_marks(text).trim().to_owned();
        let plain = Content::plain(Kind::MESSAGE, "");
        return Content { class: Class::Deleted, action: Some(words), ..plain };
    }
    let taken = taken.or_else(|| media::omitted(text, hand.ios, hand.strict()));
    let mut content = match taken {
        Some((caption, files)) => with_files(caption, files),
        None => said(text, hand),
    };
    if edited && content.kind == Kind::MESSAGE {
        content.class = Class::Edited;
    }
    content
}

fn with_files(caption: String, files: Vec<Media>) -> Content {
    let stable = files.iter().all(|f| f.stable);
    let mut identity = String::new();
    for file in &files {
        match &file.name {
            Some(name) if file.stable => identity.push_str(name),
            _ => identity.push(TOKEN),
        }
    }
    let shown = normal(&caption);
    if !shown.is_empty() {
        identity.push('\n');
        identity.push_str(&shown);
    }
    let class = if stable { Class::Plain } else { Class::Omitted };
    let normal = normal(&identity);
    Content { kind: Kind::MESSAGE, class, text: caption, normal, files, place: None, action: None }
}

/// Text without files.
fn said(text: &str, hand: Hand) -> Content {
    let plain = folded(text);
    if phrases::is_notice(&plain) {
        return Content::plain(Kind::SYSTEM, text);
    }
    let led = text.starts_with(LRM);
    if let Some(link) = place(text, hand, led) {
        return Content { place: Some(link), ..Content::plain(Kind::MESSAGE, text) };
    }
    if !(hand.ios && led) {
        return Content::plain(Kind::MESSAGE, text);
    }
    if phrases::is_call(&plain) {
        return Content::plain(Kind::CALL, text);
    }
    let kind = if phrases::is_live_location(&plain) { Kind::MESSAGE } else { Kind::SYSTEM };
    Content::plain(kind, text)
}

/// Identity of a text: without marks and final line ends.
fn normal(text: &str) -> String {
    without_marks(text).trim_end_matches('\n').to_owned()
}

fn is_deleted(text: &str, hand: Hand) -> bool {
    (text.starts_with(LRM) || !hand.strict()) && phrases::is_deleted(&folded(text))
}

/// Takes a final mark of edition off: a known phrase, or whatever stands in `<…>` behind U+200E.
fn unedited(body: &str, hand: Hand) -> Option<&str> {
    let (before, inner) = body.trim_end().strip_suffix('>')?.rsplit_once('<')?;
    let marked = before.ends_with(LRM);
    let text = before.trim_end_matches(|c| is_space(c) || is_mark(c) || c == '\n');
    let phrase = folded(inner);
    let known = phrases::is_edited(&phrase) && (marked || !hand.strict());
    let other = marked && !text.is_empty() && inner.chars().count() <= 80;
    let is_mark_of_edition = other && !inner.contains(['\n', ':']) && !phrases::is_omission(&phrase);
    (known || is_mark_of_edition).then_some(text)
}

/// `POLL:`, the question, then options that end in their counts. Counts change between exports: they are no identity.
fn poll(body: &str, hand: Hand) -> Option<Content> {
    let (head, rest) = body.split_once('\n')?;
    let word = folded(head);
    let led = head.starts_with(LRM);
    let announced = if hand.strict() { led } else { led || phrases::is_poll(&word) };
    if !announced || !word.ends_with([':', '：']) {
        return None;
    }
    let mut counted = false;
    let mut identity = word;
    for line in rest.split('\n') {
        let line = without_marks(line);
        let uncounted = uncounted(&line);
        counted |= uncounted.is_some();
        identity.push('\n');
        identity.push_str(uncounted.unwrap_or(&line));
    }
    counted.then(|| Content { normal: normal(&identity), ..Content::plain(Kind::POLL, body) })
}

/// Takes ` (2 votes)` off an option.
fn uncounted(line: &str) -> Option<&str> {
    let (option, count) = line.trim_end().strip_suffix(')')?.rsplit_once(" (")?;
    let told = option.contains([':', '：']) && count.chars().any(|c| digit(c).is_some());
    told.then_some(option)
}

/// Finds the link of a shared place.
fn place(text: &str, hand: Hand, led: bool) -> Option<String> {
    const MAPS: &str = "https://maps.google.com/?q=";
    const VENUES: &str = "https://foursquare.com/v/";
    if text.contains('\n') || (hand.strict() && !led) {
        return None;
    }
    let maps = text.rsplit_once(": ").filter(|(word, link)| word.chars().count() <= 24 && link.starts_with(MAPS));
    let venue = text.rsplit_once(": ").filter(|(_, link)| led && (link.starts_with(MAPS) || link.starts_with(VENUES)));
    let link = maps.or(venue)?.1.trim();
    (!link.contains(is_space)).then(|| link.to_owned())
}

/// The part a place plays among attachments.
pub(super) const PLACE_ROLE: Role = Role::Location;
