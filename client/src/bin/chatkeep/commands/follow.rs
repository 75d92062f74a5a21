//! `show --follow`: messages of one chat as they come in, whoever brings them: a running `sync --watch`, an import.

use std::collections::BTreeSet;
use std::time::Duration;

use client::archive::{Anchor, Archive, Position, Shown};
use client::ids::{ChatId, EventId};

use super::{chats, messages, show};
use crate::args::reading::Show;
use crate::context::Context;
use crate::output::Outcome;
use crate::problem::Result;

/// How often the archive is asked whether anything was written. Asking reads one number.
const LOOK: Duration = Duration::from_millis(50);
/// Messages that came late, with an earlier time, are found among so many of the last ones.
const WINDOW: usize = 500;
const PAGE: usize = 500;

pub async fn run(context: &Context, args: &Show) -> Result<Outcome> {
    let archive = context.archive()?;
    let chat = chats::find(&archive, &args.chat)?.id;
    let mut seen = Seen::new(&archive, &chat)?;
    for shown in archive.page(&chat, Anchor::End, args.limit, 0)? {
        tell(context, &shown);
    }
    loop {
        let version = archive.version()?;
        for shown in seen.news(&archive, &chat)? {
            tell(context, &shown);
        }
        while archive.version()? == version {
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn tell(context: &Context, shown: &Shown) {
    let line = if context.output.json { format!("{}\n", messages::to_json(shown, &[])) } else { show::line(shown) };
    context.output.print(&line);
}

/// What was told already.
struct Seen {
    /// The last message so far.
    last: Option<Position>,
    /// The last [`WINDOW`] messages, and the first of them where there are more before it.
    window: BTreeSet<EventId>,
    floor: Option<Position>,
}

impl Seen {
    /// What is there now counts as told.
    fn new(archive: &Archive, chat: &ChatId) -> Result<Self> {
        let mut seen = Self { last: None, window: BTreeSet::new(), floor: None };
        seen.look(archive.page(chat, Anchor::End, WINDOW, 0)?);
        Ok(seen)
    }

    /// Messages that are there and were not, in the order of the chat.
    fn news(&mut self, archive: &Archive, chat: &ChatId) -> Result<Vec<Shown>> {
        let (before, known) = (self.last, std::mem::take(&mut self.window));
        let page = archive.page(chat, Anchor::End, WINDOW, 0)?;
        let first = page.first().map(|shown| Position::of(&shown.message));
        let mut news = Vec::new();
        // More than a window at once: what lies between.
        let mut at = before;
        while let (Some(from), Some(first)) = (at, first) {
            let between = archive.page(chat, Anchor::After(from), 0, PAGE)?;
            let inside = between.into_iter().take_while(|shown| Position::of(&shown.message) < first);
            let count = news.len();
            news.extend(inside);
            at = news.get(count..).and_then(<[Shown]>::last).map(|shown| Position::of(&shown.message));
        }
        // Where one was deleted the window reaches further back: what stood before it is not new.
        let new = |shown: &&Shown| {
            !known.contains(&shown.message.id) && self.floor.is_none_or(|floor| Position::of(&shown.message) > floor)
        };
        news.extend(page.iter().filter(new).cloned());
        self.look(page);
        Ok(news)
    }

    fn look(&mut self, page: Vec<Shown>) {
        self.floor = page.first().filter(|_| page.len() >= WINDOW).map(|shown| Position::of(&shown.message));
        self.last = page.last().map(|shown| Position::of(&shown.message)).or(self.last);
        self.window = page.into_iter().map(|shown| shown.message.id).collect();
    }
}
