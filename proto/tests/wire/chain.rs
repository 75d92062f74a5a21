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

type Change = fn(&mut Plan);

/// What whoever wants to enter the chain may try on the second roster of an account and behind its first rotation.
#[test]
fn a_root_without_consent_enters_no_chain() {
    let first = Plan::first().roster;
    let tries: [(&str, Change, Refused); 9] = [
        ("no consent", |p| (p.rotate(9), p.rotated_from = None).1, Refused::Rotation),
        ("consent of another root", |p| (p.rotate(9), p.rotated_from = Some((9, 9))).1, Refused::Rotation),
        ("consent in the old root's name", |p| (p.rotate(9), p.rotated_from = Some((ROOT, 9))).1, Refused::Rotation),
        ("a generation left out", |p| (p.rotate(9), p.roster.root_generation = 3).1, Refused::Rotation),
        ("the same generation", |p| (p.rotate(9), p.roster.root_generation = 1).1, Refused::Rotation),
        ("a rotation to itself", |p| p.rotate(ROOT), Refused::Rotation),
        (
            "a plain roster of another root",
            |p| {
                p.signer = 9;
                p.roster.verifying_key = public(9);
            },
            Refused::Rotation,
        ),
        ("a plain roster of another generation", |p| p.roster.root_generation = 2, Refused::Rotation),
        (
            "another account",
            |p| {
                p.roster.account = AccountId([7; 32]);
                p.header.account = AccountId([7; 32]);
            },
            Refused::Account,
        ),
    ];
    for (name, change, why) in tries {
        let mut plan = Plan::after(&first, ROOT);
        change(&mut plan);
        assert_eq!(walk(&account(), &[&plan.publish()]).err(), Some(why), "{name}");
    }
    assert!(walk(&account(), &[&Plan::after(&first, ROOT).publish()]).is_ok());
}

#[test]
fn what_follows_a_rotation_is_held_to_it() {
    let mut rotation = Plan::after(&Plan::first().roster, ROOT);
    rotation.rotate(ROOT + 3);
    let rotated = rotation.publish();
    let tries: [(&str, Change, Refused); 5] = [
        (
            "the old root again",
            |p| {
                p.signer = ROOT;
                p.roster.verifying_key = public(ROOT);
            },
            Refused::Rotation,
        ),
        (
            "another root",
            |p| {
                p.signer = 9;
                p.roster.verifying_key = public(9);
            },
            Refused::Rotation,
        ),
        ("another generation", |p| p.roster.root_generation = 1, Refused::Rotation),
        ("an earlier epoch", |p| p.roster.epoch = 0, Refused::Version),
        ("the same version", |p| (p.roster.version, p.header.roster_version) = (2, 2), Refused::Version),
    ];
    for (name, change, why) in tries {
        let mut plan = Plan::after(&rotation.roster, ROOT + 3);
        change(&mut plan);
        assert_eq!(walk(&account(), &[&rotated, &plan.publish()]).err(), Some(why), "{name}");
    }
    let next = Plan::after(&rotation.roster, ROOT + 3).publish();
    assert!(walk(&account(), &[&rotated, &next]).is_ok());

    rotation.roster.ended = true;
    let ended = rotation.publish();
    assert!(walk(&account(), &[&ended]).is_ok());
    assert_eq!(walk(&account(), &[&ended, &next]).err(), Some(Refused::Version));
}
