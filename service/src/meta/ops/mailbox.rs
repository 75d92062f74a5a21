//! Mailboxes of pairings: two sides, one message of each at a time, ten minutes.
//!
//! Whoever opens one has a token; the other side belongs to the first key that comes, and to no second one. So a code
//! can be tried once. What is left here is public or sealed, and the words of a code never come here.

use bytes::Bytes;
use proto::wire::bytes::{Malformed, Reader, Writer};
use proto::wire::ids::AccountId;
use proto::wire::limits::{PAIRING_NEW_BYTES_MAX, PAIRING_OLD_BYTES_MAX, PAIRING_SECONDS};

use super::gate::admitted;
use crate::meta::tables::Tables;
use crate::meta::{Caller, Letter, MetaError, Once, Refused, Result};

/// How long a mailbox is open.
pub const MAILBOX_MS: u64 = PAIRING_SECONDS as u64 * 1000;
/// Mailboxes open at once; what they hold then is at most 70 MB.
pub const MAILBOXES_MAX: usize = 1000;
/// Mailboxes of one account: a code that was given up and asked for again is no fault.
pub const MAILBOXES_PER_ACCOUNT_MAX: usize = 3;
/// Messages one side may leave; an honest pairing takes five.
const MESSAGES_MAX: u32 = 16;
/// Numbers drawn before a place is given up; of a hundred less than one is in use.
const DRAWS_MAX: usize = 64;
/// Numbers begin with three digits.
const NUMBERS_FROM: u32 = 100;

/// Opens a mailbox and draws its number.
pub fn open(t: &mut dyn Tables, caller: &Caller, key: [u8; 32], seed: &[u8; 32], now_ms: u64) -> Result<u32> {
    let account = admitted(t, caller)?.id;
    let mut open = Opened::read(t, now_ms)?;
    let own: Vec<Entry> = open.0.iter().filter(|e| e.account == account).copied().collect();
    if own.len() >= MAILBOXES_PER_ACCOUNT_MAX
        && let Some(oldest) = own.iter().min_by_key(|e| e.until_ms)
    {
        open.0.retain(|e| e.number != oldest.number);
        t.take_once(Once::Mailbox, &id(oldest.number))?;
    }
    if open.0.len() >= MAILBOXES_MAX {
        return Err(Refused::MailboxesFull.into());
    }
    let number = open.draw(seed).ok_or(Refused::MailboxesFull)?;
    let until_ms = now_ms.saturating_add(MAILBOX_MS);
    open.0.push(Entry { number, account, until_ms });
    open.write(t)?;
    let mailbox = Mailbox { old: Side { key: Some(key), ..Side::default() }, new: Side::default() };
    t.put_once(Once::Mailbox, &id(number), &mailbox.encode(), until_ms)?;
    Ok(number)
}

/// What the other side has left after so many messages; nothing where the key is of neither side.
pub fn look(t: &mut dyn Tables, number: u32, key: &[u8; 32], received: u32, now_ms: u64) -> Result<Option<Bytes>> {
    let Some((mailbox, _)) = find(t, number, now_ms)? else { return Ok(None) };
    Ok(mailbox.side(key).map(|is_old| mailbox.next(is_old, received)))
}

/// Leaves a message, takes the other side's next one, or closes.
pub fn exchange(t: &mut dyn Tables, number: u32, key: [u8; 32], letter: Letter, now_ms: u64) -> Result<Bytes> {
    let (mut mailbox, until_ms) = find(t, number, now_ms)?.ok_or(Refused::NoMailbox)?;
    let is_old = match mailbox.side(&key) {
        Some(is_old) => is_old,
        None if mailbox.new.key.is_none() => {
            mailbox.new.key = Some(key);
            false
        }
        None => return Err(Refused::NoMailbox.into()),
    };
    if letter.close {
        t.take_once(Once::Mailbox, &id(number))?;
        let mut open = Opened::read(t, now_ms)?;
        open.0.retain(|e| e.number != number);
        open.write(t)?;
        return Ok(Bytes::new());
    }
    let most = if is_old { PAIRING_OLD_BYTES_MAX } else { PAIRING_NEW_BYTES_MAX };
    if letter.message.len() > most {
        return Err(Refused::LetterTooLong.into());
    }
    let side = if is_old { &mut mailbox.old } else { &mut mailbox.new };
    side.leave(&letter)?;
    t.put_once(Once::Mailbox, &id(number), &mailbox.encode(), until_ms)?;
    Ok(mailbox.next(is_old, letter.received))
}

/// A mailbox whose time is not over.
fn find(t: &mut dyn Tables, number: u32, now_ms: u64) -> Result<Option<(Mailbox, u64)>> {
    let found = t.once(Once::Mailbox, &id(number))?.filter(|(_, until_ms)| now_ms < *until_ms);
    let read = |(value, until_ms): (Vec<u8>, u64)| match Mailbox::decode(&value) {
        Ok(mailbox) => Ok((mailbox, until_ms)),
        Err(_) => Err(MetaError::Damaged("a mailbox cannot be read")),
    };
    found.map(read).transpose()
}

fn id(number: u32) -> [u8; 32] {
    let mut id = [0; 32];
    let (_, end) = id.split_at_mut(28);
    end.copy_from_slice(&number.to_be_bytes());
    id
}

struct Mailbox {
    /// Of the device that opened it.
    old: Side,
    new: Side,
}

#[derive(Default)]
struct Side {
    /// Hash of the key that names it; none while nobody has come.
    key: Option<[u8; 32]>,
    count: u32,
    /// The newest message; the other side had those before when it was left.
    last: Vec<u8>,
}

