//! The one order of an export: chat, time, id. So equal histories give equal files.

use super::{Item, WriteError};
use crate::merge::Message;
use crate::sources::jsonl::id_of;

/// A message ready to be written.
pub struct Ordered {
    pub id: String,
    pub message: Message,
    pub title: Option<String>,
    /// First of its chat.
    pub opens_chat: bool,
}

/// Hands out messages in order. They come by chat and time already; those of one moment are sorted by id here.
pub fn in_order(
    messages: impl IntoIterator<Item = Item>,
    mut write: impl FnMut(Ordered) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    let mut moment: Vec<(String, Message, Option<String>)> = Vec::new();
    let mut opens_chat = true;
    for item in messages {
        let (message, title) = item.map_err(WriteError::Read)?;
        let id = id_of(&message.chat.source, &message.native);
        if let Some((_, last, _)) = moment.last() {
            let (before, now) = (key(last), key(&message));
            if now < before {
                return Err(WriteError::Order(id));
            }
            if now > before {
                let next_opens = last.chat != message.chat;
                flush(&mut moment, opens_chat, &mut write)?;
                opens_chat = next_opens;
            }
        }
        moment.push((id, message, title));
    }
    flush(&mut moment, opens_chat, &mut write)
}

fn key(message: &Message) -> (&str, &str, i64) {
    (&message.chat.conversation, &message.chat.source, message.time)
}

fn flush(
    moment: &mut Vec<(String, Message, Option<String>)>,
    mut opens_chat: bool,
    write: &mut impl FnMut(Ordered) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    moment.sort_by(|a, b| (&a.0, &a.1.native).cmp(&(&b.0, &b.1.native)));
    for (id, message, title) in moment.drain(..) {
        write(Ordered { id, message, title, opens_chat })?;
        opens_chat = false;
    }
    Ok(())
}
