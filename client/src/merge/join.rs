//! The join of two rows of one key with different values (DESIGN §6, FORMATS §2a item 3).
//!
//! A row falls into its core and its joined fields. Rows of equal core become one row. Of two cores the one with the
//! smaller keyed digest stays; the other becomes a version row beside it. So any number of rows joins to the same
//! rows, in whatever order and grouping they meet.
//!
//! In formats without ids the key holds all that matters of the text: there the time as written, the sender's entry,
//! as-of and attachments join across cores too. In formats with ids as-of and attachments belong to their core.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::event::{Attachment, Fields, Kind, Party, Presence, Row, Target, tag};
use crate::ids::EventId;

/// What two rows of one key come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joined {
    pub row: Row,
    /// The content that did not stay, as a row of its own about the same event.
    pub version: Option<Row>,
}

/// Stands in a version row's native key between the event's own key and the hash of the content. Keys of a person's
/// own edits must not hold it.
pub const VERSION_MARK: char = '\u{1f}';

/// Hexadecimal digits of the keyed digest that names a version.
const VERSION_HEX: usize = 32;

/// Tag of an attachment's `rest` that lists other contents seen in its place: hash by hash, ascending.
const ALSO: u16 = 64;
const ALSO_MAX: usize = 64;

/// Joins two rows that have one id. `digest` is the account's keyed digest of a row.
pub fn join(id: EventId, a: &Row, b: &Row, digest: impl Fn(&Row) -> [u8; 32]) -> Joined {
    if a == b {
        return Joined { row: a.clone(), version: None };
    }
    let (core_a, core_b) = (core(a), core(b));
    if core_a == core_b {
        let row = with_joined(core_a, a, b, &[Scope::Key, Scope::Core]);
        return Joined { row, version: None };
    }
    let (digest_a, digest_b) = (digest(&core_a), digest(&core_b));
    let order = digest_a.cmp(&digest_b).then_with(|| core_a.encode().cmp(&core_b.encode()));
    let (stays, goes, stays_core, goes_core, digest) =
        if order == Ordering::Less { (a, b, core_a, core_b, digest_b) } else { (b, a, core_b, core_a, digest_a) };
    let row = with_joined(with_joined(stays_core, stays, stays, &[Scope::Core]), a, b, &[Scope::Key]);
    Joined { row, version: Some(version(id, goes, goes_core, &digest)) }
}

/// Whether a row is a version that [`join`] made, not somebody's own edit.
pub fn is_version(row: &Row) -> bool {
    row.kind == Kind::EDIT && row.native.contains(VERSION_MARK)
}

/// Within which rows a field joins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// All rows of one key.
    Key,
    /// Rows of equal core.
    Core,
}

fn has_ids(row: &Row) -> bool {
    row.fields.get(tag::CLASS).is_none()
}

/// The fields of this row that join, and within what.
fn joined_fields(row: &Row) -> &'static [(u16, Scope)] {
    const WITH_IDS: &[(u16, Scope)] = &[
        (tag::PLACE, Scope::Key),
        (tag::SECONDS, Scope::Key),
        (tag::AS_OF, Scope::Core),
        (tag::EXPIRES_AT, Scope::Core),
        (tag::ATTACHMENTS, Scope::Core),
    ];
    const WITHOUT_IDS: &[(u16, Scope)] = &[
        (tag::PLACE, Scope::Key),
        (tag::SECONDS, Scope::Key),
        (tag::AS_OF, Scope::Key),
        (tag::EXPIRES_AT, Scope::Core),
        (tag::ATTACHMENTS, Scope::Key),
        (tag::SENT_AT, Scope::Key),
        (tag::SENDER, Scope::Key),
    ];
    if has_ids(row) { WITH_IDS } else { WITHOUT_IDS }
}

fn core(row: &Row) -> Row {
    let mut core = row.clone();
    for (tag, _) in joined_fields(row) {
        core.fields.remove(*tag);
    }
    core
}

fn version(id: EventId, row: &Row, core: Row, digest: &[u8; 32]) -> Row {
    let hex: String = digest.iter().flat_map(|b| [b >> 4, b & 15]).take(VERSION_HEX).filter_map(hex_digit).collect();
    let own = if row.native.len() + 1 + VERSION_HEX <= Row::NATIVE_BYTES_MAX { &*row.native } else { "" };
    let native = format!("{own}{VERSION_MARK}{hex}");
    let target = match row.target {
        Target::Own => id,
        Target::Event(target) => target,
    };
    let mut version = with_joined(core, row, row, &[Scope::Core]);
    version.kind = Kind::EDIT;
    version.target = Target::Event(target);
    version.native = native;
    version
}

