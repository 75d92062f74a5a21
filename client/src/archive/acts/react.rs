//! Reactions of the owner.

use std::collections::BTreeMap;

use super::{Act, Acting};
use crate::archive::Archive;
use crate::archive::error::{ArchiveError, Result};
use crate::archive::rows::act_at;
use crate::event::{Kind, Party, Row, tag};
use crate::ids::EventId;
use crate::merge::{self, Message};

const EMOJI_BYTES_MAX: usize = 64;

impl Archive {
    /// Adds a reaction of the owner, who is shown by this name. Answers its id, or nothing where it stands already.
    pub fn react(
        &mut self,
        message: &EventId,
        emoji: &str,
        by: &str,
        acting: &mut Acting<'_>,
    ) -> Result<Option<EventId>> {
        self.react_row(message, emoji, by, acting)?.map(|act| self.act(&act)).transpose()
    }

    /// Takes the owner's reactions with an emoji back, on whichever device they were added. Answers how many.
    pub fn unreact(&mut self, message: &EventId, emoji: &str, acting: &mut Acting<'_>) -> Result<u64> {
        let acts = self.unreact_rows(message, emoji, acting)?;
        for act in &acts {
            self.act(act)?;
        }
        Ok(acts.len() as u64)
    }

    /// Makes the row of a reaction.
    pub fn react_row(&self, message: &EventId, emoji: &str, by: &str, acting: &mut Acting<'_>) -> Result<Option<Act>> {
        let plain = |c: char| !c.is_control() && !c.is_whitespace();
        if emoji.is_empty() || emoji.len() > EMOJI_BYTES_MAX || !emoji.chars().all(plain) {
            return Err(ArchiveError::Refused("a reaction is one emoji"));
        }
        let message = self.acted_on(message)?.message;
        let known = self.own_reactions(&message, emoji)?;
        if known.standing.iter().any(|party| party.name.as_deref() == Some(by)) {
            return Ok(None);
        }
        let party = Party { is_self: true, ..Party::named(by) };
        Ok(Some(reaction(message, Kind::REACTION_ADD, emoji, &party, known.seen, acting)))
    }

    /// Makes the rows that take reactions back.
    pub fn unreact_rows(&self, message: &EventId, emoji: &str, acting: &mut Acting<'_>) -> Result<Vec<Act>> {
        let message = self.acted_on(message)?.message;
        let known = self.own_reactions(&message, emoji)?;
        let remove = |party: &Party| reaction(message.clone(), Kind::REACTION_REMOVE, emoji, party, known.seen, acting);
        Ok(known.standing.iter().map(remove).collect())
    }

    fn own_reactions(&self, message: &Message, emoji: &str) -> Result<Own> {
        let (mut latest, mut seen) = (BTreeMap::<String, ((i64, bool), Party)>::new(), None);
        for row in self.rows_about(message)? {
            let removed = row.kind == Kind::REACTION_REMOVE;
            if !(removed || row.kind == Kind::REACTION_ADD) || row.fields.text(tag::EMOJI) != Some(emoji) {
                continue;
            }
            seen = seen.max(Some(act_at(&row)));
            let Some(party) = row.sender().filter(|party| party.is_self) else { continue };
            let person = party.native_id.clone().or_else(|| party.name.clone()).unwrap_or_default();
            let act = ((act_at(&row), removed), party);
            let last = latest.entry(person).or_insert_with(|| act.clone());
            if last.0 < act.0 {
                *last = act;
            }
        }
        let standing = latest.into_values().filter(|((_, removed), _)| !removed).map(|(_, party)| party).collect();
        Ok(Own { standing, seen })
    }
}

/// The owner's reactions to a message with one emoji, and the newest act of anybody with it.
struct Own {
    standing: Vec<Party>,
    seen: Option<i64>,
}

fn reaction(
    message: Message,
    kind: Kind,
    emoji: &str,
    party: &Party,
    seen: Option<i64>,
    acting: &mut Acting<'_>,
) -> Act {
    let mut row: Row = merge::act(&message, kind, &acting.native());
    row.set_sender(party);
    row.fields.set(tag::EMOJI, emoji).set_number(tag::EDITED_AT, acting.after(seen));
    Act { chat: message.chat, row }
}
