//! A device that was away for a year: the log it missed is trimmed, and it reads the head instead.

use service::meta::{Meta as _, OpenQuery, PullQuery};
use tests::history::{chat, import, listed, message};
use tests::strata::caller;
use tests::timed::{Device, Timed};
use tests::times;

use crate::gone::delete;

fn say(device: &mut Device, n: u64, text: &str) {
    device.archive.record(&chat(1), &message(n, text)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_away_costs_the_runs_and_no_replay() {
    let timed = Timed::new();
    let mut laptop = timed.first().await;
    import(&mut laptop.archive, 1, 0, 300, 900);
    laptop.backup().await;
    let mut phone = timed.another("phone").await;
    phone.sync().await;
    let known_size = timed.world.meta.log_size(&caller(&timed.world, &phone.vault).await).await.unwrap();
    // What it writes while it is away waits.
    say(&mut phone, 5_000_000, "written on a mountain");

    let records = times(600, 36_000) as u64;
    for n in 0..records {
        say(&mut laptop, 10_000 + n, &format!("day {n}"));
        laptop.sync().await;
        if n % (records / 60) == 0 {
            timed.wait(6 * 24);
        }
        if n % (records / 6) == 0 {
            delete(
                &mut laptop.archive,
                &format!("message {} of chat 1", 100 + n % 7 + n / (records / 6) * 7),
                timed.now(),
            );
            laptop.backup().await;
            timed.wait(30);
            laptop.backup().await;
        }
    }
    laptop.backup().await;
    laptop.sync().await;
    laptop.archive.record(&chat(2), &message(1, "the newest head is agreed with by this")).unwrap();
    laptop.sync().await;
    assert!(timed.sweep().await.trimmed > 0);

    let who = caller(&timed.world, &phone.vault).await;
    let query = OpenQuery { known_size, known_incarnation: 1, known_head: 0, known_roster: 0 };
    let opened = timed.world.meta.open(&who, query, 0).await.unwrap();
    assert!(opened.log.size() > known_size + records);
    assert!(opened.consistency.len() <= 100, "{} hashes", opened.consistency.len());
    let query = PullQuery { from: known_size, known_size, headers_only: false, past_gaps: false, bytes_max: 1 << 20 };
    assert!(timed.world.meta.pull(&who, query, 0).await.unwrap().trimmed.is_some());

    let synced = phone.sync().await;
    assert!(synced.pulled_events < 50, "{} events came from the log", synced.pulled_events);
    assert!(!synced.disagreed);
    laptop.sync().await;
    phone.sync().await;
    assert_eq!(listed(&laptop.archive), listed(&phone.archive));
    assert_eq!(laptop.archive.digest().unwrap().hash(), phone.archive.digest().unwrap().hash());
    assert!(listed(&laptop.archive).iter().any(|line| line.contains("written on a mountain")));
    let backup = phone.backup().await;
    assert!(!backup.disagreed);
    assert_eq!(phone.archive.check().unwrap(), Vec::<String>::new());
    let fresh = timed.another("tablet").await;
    assert_eq!(listed(&fresh.archive), listed(&phone.archive));
}