fn hex_digit(nibble: u8) -> Option<char> {
    char::from_digit(u32::from(nibble), 16)
}

fn with_joined(mut row: Row, a: &Row, b: &Row, scopes: &[Scope]) -> Row {
    for (field, scope) in joined_fields(a).iter().chain(joined_fields(b)) {
        if scopes.contains(scope) {
            let value = match (a.fields.get(*field), b.fields.get(*field)) {
                // What any source has without a timer is kept like everything else.
                (Some(_), None) | (None, Some(_)) if *field == tag::EXPIRES_AT => continue,
                (Some(a), Some(b)) if a != b => join_field(*field, a, b),
                (Some(one), _) | (None, Some(one)) => one.to_vec(),
                (None, None) => continue,
            };
            row.fields.set(*field, value);
        }
    }
    row
}

fn join_field(field: u16, a: &[u8], b: &[u8]) -> Vec<u8> {
    let one = |value: &[u8]| {
        let mut fields = Fields::default();
        fields.set(field, value);
        Row { fields, ..Row::new(Kind::MESSAGE, 0, "") }
    };
    let (row_a, row_b) = (one(a), one(b));
    let numbers = (row_a.fields.number(field), row_b.fields.number(field));
    let pick = |b_is_better: bool| if b_is_better { b.to_vec() } else { a.to_vec() };
    match field {
        tag::PLACE => pick((numbers.1.is_some(), numbers.1, b) > (numbers.0.is_some(), numbers.0, a)),
        tag::AS_OF | tag::SECONDS | tag::EXPIRES_AT => {
            pick((numbers.1.is_none(), numbers.1, b) < (numbers.0.is_none(), numbers.0, a))
        }
        tag::SENT_AT => {
            let rank = |row: &Row| row.sent_at().map(|stamp| (stamp.utc_ms.is_some(), stamp.precision));
            pick((rank(&row_b), a) > (rank(&row_a), b))
        }
        tag::SENDER => match (row_a.sender(), row_b.sender()) {
            (Some(party_a), Some(party_b)) => join_parties(party_a, party_b).encode(),
            (party_a, party_b) => pick((party_b.is_some(), b) > (party_a.is_some(), a)),
        },
        tag::ATTACHMENTS => match (row_a.attachments(), row_b.attachments()) {
            (list_a, list_b) if list_a.is_empty() == list_b.is_empty() && !list_a.is_empty() => {
                let mut row = Row::new(Kind::MESSAGE, 0, "");
                row.set_attachments(&join_attachments(list_a, list_b));
                row.fields.get(field).map(<[u8]>::to_vec).unwrap_or_default()
            }
            (list_a, list_b) => pick((!list_b.is_empty(), b) > (!list_a.is_empty(), a)),
        },
        _ => pick(b > a),
    }
}

fn join_parties(a: Party, b: Party) -> Party {
    Party {
        native_id: smaller(a.native_id, b.native_id),
        name: smaller(a.name, b.name),
        is_self: a.is_self || b.is_self,
        rest: join_rest(&a.rest, &b.rest),
    }
}

/// Joins place by place; a longer list keeps its tail.
pub(crate) fn join_attachments(a: Vec<Attachment>, b: Vec<Attachment>) -> Vec<Attachment> {
    let (longer, shorter) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    let mut shorter = shorter.into_iter();
    longer.into_iter().map(|x| if let Some(y) = shorter.next() { join_places(x, y) } else { x }).collect()
}

/// The contents seen in an attachment's place, one attachment each: usually just itself.
pub(crate) fn contents(attachment: &Attachment) -> Vec<Attachment> {
    let by_hash = contents_by_hash(attachment);
    by_hash.map_or_else(|| vec![attachment.clone()], |by_hash| by_hash.into_values().collect())
}

/// Joins what stands in one place: a reference without bytes yields to contents, contents are united.
fn join_places(a: Attachment, b: Attachment) -> Attachment {
    let mut all = match (contents_by_hash(&a), contents_by_hash(&b)) {
        (None, None) => return join_same(a, b),
        (Some(one), None) | (None, Some(one)) => one,
        (Some(mut all), Some(more)) => {
            for (hash, y) in more {
                let joined = if let Some(x) = all.remove(&hash) { join_same(x, y) } else { y };
                all.insert(hash, joined);
            }
            all
        }
    };
    while all.len() > ALSO_MAX {
        all.pop_last();
    }
    let Some((_, mut first)) = all.pop_first() else {
        return Attachment::new(crate::event::Role::File, Presence::Missing);
    };
    if !all.is_empty() {
        let mut list = Row::new(Kind::MESSAGE, 0, "");
        list.set_attachments(&all.into_values().collect::<Vec<_>>());
        first.rest.set_some(ALSO, list.fields.remove(tag::ATTACHMENTS));
    }
    first
}

