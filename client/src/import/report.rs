//! What an import found, and what of it was new (SURFACE §6 `import`).

use serde::{Deserialize, Serialize};

use super::ChatRead;
use crate::archive::{ChatCount, Imported};
use crate::sources::DateOrder;
use crate::sources::detect::Format;

/// What an import did, or would do.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Report {
    pub sources: Vec<Source>,
    /// What was left out, and why; the first of them by name.
    pub skipped: Vec<Skipped>,
    /// All that was left out.
    pub skipped_total: u64,
    pub dry_run: bool,
}

/// One chat of one export.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Source {
    /// As the person wrote it, or below the folder they named.
    pub path: String,
    pub format: String,
    /// What the chat is called; its key where it has no name.
    pub chat: String,
    /// The chat's id, 64 hexadecimal characters.
    pub chat_id: String,
    pub messages: u64,
    /// Messages, system lines among them, that the archive has now and had not.
    pub messages_new: u64,
    pub versions_new: u64,
    /// Rows nothing of which was known; 0 exactly when the export brought nothing at all.
    pub rows_new: u64,
    /// Messages that an own deletion refuses.
    pub refused: u64,
    pub system: u64,
    pub participants: u64,
    pub attachments: Attachments,
    pub edited: u64,
    pub deleted: u64,
    pub reactions: u64,
    pub replies: u64,
    /// Times of the first and last message, ms: UTC where the source knows it, else its local time read as UTC.
    pub first: Option<i64>,
    pub last: Option<i64>,
    pub lines_unknown: u64,
    pub assumed: Assumed,
    /// Spans between this export and what was known, which no export covers.
    pub gaps: Vec<Span>,
    /// Spans that exports imported before cover too.
    pub overlaps: Vec<Span>,
    /// The export has not changed since it was imported, and was not read again.
    pub known: bool,
}

/// How many files messages of an export speak of.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Attachments {
    /// In the export.
    pub present: u64,
    /// Left out by the app.
    pub omitted: u64,
    pub expired: u64,
    /// Named, and not there.
    pub missing: u64,
}

/// What the export does not say: by the person's word, or else taken for granted.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Assumed {
    pub zone: Option<String>,
    pub date_order: Option<String>,
    pub me: Option<String>,
    pub chat: Option<String>,
}

/// From one row time to another, ms.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Span {
    pub from: i64,
    pub to: i64,
}

/// An item that was left out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Skipped {
    pub item: String,
    pub reason: String,
}

impl Report {
    /// Whether nothing was left out.
    pub fn is_whole(&self) -> bool {
        self.skipped_total == 0
    }

    pub(super) fn skip(&mut self, item: String, reason: String) {
        self.skipped.push(Skipped { item, reason });
        self.skipped_total += 1;
    }

    /// Notes a path that could not be looked at.
    pub fn leave_out(&mut self, path: &std::path::Path, reason: &str) {
        self.skip(path.display().to_string(), reason.to_owned());
    }

    /// Puts two reports together.
    pub fn add(&mut self, other: Self) {
        self.sources.extend(other.sources);
        self.skipped.extend(other.skipped);
        self.skipped_total += other.skipped_total;
    }

    /// The same export again, not read: nothing is new.
    pub(super) fn again(mut self, path: &str) -> Self {
        for source in &mut self.sources {
            (source.messages_new, source.versions_new, source.rows_new, source.known) = (0, 0, 0, true);
            path.clone_into(&mut source.path);
        }
        self
    }
}

/// Puts together what an export held and what the archive made of it.
pub(super) fn of_source(
    path: &str,
    format: Format,
    chats: Vec<ChatRead>,
    imported: &Imported,
    skipped: Vec<(String, String)>,
) -> Report {
    let mut report = Report::default();
    for (item, reason) in skipped {
        report.skip(item, reason);
    }
    let named = imported.skipped.iter().cloned();
    report.skipped.extend(named.map(|(item, reason)| Skipped { item, reason }));
    report.skipped_total += imported.skipped_total;
    let mut counted = Vec::new();
    for chat in chats {
        let count = chat.report.chat.as_ref().and_then(|key| imported.chats.iter().find(|c| c.chat == *key));
        // A chat that stands twice in one export is counted once.
        let count = count.filter(|c| !counted.contains(&c.id));
        counted.extend(count.map(|c| c.id));
        report.sources.push(source(path, format, chat, count));
    }
    report
}

fn source(path: &str, format: Format, chat: ChatRead, count: Option<&ChatCount>) -> Source {
    let ChatRead { report: r, overlaps, id } = chat;
    let key = r.chat.map(|c| c.conversation).unwrap_or_default();
    Source {
        path: path.to_owned(),
        format: format.name().to_owned(),
        chat: r.title.filter(|t| !t.is_empty()).unwrap_or(key),
        chat_id: id.hex(),
        messages: r.messages,
        messages_new: count.map_or(0, |c| c.messages_new),
        versions_new: count.map_or(0, |c| c.versions_new),
        rows_new: count.map_or(0, |c| c.rows_new),
        refused: count.map_or(0, |c| c.refused),
        system: r.system,
        participants: r.participants,
        attachments: Attachments { present: r.present, omitted: r.omitted, expired: r.expired, missing: r.missing },
        edited: r.edited,
        deleted: r.deleted,
        reactions: r.reactions,
        replies: r.replies,
        first: r.first,
        last: r.last,
        lines_unknown: r.lines_unknown,
        assumed: Assumed {
            zone: r.assumed_zone,
            date_order: r.assumed_date_order.map(|order| order_name(order).to_owned()),
            me: r.assumed_me,
            chat: r.assumed_chat,
        },
        gaps: r.gaps.into_iter().map(|(from, to)| Span { from, to }).collect(),
        overlaps,
        known: false,
    }
}

/// What `--date-order` takes.
fn order_name(order: DateOrder) -> &'static str {
    match order {
        DateOrder::Dmy => "dmy",
        DateOrder::Mdy => "mdy",
        DateOrder::Ymd => "ymd",
    }
}
