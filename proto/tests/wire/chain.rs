//! The way from the account id to the newest roster, over root rotations (`docs/format.md` §4.4).

use proto::wire::header::Record;
use proto::wire::ids::AccountId;
use proto::wire::roster::{Refused, Roster, accept_chain, accept_next};

use crate::maker::{Plan, ROOT, account, public};

type Signed = (Record, Vec<u8>);

/// Nine rosters; the third and the sixth rotate the root.
fn life() -> Vec<Signed> {
    let first = Plan::first();
    let (mut current, mut signer) = (first.roster.clone(), first.signer);
    let mut all = vec![first.publish()];
    for n in 2..=9u8 {
        let mut plan = Plan::after(&current, signer);
        match n {
            2 => plan.join(2),
            3 | 6 => plan.rotate(ROOT + n),
            5 => plan.next_epoch(),
            _ => {}
        }
        signer = plan.signer;
        let (record, body) = plan.publish();
        current = accept_next(&current, &record, &body).expect("every step of this life is allowed").roster;
        all.push((record, body));
    }
    all
}

fn walk(account: &AccountId, rosters: &[&Signed]) -> Result<Roster, Refused> {
    accept_chain(account, rosters.iter().map(|(record, body)| (record, &body[..]))).map(|clear| clear.roster)
}

#[test]
fn rotations_lead_from_the_account_id_to_the_newest_roster() {
    let all = life();
    let [v1, v2, v3, v4, v5, v6, .., v9] = &all[..] else { panic!("nine rosters") };
    let accepted: [(&[&Signed], u64, u8); 6] = [
        (&[v1], 1, ROOT),
        (&[v2], 2, ROOT),
        (&[v3], 3, ROOT + 3),
        (&[v3, v5], 5, ROOT + 3),
        (&[v3, v6], 6, ROOT + 6),
        (&[v3, v6, v9], 9, ROOT + 6),
    ];
    for (chain, version, root) in accepted {
        let roster = walk(&account(), chain).unwrap_or_else(|why| panic!("{version}: {why}"));
        assert_eq!((roster.version, roster.verifying_key), (version, public(root)));
    }
    let refused: [(&str, &[&Signed], Refused); 10] = [
        ("nothing", &[], Refused::Version),
        ("no rotation told", &[v9], Refused::Rotation),
        ("the first rotation left out", &[v6, v9], Refused::Rotation),
        ("the second rotation left out", &[v3, v9], Refused::Rotation),
        ("backwards", &[v6, v3], Refused::Rotation),
        ("a rotation twice", &[v3, v3], Refused::Version),
        ("a roster of the old root at the end", &[v3, v2], Refused::Version),
        ("a roster of the old root in the middle", &[v2, v3], Refused::Version),
        ("a plain roster in the middle", &[v3, v4, v6], Refused::Version),
        ("something after the newest", &[v3, v6, v9, v9], Refused::Version),
    ];
    for (name, chain, why) in refused {
        assert_eq!(walk(&account(), chain).err(), Some(why), "{name}");
    }
    assert_eq!(walk(&AccountId([7; 32]), &[v1]).err(), Some(Refused::Account));
}

#[test]
fn a_root_without_consent_enters_no_chain() {
    let first = Plan::first();
    let mut thief = Plan::after(&first.roster, ROOT);
    thief.rotate(ROOT + 3);
    thief.rotated_from = None;
    assert_eq!(walk(&account(), &[&thief.publish()]).err(), Some(Refused::Rotation));

    // Names the right old root in the account id's place, yet signs consent with a key of his own.
    thief.rotated_from = Some(9);
    assert_eq!(walk(&account(), &[&thief.publish()]).err(), Some(Refused::Rotation));
    let mut forged = Plan::after(&first.roster, ROOT);
    forged.rotate(ROOT + 3);
    let (record, body) = forged.publish();
    let (clear, _) = record.split_body(&body).unwrap();
    let mut clear = clear.to_vec();
    let end = clear.len();
    // The clear part ends: signature (64), no joiner (1).
    clear[end - 2] ^= 1;
    let signed = crate::maker::record(record.header.clone(), &clear, &crate::maker::key(ROOT + 3));
    assert_eq!(walk(&account(), &[&signed]).err(), Some(Refused::Rotation));

    let mut skips = Plan::after(&first.roster, ROOT);
    skips.rotate(ROOT + 3);
    skips.roster.root_generation = 3;
    assert_eq!(walk(&account(), &[&skips.publish()]).err(), Some(Refused::Rotation));
}