impl Side {
    fn leave(&mut self, letter: &Letter) -> Result<()> {
        if letter.message.is_empty() {
            return Ok(());
        }
        // Sent again because no answer came.
        if letter.sent.checked_add(1) == Some(self.count) && letter.message == self.last {
            return Ok(());
        }
        if letter.sent != self.count || self.count >= MESSAGES_MAX {
            return Err(Refused::NoMailbox.into());
        }
        self.count += 1;
        self.last = letter.message.to_vec();
        Ok(())
    }
}

impl Mailbox {
    /// Which side a key names: whether it is that of the device that opened it.
    fn side(&self, key: &[u8; 32]) -> Option<bool> {
        match (self.old.key == Some(*key), self.new.key == Some(*key)) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        }
    }

    fn next(&self, is_old: bool, received: u32) -> Bytes {
        let other = if is_old { &self.new } else { &self.old };
        match received.checked_add(1) == Some(other.count) {
            true => Bytes::copy_from_slice(&other.last),
            false => Bytes::new(),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        for side in [&self.old, &self.new] {
            w.u8(side.key.is_some().into()).raw(&side.key.unwrap_or_default()).u32(side.count).prefixed(&side.last);
        }
        w.finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let mut side = || {
            let known = r.u8()? == 1;
            let key = Some(r.array()?).filter(|_| known);
            Ok(Side { key, count: r.u32()?, last: r.prefixed(PAIRING_OLD_BYTES_MAX)?.to_vec() })
        };
        let (old, new) = (side()?, side()?);
        r.finish()?;
        Ok(Self { old, new })
    }
}

/// Which mailboxes are open.
struct Opened(Vec<Entry>);

#[derive(Clone, Copy)]
struct Entry {
    number: u32,
    account: AccountId,
    until_ms: u64,
}

const LIST: [u8; 32] = [0; 32];

impl Opened {
    fn read(t: &mut dyn Tables, now_ms: u64) -> Result<Self> {
        let Some((value, _)) = t.once(Once::Mailboxes, &LIST)? else { return Ok(Self(Vec::new())) };
        let mut open = Self::decode(&value).map_err(|_| MetaError::Damaged("the list of mailboxes cannot be read"))?;
        open.0.retain(|e| now_ms < e.until_ms);
        Ok(open)
    }

    fn write(&self, t: &mut dyn Tables) -> Result<()> {
        // Once the last of them is over, the list says nothing.
        let until_ms = self.0.iter().map(|e| e.until_ms).max().unwrap_or(0);
        t.put_once(Once::Mailboxes, &LIST, &self.encode(), until_ms)
    }

    /// A number nobody has, short while few are open: of the numbers it is drawn from less than one in a hundred is in
    /// use, so a mistyped one hardly ever meets another's pairing.
    fn draw(&self, seed: &[u8; 32]) -> Option<u32> {
        let mut numbers = NUMBERS_FROM..NUMBERS_FROM * 10;
        while (self.0.len() + 1) * 100 >= numbers.len() {
            numbers = numbers.end..numbers.end * 10;
        }
        let mut random = blake3::Hasher::new().update(seed).finalize_xof();
        let mut draw = || {
            let mut bytes = [0; 8];
            random.fill(&mut bytes);
            // 64 bits over at most 900,000 numbers: what is uneven about it is nothing.
            let at = u64::from_le_bytes(bytes) % numbers.len() as u64;
            numbers.start + u32::try_from(at).unwrap_or(0)
        };
        (0..DRAWS_MAX).map(|_| draw()).find(|number| self.0.iter().all(|e| e.number != *number))
    }

    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.uvarint(self.0.len() as u64);
        for entry in &self.0 {
            w.u32(entry.number).raw(&entry.account.0).u64(entry.until_ms);
        }
        w.finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let count = r.count(MAILBOXES_MAX)?;
        let mut entry = || Ok(Entry { number: r.u32()?, account: AccountId(r.array()?), until_ms: r.u64()? });
        let all = (0..count).map(|_| entry()).collect::<Result<_, Malformed>>()?;
        r.finish()?;
        Ok(Self(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_so_that_less_than_one_in_a_hundred_is_in_use() {
        let mut open = Opened(Vec::new());
        for n in 0..MAILBOXES_MAX as u32 {
            let mut seed = [0; 32];
            seed[..4].copy_from_slice(&n.to_le_bytes());
            let number = open.draw(&seed).unwrap();
            let digits = number.to_string().len() as u32;
            let of_that_length = 9 * 10_usize.pow(digits - 1);
            let alike = open.0.iter().filter(|e| e.number.to_string().len() as u32 == digits).count() + 1;
            assert!(alike * 100 < of_that_length, "{alike} numbers of {digits} digits");
            assert!(open.0.iter().all(|e| e.number != number));
            open.0.push(Entry { number, account: AccountId([0; 32]), until_ms: 1 });
        }
        assert!((100..1000).contains(&open.0[0].number));
    }

    #[test]
    fn hostile_rows_are_refused() {
        let mailbox = Mailbox { old: Side { key: Some([1; 32]), count: 1, last: vec![7; 40] }, new: Side::default() };
        let bytes = mailbox.encode();
        assert!(Mailbox::decode(&bytes).is_ok());
        for end in 0..bytes.len() {
            assert!(Mailbox::decode(&bytes[..end]).is_err());
        }
        assert!(Opened::decode(&[0xff; 9]).is_err());
    }
}
