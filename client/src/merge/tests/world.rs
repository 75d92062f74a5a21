//! A chat as it really happened, and exports of it as phones write them. Written from what merging promises, not from
//! how it works: nothing here knows of strands, slots or views.

use super::super::{Class, Line};
use crate::event::{Attachment, Kind, Party, Precision, Presence, Role, Row, Stamp, tag};

pub const MINUTE: i64 = 60_000;
pub const DAY: i64 = 1440 * MINUTE;
/// 2024-01-01.
pub const YEAR: i64 = 1_704_067_200_000;

/// A small generator of numbers: the seed is the whole case.
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    pub fn per_mille(&mut self, n: u64) -> bool {
        self.below(1000) < n
    }
}

/// What makes a case hard.
#[derive(Clone, Copy, Default, Debug)]
pub struct Hardships {
    pub cut: bool,
    pub zones: bool,
    pub vanished: bool,
    pub renamed: bool,
    pub precisions: bool,
    pub media: bool,
    pub changes: bool,
    /// Five times as many edits and deletions as people make.
    pub restless: bool,
    pub apart: bool,
}

pub struct Said {
    pub sender: usize,
    pub at: i64,
    pub text: String,
    pub photo: bool,
    /// When, and to what.
    pub edit: Option<(i64, String)>,
    pub deleted: Option<i64>,
}

pub struct World {
    pub said: Vec<Said>,
}

const SHORT: [&str; 9] = ["ok", "haha", "yes", "no", "lol", "\u{1f44d}", "see you", "good morning", "on my way"];

fn sentence(dice: &mut Dice) -> String {
    let words: Vec<String> = (0..3 + dice.below(7))
        .map(|_| {
            let n = dice.below(400);
            let syllables = ["ba", "ke", "li", "mo", "nu", "ra", "si", "to", "ve", "zu"];
            [n % 10, n / 10 % 10, n / 100].iter().map(|i| syllables[*i as usize]).collect()
        })
        .collect();
    words.join(" ")
}

impl World {
    pub fn new(dice: &mut Dice, count: usize, hard: Hardships) -> Self {
        let mut at = YEAR + dice.below(300) as i64 * DAY;
        let often = if hard.restless { 5 } else { 1 };
        let people = 2 + dice.below(4);
        let mut said: Vec<Said> = Vec::new();
        while said.len() < count {
            at += match dice.below(10) {
                0..=5 => dice.below(50) as i64 * 1000,
                6..=7 => dice.below(10) as i64 * MINUTE,
                8 => dice.below(12) as i64 * 60 * MINUTE,
                _ => dice.below(9) as i64 * DAY / 2,
            };
            let again = dice.per_mille(20).then(|| said.last().map(|s| (s.sender, s.text.clone()))).flatten();
            let (sender, text) = again.unwrap_or_else(|| {
                let short = SHORT[dice.below(SHORT.len() as u64) as usize];
                let text = if dice.per_mille(350) { short.to_owned() } else { sentence(dice) };
                (dice.below(people) as usize, text)
            });
            let photo = hard.media && dice.per_mille(60);
            let text = if photo && dice.per_mille(600) { String::new() } else { text };
            let changed = |dice: &mut Dice| at + 1000 + dice.below(40) as i64 * DAY + dice.below(900_000) as i64;
            let edit = (hard.changes && !photo && text.contains(' ') && dice.per_mille(30 * often)).then(|| {
                let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
                let which = dice.below(words.len() as u64) as usize;
                words[which] = sentence(dice);
                (changed(dice), words.join(" "))
            });
            let deleted = (hard.changes && dice.per_mille(20 * often)).then(|| changed(dice));
            said.push(Said { sender, at, text, photo, edit, deleted });
        }
        Self { said }
    }

    pub fn end(&self) -> i64 {
        self.said.last().map_or(YEAR, |s| s.at)
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Zone {
    Berlin,
    NewYork,
    Kathmandu,
}

impl Zone {
    /// Minutes ahead of UTC.
    fn offset(self, at: i64) -> i64 {
        let day = at.div_euclid(DAY) % 1461 % 365;
        let between = |from: i64, to: i64| (from..to).contains(&day);
        match self {
            Self::Berlin => 60 + 60 * i64::from(between(80, 300)),
            Self::NewYork => -300 + 60 * i64::from(between(60, 310)),
            Self::Kathmandu => 345,
        }
    }
}

/// How a phone writes an export.
#[derive(Clone, Debug)]
pub struct Phone {
    pub zone: Zone,
    pub ios: bool,
    pub with_media: bool,
    /// Person by number to name; a rename changes the first.
    pub first_name: &'static str,
    pub seconds: bool,
    pub from: usize,
    pub until: i64,
    /// Lines per mille that are missing for no reason.
    pub vanishing: u64,
}

/// A line and the message it shows.
pub struct Shown {
    pub line: Line,
    pub said: usize,
    /// Text as shown; none where it is not.
    pub text: Option<String>,
}

impl Phone {
    pub fn export(&self, world: &World, dice: &mut Dice) -> Vec<Shown> {
        let all = world.said.iter().enumerate().skip(self.from).filter(|(_, s)| s.at <= self.until);
        let mut photos = 0;
        let mut shown = Vec::new();
        for (index, said) in all {
            photos += usize::from(said.photo);
            if !dice.per_mille(self.vanishing) {
                shown.push(self.line(index, said, photos));
            }
        }
        shown
    }

    fn line(&self, index: usize, said: &Said, photos: usize) -> Shown {
        let local = said.at + self.zone.offset(said.at) * MINUTE;
        let name = if said.sender == 0 { self.first_name.to_owned() } else { format!("Person {}", said.sender) };
        let edit = said.edit.as_ref().filter(|(at, _)| *at <= self.until).map(|(_, text)| text);
        let deleted = said.deleted.is_some_and(|at| at <= self.until);
        let text = edit.unwrap_or(&said.text).clone();
        let file = format!("IMG-{index:05}.jpg");
        let mut row = Row::new(Kind::MESSAGE, 0, "");
        let (class, normal) = if deleted {
            (Class::Deleted, String::new())
        } else if said.photo {
            let stable = !self.ios && self.with_media;
            let presence = if self.with_media { Presence::Present } else { Presence::Omitted };
            let mut attachment = Attachment::new(Role::Photo, presence);
            if self.with_media {
                attachment.name = Some(if self.ios { format!("{photos:08}-PHOTO.jpg") } else { file.clone() });
                attachment.hash = Some(*blake3::hash(file.as_bytes()).as_bytes());
            }
            row.set_attachments(&[attachment]);
            let token = if stable { file } else { "\u{fffc}".to_owned() };
            let normal = if text.is_empty() { token } else { format!("{token}\n{text}") };
            (if stable { Class::Plain } else { Class::Omitted }, normal)
        } else {
            (if edit.is_some() { Class::Edited } else { Class::Plain }, text.clone())
        };
        if !deleted {
            row.fields.set_some(tag::BODY, Some(text.as_str()));
        }
        row.set_sender(&Party::named(&name));
        let precision = if self.seconds { Precision::Second } else { Precision::Minute };
        let written = if self.seconds { local / 1000 } else { local / MINUTE };
        row.set_sent_at(&Stamp::local(written.to_string(), precision));
        let seconds = self.seconds.then(|| (local.rem_euclid(MINUTE) / 1000) as u8);
        let unit = local - local.rem_euclid(MINUTE);
        let line = Line { unit, seconds, sender: Some(name), class, normal, row };
        Shown { line, said: index, text: (!deleted).then_some(text) }
    }
}
