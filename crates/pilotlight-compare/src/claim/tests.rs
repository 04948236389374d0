use std::sync::{
    Barrier,
    atomic::{AtomicUsize, Ordering},
    mpsc,
};

use super::*;

const LONG: Duration = Duration::from_secs(3600);

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("room on the disk")
}

/// Makes a claim look as if nobody had written it for two lifetimes.
fn age(folder: &Path, number: u64, lifetime: Duration) {
    let file = File::options()
        .write(true)
        .open(path(folder, number))
        .expect("claimed");
    let then = now(folder).expect("a clock") - 2 * lifetime;
    file.set_modified(then).expect("a file of one's own");
}

fn claimed(worker: &Worker, folder: &Path) -> Option<Claim> {
    worker.claim(folder).expect("a readable folder")
}

#[test]
fn a_claimed_run_is_nobody_elses_until_it_is_given_back() {
    let folder = folder();
    let worker = Worker::new(LONG);
    let claim = claimed(&worker, folder.path()).expect("nobody has it");
    assert!(claimed(&worker, folder.path()).is_none());
    assert!(!claim.is_lost());
    drop(claim);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    assert!(claimed(&worker, folder.path()).is_some());
}

#[test]
fn others_see_who_carries_out_a_run() {
    let folder = folder();
    let seen = || holder(folder.path(), LONG).expect("readable");
    let elsewhere = folder.path().join("not begun");
    assert_eq!(holder(&elsewhere, LONG).expect("no folder yet"), None);
    assert_eq!(seen(), None);
    let worker = Worker::new(LONG);
    let claim = claimed(&worker, folder.path()).expect("nobody has it");
    assert_eq!(seen(), Some(worker.name.clone()));
    // That of a dead worker counts for nothing.
    age(folder.path(), 1, LONG);
    assert_eq!(seen(), None);
    drop(claim);
    assert_eq!(seen(), None);
}

#[test]
fn one_of_many_gets_a_run_and_one_of_many_takes_over_that_of_a_dead() {
    let folder = folder();
    let worker = Worker::new(LONG);
    for round in 1..=20 {
        let n_workers = 8;
        let (start, n_claimed) = (Barrier::new(n_workers), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..n_workers {
                scope.spawn(|| {
                    start.wait();
                    if let Some(claim) = claimed(&worker, folder.path()) {
                        n_claimed.fetch_add(1, Ordering::SeqCst);
                        // As if the process had been killed.
                        std::mem::forget(claim);
                    }
                });
            }
        });
        assert_eq!(n_claimed.load(Ordering::SeqCst), 1, "round {round}");
        assert_eq!(numbers(folder.path()).expect("a folder"), [round]);
        age(folder.path(), round, LONG);
    }
}

#[test]
fn a_worker_that_slept_learns_that_its_run_is_anothers() {
    let folder = folder();
    // Its beats come soon, so that the test is not long.
    let sleeper = Worker::new(Duration::from_millis(500));
    let claim = claimed(&sleeper, folder.path()).expect("nobody has it");
    let (sender, lost) = mpsc::channel();
    claim.on_loss(move || sender.send(()).expect("somebody waits"));

    let other = Held {
        path: path(folder.path(), 2),
        number: 2,
        content: Content {
            worker: "other".into(),
            token: 1,
        },
        lifetime: LONG,
        state: Mutex::default(),
        is_over: Condvar::new(),
    };
    other
        .write(File::create_new(&other.path).expect("free"))
        .expect("room on the disk");
    lost.recv().expect("the heartbeat finds the other claim");
    assert!(claim.is_lost());
    drop(claim);
    // The other's claim stays.
    assert!(other.stands().expect("readable"));
}

#[test]
fn a_living_claim_outlives_its_lifetime() {
    let folder = folder();
    let worker = Worker::new(Duration::from_millis(400));
    let claim = claimed(&worker, folder.path()).expect("nobody has it");
    let first = fs::metadata(path(folder.path(), 1)).expect("claimed");
    let first = first.modified().expect("a time");
    // Until it was written anew behind its lifetime.
    loop {
        let last = fs::metadata(path(folder.path(), 1)).expect("still claimed");
        let last = last.modified().expect("a time");
        if last.duration_since(first).expect("later") > worker.lifetime() {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    assert!(!claim.is_lost());
    assert!(claimed(&worker, folder.path()).is_none());
}

#[test]
fn other_files_are_no_claims() {
    let folder = folder();
    for name in [
        "claim-.json",
        "claim-x.json",
        "claim-1.txt",
        "result.json",
        "claim--1.json",
    ] {
        fs::write(folder.path().join(name), "{}").expect("room on the disk");
    }
    assert_eq!(numbers(folder.path()).expect("a folder"), [0_u64; 0]);
    // Half a claim is one: its worker may just be writing it.
    fs::write(path(folder.path(), 3), "").expect("room on the disk");
    assert!(claimed(&Worker::new(LONG), folder.path()).is_none());
    age(folder.path(), 3, LONG);
    let claim = claimed(&Worker::new(LONG), folder.path()).expect("its worker is dead");
    assert_eq!(claim.held.number, 4);
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let missing = folder().path().join("missing");
    let error = Worker::new(LONG).claim(&missing).expect_err("no folder");
    assert!(error.to_string().contains("missing"), "{error}");
}