/// Takes the contents of a place apart; none for a place without bytes.
fn contents_by_hash(place: &Attachment) -> Option<BTreeMap<[u8; 32], Attachment>> {
    let hash = place.hash?;
    let mut first = place.clone();
    let mut all = BTreeMap::new();
    if let Some(bytes) = first.rest.remove(ALSO) {
        let mut list = Row::new(Kind::MESSAGE, 0, "");
        list.fields.set(tag::ATTACHMENTS, bytes);
        for mut also in list.attachments() {
            also.rest.remove(ALSO);
            if let Some(hash) = also.hash {
                all.insert(hash, also);
            }
        }
    }
    let first = if let Some(also) = all.remove(&hash) { join_same(first, also) } else { first };
    all.insert(hash, first);
    Some(all)
}

/// Joins two entries of one content, or two references without any: each part by itself.
fn join_same(a: Attachment, b: Attachment) -> Attachment {
    Attachment {
        name: smaller(a.name, b.name),
        mime: smaller(a.mime, b.mime),
        size: a.size.max(b.size),
        role: if (a.role as u8) <= (b.role as u8) { a.role } else { b.role },
        presence: if (a.presence as u8) <= (b.presence as u8) { a.presence } else { b.presence },
        hash: a.hash.or(b.hash),
        source_ref: smaller(a.source_ref, b.source_ref),
        rest: join_rest(&a.rest, &b.rest),
    }
}

fn join_rest(a: &Fields, b: &Fields) -> Fields {
    let mut rest = a.clone();
    for (tag, value) in b.iter() {
        if rest.get(tag).is_none_or(|have| have < value) {
            rest.set(tag, value);
        }
    }
    rest
}

