//! Thousands of exports of chats that happened, merged and counted against the truth.
//!
//! Finds: lost lines, texts and files; doubled messages; messages made of two; results that depend on order. Does not
//! find: what a parser reads wrong, and trouble between chats.

use super::device::Device;
use super::tally::{Tally, tally};
use super::world::{DAY, Dice, Hardships, Phone, Shown, World, Zone};
use crate::event::Precision;

fn phone(dice: &mut Dice, hard: Hardships, world: &World) -> Phone {
    let zones = [Zone::Berlin, Zone::NewYork, Zone::Kathmandu];
    let count = world.said.len();
    let from = if hard.cut && dice.per_mille(700) { dice.below(count as u64 * 6 / 10) as usize } else { 0 };
    let last = from + 1 + (count - from) * 4 / 10 + dice.below((count - from) as u64 / 2) as usize;
    Phone {
        zone: if hard.zones { zones[dice.below(3) as usize] } else { Zone::Berlin },
        ios: false,
        with_media: !hard.media || dice.per_mille(500),
        first_name: if hard.renamed && dice.per_mille(400) { "Mama" } else { "Mum" },
        seconds: hard.precisions && dice.per_mille(500),
        from,
        until: world.said.get(last).map_or(world.end() + dice.below(60) as i64 * DAY, |s| s.at),
        vanishing: if hard.vanished { 3 } else { 0 },
    }
}

fn permuted<T>(dice: &mut Dice, mut list: Vec<T>) -> Vec<T> {
    for i in (1..list.len()).rev() {
        list.swap(i, dice.below(i as u64 + 1) as usize);
    }
    list
}

/// Runs one case; answers what went wrong and how many exports there were.
fn run(seed: u64, hard: Hardships) -> (Tally, usize) {
    let mut dice = Dice(seed);
    let world = World::new(&mut dice, 250 + (seed % 7) as usize * 60, hard);
    let ios = hard.precisions && hard.media && dice.per_mille(300);
    let exports: Vec<Vec<Shown>> = (0..4)
        .map(|_| {
            let phone = Phone { ios, ..phone(&mut dice, hard, &world) };
            phone.export(&world, &mut dice)
        })
        .filter(|e| !e.is_empty())
        .collect();
    let mut devices = [Device::new("whatsapp"), Device::new("whatsapp")];
    let order = permuted(&mut dice, (0..exports.len()).collect());
    let mut with_ids: Vec<_> = exports.iter().map(|_| Vec::new()).collect();
    for at in order {
        let device = &mut devices[if hard.apart { dice.below(2) as usize } else { 0 }];
        let lines: Vec<_> = exports[at].iter().map(|s| s.line.clone()).collect();
        let imported = device.import(&lines, Precision::Minute);
        assert_eq!(device.import(&lines, Precision::Minute).new_rows, 0, "importing again adds nothing (seed {seed})");
        with_ids[at] = imported.ids.into_iter().zip(&exports[at]).collect();
    }
    let [mut here, mut there] = devices;
    here.sync(&there);
    there.sync(&here);
    assert!(here.rows == there.rows, "devices converge (seed {seed})");
    (tally(&world, &with_ids, &here.fold()), exports.len())
}

fn all(hardships: &[(&str, Hardships)], seeds: std::ops::Range<u64>) -> (Tally, usize) {
    let (mut total, mut exports) = (Tally::default(), 0);
    for (name, hard) in hardships {
        let mut sum = Tally::default();
        for seed in seeds.clone() {
            let (found, n) = run(seed, *hard);
            if !found.is_clean() && std::env::var_os("CHATKEEP_SHOW").is_some() {
                println!("{name} seed {seed}: {found:?}");
            }
            sum.add(found);
            exports += n;
        }
        println!("{name}: {sum:?}");
        total.add(sum);
    }
    (total, exports)
}

fn hardships() -> Vec<(&'static str, Hardships)> {
    let none = Hardships { cut: true, ..Hardships::default() };
    vec![
        ("cut", none),
        ("zones", Hardships { zones: true, ..none }),
        ("vanished", Hardships { vanished: true, ..none }),
        ("renamed", Hardships { renamed: true, ..none }),
        ("precisions", Hardships { precisions: true, ..none }),
        ("media", Hardships { media: true, ..none }),
        ("changes", Hardships { changes: true, ..none }),
        ("restless", Hardships { changes: true, restless: true, ..none }),
        ("restless, vanished, apart", Hardships { changes: true, restless: true, vanished: true, apart: true, ..none }),
        ("apart", Hardships { apart: true, changes: true, ..none }),
        ("apart, zones, names", Hardships { apart: true, zones: true, renamed: true, ..none }),
    ]
}

fn seeds(short: u64, long: u64) -> std::ops::Range<u64> {
    0..if std::env::var_os("CHATKEEP_LONG").is_some() { long } else { short }
}

#[test]
fn one_hardship_at_a_time_loses_nothing_and_doubles_next_to_nothing() {
    let (total, exports) = all(&hardships(), seeds(2, 40));
    println!("{exports} exports: {total:?}");
    assert_eq!((total.lost, total.files_lost), (0, 0));
    assert!((total.doubled + total.mixed) * 2000 <= total.messages, "{total:?}");
}

#[test]
fn every_hardship_at_once_loses_nothing() {
    let everything = Hardships {
        cut: true,
        zones: true,
        vanished: true,
        renamed: true,
        precisions: true,
        media: true,
        changes: true,
        apart: true,
        restless: false,
    };
    let (total, exports) = all(&[("everything", everything)], seeds(3, 60));
    println!("{exports} exports: {total:?}");
    assert_eq!((total.lost, total.files_lost), (0, 0));
    assert!((total.doubled + total.mixed) * 250 <= total.messages, "{total:?}");
}
