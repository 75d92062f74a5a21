//! The media a message names: photos, files, contacts, places.

use super::super::export::{Taken, Taker, checked_name};
use super::super::json::{Json, Map};
use super::super::{ImportError, Sink};
use crate::event::{Attachment, Presence, Role};

/// What every stand-in for a file that was left out begins with; the rest of the sentence differs.
const LEFT_OUT: &str = "(File";

/// Takes the media fields out of a message.
///
/// A place or contact without a file is an attachment without bytes: its value stands in name and reference, and its
/// full fields stay with the message.
pub fn attachments(
    message: &mut Map,
    folder: &str,
    taker: &mut Taker<'_>,
    sink: &mut dyn Sink,
) -> Result<Vec<Attachment>, ImportError> {
    let mut list = Vec::new();
    if let Some(path) = take_text(message, "photo") {
        let mut photo = Attachment::new(Role::Photo, Presence::Missing);
        photo.size = take_size(message, "photo_file_size");
        list.push(fill(photo, &path, folder, taker, sink)?);
    }
    if let Some(path) = take_text(message, "file") {
        let mut file = Attachment::new(Role::File, Presence::Missing);
        file.mime = take_text(message, "mime_type");
        file.role = role(message.get("media_type").and_then(Json::text), file.mime.as_deref());
        file.size = take_size(message, "file_size");
        file.name = take_text(message, "file_name");
        list.push(fill(file, &path, folder, taker, sink)?);
    }
    if let Some(contact) = message.get("contact_information").and_then(Json::map) {
        let part = |name: &str| contact.get(name).and_then(Json::text).filter(|t| !t.is_empty());
        let name = [part("first_name"), part("last_name")].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let mut card = Attachment::new(Role::Contact, Presence::Present);
        card.source_ref = part("phone_number").map(|n| format!("tel:{n}"));
        let file = take_text(message, "contact_vcard");
        if let Some(path) = file {
            card.presence = Presence::Missing;
            card = fill(card, &path, folder, taker, sink)?;
        }
        card.name = Some(name).filter(|n| !n.is_empty()).or(card.name);
        list.push(card);
    }
    if let Some(place) = message.get("location_information").and_then(Json::map) {
        let part = |name: &str| place.get(name).and_then(Json::text_or_number);
        let mut location = Attachment::new(Role::Location, Presence::Present);
        location.name = message.get("place_name").and_then(Json::text).map(str::to_owned);
        location.source_ref = part("latitude").zip(part("longitude")).map(|(lat, lon)| format!("geo:{lat},{lon}"));
        list.push(location);
    }
    Ok(list)
}

fn take_text(message: &mut Map, name: &str) -> Option<String> {
    let text = message.get(name)?.text()?.to_owned();
    message.remove(name);
    Some(text)
}

fn take_size(message: &mut Map, name: &str) -> Option<u64> {
    let size = message.get(name)?.integer().and_then(|n| u64::try_from(n).ok())?;
    message.remove(name);
    Some(size)
}

fn role(media_type: Option<&str>, mime: Option<&str>) -> Role {
    match (media_type, mime.and_then(|m| m.split_once('/')).map(|(family, _)| family)) {
        (Some("sticker"), _) => Role::Sticker,
        (Some("animation"), _) => Role::Gif,
        (Some("video_file" | "video_message"), _) => Role::Video,
        (Some("voice_message"), _) => Role::Voice,
        (None, Some("video")) => Role::Video,
        (None, Some("image")) => Role::Photo,
        _ => Role::File,
    }
}

/// Fills in what the export has of a file: its bytes, or why there are none.
fn fill(
    mut it: Attachment,
    path: &str,
    folder: &str,
    taker: &mut Taker<'_>,
    sink: &mut dyn Sink,
) -> Result<Attachment, ImportError> {
    if path.is_empty() || path.starts_with(LEFT_OUT) {
        it.presence = Presence::Omitted;
        return Ok(it);
    }
    it.source_ref = Some(path.to_owned());
    let checked = match checked_name(path) {
        Ok(checked) => checked,
        Err(reason) => {
            sink.skip(path, reason);
            return Ok(it);
        }
    };
    if it.name.is_none() {
        it.name = checked.rsplit('/').next().map(str::to_owned);
    }
    if let Taken::Took(file) = taker.take(&format!("{folder}{checked}"), sink)? {
        it.presence = Presence::Present;
        it.hash = Some(file.hash);
        it.size = Some(file.bytes);
    }
    Ok(it)
}