/// Fills in what one side lacks; where both have it, the smaller.
fn smaller(a: Option<String>, b: Option<String>) -> Option<String> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Precision, Role, Stamp};
    use proptest::prelude::*;

    const ID: EventId = EventId([9; 32]);

    fn digest(row: &Row) -> [u8; 32] {
        *blake3::keyed_hash(&[3; 32], &row.encode()).as_bytes()
    }

    /// Everything a set of rows of one key comes to, joined one after another: the row, and version rows by native.
    fn settle(rows: &[Row]) -> (Row, BTreeMap<String, Row>) {
        let mut versions: BTreeMap<String, Row> = BTreeMap::new();
        let mut state = rows[0].clone();
        for row in &rows[1..] {
            let joined = join(ID, &state, row, digest);
            state = joined.row;
            if let Some(version) = joined.version {
                add(&mut versions, version);
            }
        }
        (state, versions)
    }

    fn add(versions: &mut BTreeMap<String, Row>, version: Row) {
        let known = versions.remove(&version.native);
        let version = known.map_or_else(
            || version.clone(),
            |known| {
                let joined = join(EventId([1; 32]), &known, &version, digest);
                assert_eq!(joined.version, None, "version rows of one key have one core");
                joined.row
            },
        );
        versions.insert(version.native.clone(), version);
    }

    fn attachment() -> impl Strategy<Value = Attachment> {
        let optional_name = proptest::option::of("[ab]");
        (optional_name, proptest::option::of(0u64..3), 0..2usize, 0..3usize, proptest::option::of(0u8..3), 0u8..3)
            .prop_map(|(name, size, role, presence, hash, unknown)| {
                let mut a = Attachment::new(
                    [Role::Photo, Role::File][role],
                    [Presence::Present, Presence::Omitted, Presence::Missing][presence],
                );
                (a.name, a.size, a.hash) = (name, size, hash.map(|h| [h; 32]));
                if unknown > 0 {
                    a.rest.set(999, vec![unknown]);
                }
                a
            })
    }

    prop_compose! {
        fn row(with_ids: bool)(
            place in proptest::option::of(0i64..4), as_of in proptest::option::of(0i64..4),
            seconds in proptest::option::of(0i64..4), list in prop::collection::vec(attachment(), 0..3),
            body in "[xy]?", unknown in proptest::option::of(0u8..2), broken in 0u8..6,
            stamp in proptest::option::of(("[12]", any::<bool>())), is_self in proptest::option::of(any::<bool>()),
        ) -> Row {
            let mut row = Row::new(Kind::MESSAGE, 5, "n");
            for (tag, value) in [(tag::PLACE, place), (tag::AS_OF, as_of), (tag::SECONDS, seconds)] {
                if let Some(value) = value {
                    row.fields.set_number(tag, value);
                }
            }
            row.set_attachments(&list);
            row.fields.set_some(tag::BODY, Some(body));
            if !with_ids {
                row.fields.set(tag::CLASS, "P");
            }
            if let Some(unknown) = unknown {
                row.fields.set(900, vec![unknown]);
            }
            if let Some((text, fine)) = stamp {
                row.set_sent_at(&Stamp::local(text, if fine { Precision::Second } else { Precision::Minute }));
            }
            if let Some(is_self) = is_self {
                row.set_sender(&Party { is_self, ..Party::named("Ana") });
            }
            let garbage = [tag::PLACE, tag::AS_OF, tag::ATTACHMENTS, tag::SENDER, tag::SENT_AT];
            if let Some(tag) = garbage.get(usize::from(broken)) {
                row.fields.set(*tag, [0xff, broken]);
            }
            row
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn any_order_and_grouping_comes_to_the_same(
            (rows, order) in any::<bool>()
                .prop_flat_map(|with_ids| prop::collection::vec(row(with_ids), 1..6))
                .prop_flat_map(|rows| { let same = rows.clone(); (Just(rows), Just(same).prop_shuffle()) }),
            cut in 0usize..6,
        ) {
            let expected = settle(&rows);
            prop_assert_eq!(&settle(&order), &expected);
            // In two groups, as two devices would, which then meet.
            let cut = cut.min(rows.len());
            if cut > 0 && cut < rows.len() {
                let (left, right) = (settle(&order[..cut]), settle(&order[cut..]));
                let joined = join(ID, &left.0, &right.0, digest);
                let mut versions = left.1;
                for version in right.1.into_values().chain(joined.version) {
                    add(&mut versions, version);
                }
                prop_assert_eq!(&(joined.row, versions), &expected);
            }
        }

        #[test]
        fn a_row_joined_with_itself_is_itself(row in row(false)) {
            prop_assert_eq!(join(ID, &row, &row.clone(), digest), Joined { row: row.clone(), version: None });
        }

        #[test]
        fn no_content_hash_is_lost(a in row(false), b in row(false)) {
            let hashes = |row: &Row| -> Vec<_> {
                row.attachments().iter().flat_map(contents).filter_map(|a| a.hash).collect()
            };
            let joined = hashes(&join(ID, &a, &b, digest).row);
            prop_assert!(hashes(&a).iter().chain(&hashes(&b)).all(|h| joined.contains(h)));
        }
    }

    #[test]
    fn place_rises_as_of_falls_and_bytes_fill_in() {
        let make = |place, as_of, attachment: Attachment| {
            let mut row = Row::new(Kind::MESSAGE, 0, "n");
            row.fields.set(tag::CLASS, "O").set_number(tag::PLACE, place).set_number(tag::AS_OF, as_of);
            row.set_attachments(&[attachment]);
            row
        };
        let mut present = Attachment::new(Role::Photo, Presence::Present);
        present.hash = Some([7; 32]);
        let a = make(1, 50, Attachment::new(Role::Photo, Presence::Omitted));
        let b = make(300, 40, present.clone());
        let Joined { row, version } = join(ID, &a, &b, digest);
        assert_eq!((row.fields.number(tag::PLACE), row.fields.number(tag::AS_OF)), (Some(300), Some(40)));
        assert_eq!((row.attachments(), version), (vec![present], None));
    }

    #[test]
    fn another_text_of_a_known_id_is_kept_as_a_version() {
        let make = |text: &str, at| {
            let mut row = Row::new(Kind::MESSAGE, 0, "17");
            row.fields.set(tag::BODY, text).set_number(tag::EDITED_AT, at);
            row
        };
        let (a, b) = (make("first", 1), make("second", 2));
        let Joined { row, version } = join(ID, &a, &b, digest);
        let version = version.expect("one of two texts");
        assert!(is_version(&version) && version.target == Target::Event(ID));
        let mut texts = [row.body(), version.body()];
        texts.sort();
        assert_eq!(texts, [Some("first"), Some("second")]);
        assert_eq!(
            version.fields.number(tag::EDITED_AT),
            if version.body() == Some("first") { Some(1) } else { Some(2) }
        );
    }
}
