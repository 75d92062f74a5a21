//! Chats to back up, and what an archive holds, as an independent list.

use std::io::Cursor;

use client::archive::Archive;
use client::event::{Attachment, Chat, Kind, Party, Presence, Role, Row, tag};
use client::sources::{ChatInfo, Sink as _};

pub const START: i64 = 1_704_067_200_000;

pub fn chat(n: usize) -> Chat {
    Chat { source: "telegram".to_owned(), conversation: format!("chat{n}") }
}

/// The `n`th message of a chat.
pub fn message(n: u64, text: &str) -> Row {
    let mut row = Row::new(Kind::MESSAGE, START + n as i64 * 60_000, n.to_string().as_str());
    row.fields.set(tag::BODY, text.as_bytes());
    row.set_sender(&Party { name: Some(format!("person {}", n % 3)), ..Party::default() });
    row
}

/// Imports messages `from..to` of a chat, every tenth with a photo of `photo` bytes.
pub fn import(archive: &mut Archive, n: usize, from: u64, to: u64, photo: usize) {
    let chat = chat(n);
    let mut import = archive.import().unwrap();
    import.chat(&chat, &ChatInfo { title: Some(format!("Chat {n}")), shape: None }).unwrap();
    for i in from..to {
        let mut row = message(i, &format!("message {i} of chat {n}"));
        if photo > 0 && i.is_multiple_of(10) {
            let content = photo_bytes(n, i, photo);
            let taken = import.file("a photo", &mut Cursor::new(content)).unwrap();
            row.set_attachments(&[Attachment {
                name: Some(format!("photo-{i}.jpg")),
                mime: Some("image/jpeg".to_owned()),
                size: Some(taken.bytes),
                role: Role::Photo,
                presence: Presence::Present,
                hash: Some(taken.hash),
                source_ref: None,
                rest: Default::default(),
            }]);
        }
        import.row(&chat, row).unwrap();
    }
    import.finish().unwrap();
}

pub fn photo_bytes(n: usize, i: u64, length: usize) -> Vec<u8> {
    let mut out = vec![0; length];
    blake3::Hasher::new().update(&[n as u8]).update(&i.to_le_bytes()).finalize_xof().fill(&mut out);
    out
}

/// Every message with its chat, time, sender, text and the hash of each attachment's bytes as they are read here.
pub fn listed(archive: &Archive) -> Vec<String> {
    let mut lines = Vec::new();
    for message in archive.export(None, None, None).unwrap() {
        let (message, _) = message.unwrap();
        let sender = message.sender.and_then(|s| s.name).unwrap_or_default();
        let mut line = format!("{} {} {sender} {:?}", message.chat.conversation, message.time, message.text);
        for attachment in &message.attachments {
            let content = archive.attachment(attachment).unwrap();
            let hash = content.map(|mut content| {
                let mut hasher = blake3::Hasher::new();
                std::io::copy(&mut content, &mut hasher).unwrap();
                hasher.finalize().to_hex().to_string()
            });
            line += &format!(" {}", hash.unwrap_or_else(|| "absent".to_owned()));
        }
        lines.push(line);
    }
    lines.sort();
    lines
}
