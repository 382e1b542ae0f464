//! The catalog: a job is known before it starts, and one that died is taken up again, but not for ever.

use std::time::Duration;

use narrator_tests::processes::{eventually, is_alive, signal};
use narrator_tests::program::Ran;
use narrator_tests::sim::{Births, Deed, Load, SimScript, SpeakRule};
use narrator_tests::sim_desk::{SimDesk, count, only_in};

/// The first worker reaches the first of these paragraphs and goes no further, the second one the second,
/// and so on; later workers are good. A restarted run has the script of the first one.
fn held_up_at(paragraphs: &[usize]) -> SimScript {
    let forever = Deed::Slow { steps: 1_000_000, every_ms: 20 };
    let rule = |(at, paragraph): (usize, &usize)| {
        SpeakRule::on(&only_in(*paragraph), forever.clone()).only(Births::Only(at as u64 + 1))
    };
    SimScript { speak: paragraphs.iter().enumerate().map(rule).collect(), ..SimScript::default() }
}

/// A desk whose run was killed, without a chance to say a word, with `done` segments done.
fn killed(script: SimScript, done: usize, paragraphs: usize) -> SimDesk {
    let desk = SimDesk::new(paragraphs, script);
    let running = desk.start(&desk.run_arguments());
    desk.wait_for_events("segment_done", done);
    running.kill();
    desk
}

fn killed_after(done: usize, paragraphs: usize) -> SimDesk {
    killed(held_up_at(&[done + 1]), done, paragraphs)
}

fn supervise_once(desk: &SimDesk) -> Ran {
    desk.run(&["supervise", "--once", "--pause", "0"])
}

fn audio(desk: &SimDesk) -> Vec<u8> {
    std::fs::read(desk.path("book.wav")).expect("the audiobook is there")
}

#[test]
fn a_job_is_known_before_its_first_worker_starts() {
    let load = vec![(Births::All, Load::Stop)];
    let desk = SimDesk::new(3, SimScript { load, ..SimScript::default() });
    let running = desk.start(&desk.run_arguments());
    desk.wait_for_events("worker_starting", 1);
    let job = desk.only_job();
    assert_eq!((&job["state"], &job["tries"]), (&"running".into(), &0.into()));
    assert_eq!(job["title"], "book");
    assert_eq!(job["folder"], desk.job().to_str().unwrap());
    let arguments = desk.run_arguments();
    let known = job["arguments"].as_array().unwrap();
    assert!(
        known.iter().zip(&arguments).all(|(known, given)| known == given) && known.len() >= arguments.len()
    );
    running.kill();
}

#[test]
fn a_killed_job_is_listed_as_gone_and_taken_up_to_its_end() {
    let whole = {
        let desk = SimDesk::new(12, SimScript::default());
        desk.narrate().expect(0);
        audio(&desk)
    };
    let desk = killed_after(5, 12);
    assert_eq!(desk.only_job()["state"], "gone");
    let listed = desk.run(&["jobs"]).expect(0).stdout();
    assert!(listed.starts_with("gone ") && listed.contains("takes it up again"), "{listed}");

    let said = supervise_once(&desk).expect(0).stderr();
    assert!(said.contains("its process is gone with 5 segments done; restart 1 of 3"), "{said}");
    let job = desk.only_job();
    assert_eq!((&job["state"], &job["tries"]), (&"finished".into(), &1.into()));
    assert!(audio(&desk) == whole, "the audio differs from an undisturbed run's");
    // It resumed: what was done was not spoken again.
    let events = desk.events();
    let starts: Vec<_> = events.iter().filter(|event| event["event"] == "run_started").collect();
    assert_eq!(starts.iter().map(|start| start["pending"].as_u64()).collect::<Vec<_>>(), [Some(12), Some(7)]);
    let told = events.iter().find(|event| event["event"] == "job_restarted").expect("it is told");
    assert_eq!((&told["tries"], &told["done"]), (&1.into(), &5.into()));
    // Nothing is left to take up.
    assert_eq!(supervise_once(&desk).expect(0).stderr(), "");
}

#[test]
fn where_and_how_the_command_was_given_is_remembered() {
    let desk = killed_after(2, 4);
    // As at boot: another folder, and nothing in the environment but a home.
    let mut command = desk.narratord(&["supervise", "--once", "--pause", "0"]);
    command.env_clear().env("HOME", desk.path("")).env("XDG_STATE_HOME", desk.path("state")).current_dir("/");
    Ran(command.output().unwrap()).expect(0);
    let job = desk.only_job();
    assert_eq!((&job["state"], &job["tries"]), (&"finished".into(), &1.into()), "{job:#}");
    let kept = job["environment"].as_object().unwrap();
    assert!(kept.contains_key("NARRATOR_HOME") && !kept.contains_key("HOME"), "{kept:?}");
}

#[test]
fn a_job_that_gains_nothing_is_given_up_after_two_restarts() {
    // After the first worker every one dies of loading: the run ends with work left, and not one more
    // segment is done.
    let good = Load::Slow { moves: 1, every_ms: 1 };
    let load = vec![(Births::Only(1), good), (Births::All, Load::Exit { code: 3 })];
    let desk = killed(SimScript { load, ..held_up_at(&[4]) }, 3, 8);
    let said = supervise_once(&desk).expect(75).stderr();
    assert!(said.contains("restart 1 of 3") && said.contains("restart 2 of 3"), "{said}");
    assert!(!said.contains("restart 3 of 3"), "{said}");
    assert!(said.contains("given up: restarted 2 times without one more segment done"), "{said}");
    let job = desk.only_job();
    assert_eq!((&job["state"], &job["tries"]), (&"given up".into(), &2.into()));
    let listed = desk.run(&["jobs"]).expect(0).stdout();
    assert!(listed.starts_with("given up ") && listed.contains("without one more segment done"), "{listed}");
    let told = desk.events();
    let told = told.iter().find(|event| event["event"] == "job_given_up").expect("it is told");
    assert_eq!((&told["level"], &told["done"]), (&"error".into(), &3.into()));
    // Once given up it is left alone, whatever changes, until a person runs it again.
    assert_eq!(supervise_once(&desk).expect(0).stderr(), "");
    let mut desk = desk;
    desk.script(SimScript::default());
    desk.narrate().expect(0);
    let job = desk.only_job();
    assert_eq!(
        (&job["state"], &job["tries"]),
        (&"finished".into(), &0.into()),
        "a person's start counts anew"
    );
}

#[test]
fn a_job_that_gains_a_little_each_time_is_given_up_after_three() {
    let desk = killed(held_up_at(&[3, 5, 7, 9]), 2, 12);
    // Each run gets two segments further and dies again: three restarts, and no more.
    for (done, tries) in [(4, 1), (6, 2), (8, 3)] {
        let supervisor = desk.start(&["supervise", "--once", "--pause", "60"]);
        desk.wait_for_events("segment_done", done);
        kill_the_run(&desk);
        supervisor.kill();
        assert_eq!(desk.only_job()["tries"], tries);
    }
    let said = supervise_once(&desk).expect(75).stderr();
    assert!(said.contains("given up: restarted 3 times and still not finished"), "{said}");
    assert_eq!(count(&desk.events(), "run_started"), 4);
}

/// Kills the run that holds the job now.
fn kill_the_run(desk: &SimDesk) {
    let lock = std::fs::read_to_string(desk.job().join("lock")).expect("it is held");
    let pid: u32 =
        lock.lines().find_map(|line| line.strip_prefix("pid ")?.parse().ok()).expect("by somebody");
    signal(pid, libc::SIGKILL);
    assert!(eventually(Duration::from_secs(20), || !is_alive(pid)));
}

#[test]
fn a_job_that_a_person_stopped_is_theirs() {
    let desk = SimDesk::new(8, held_up_at(&[4]));
    let running = desk.start(&desk.run_arguments());
    desk.wait_for_events("segment_done", 3);
    signal(running.pid(), libc::SIGINT);
    desk.wait_for_events("draining", 1);
    // The second Ctrl-C does not wait for the sentence that never ends.
    signal(running.pid(), libc::SIGINT);
    running.wait().expect(75);
    assert_eq!(desk.only_job()["state"], "stopped");
    assert_eq!(supervise_once(&desk).expect(0).stderr(), "");
    assert_eq!(count(&desk.events(), "run_started"), 1);
}

#[test]
fn a_job_that_the_machine_stopped_is_taken_up() {
    let desk = SimDesk::new(8, held_up_at(&[4]));
    let running = desk.start(&desk.run_arguments());
    desk.wait_for_events("segment_done", 3);
    for _ in 0..2 {
        // As at a shutdown.
        signal(running.pid(), libc::SIGTERM);
        desk.wait_for_events("draining", 1);
    }
    running.wait().expect(75);
    supervise_once(&desk).expect(0);
    assert_eq!(desk.only_job()["state"], "finished");
}

/// A signal between two stages is not lost: the run ends in order, whenever it comes.
#[test]
fn a_request_to_stop_before_the_workers_start_ends_the_run_in_order() {
    let desk = SimDesk::new(3, SimScript::default());
    let running = desk.start(&desk.run_arguments());
    let log = desk.job().join("logs/narratord.jsonl");
    assert!(eventually(Duration::from_secs(20), || log.exists()), "the run opened no log");
    signal(running.pid(), libc::SIGTERM);
    running.wait().expect(75);
    let events = desk.events();
    let last = events.last().expect("it said something");
    assert_eq!((&last["event"], &last["exit"]), (&"run_finished".into(), &75.into()));
    assert_eq!(desk.only_job()["state"], "stopped");
    desk.narrate().expect(0);
}

#[test]
fn a_job_whose_folder_is_gone_is_listed_until_it_is_forgotten() {
    let desk = SimDesk::new(1, SimScript::default());
    desk.narrate().expect(0);
    assert_eq!(desk.only_job()["state"], "finished");
    assert_eq!(desk.run(&["jobs", "--forget"]).expect(0).stderr(), "");
    std::fs::remove_dir_all(desk.job()).expect("removed");
    let listed = desk.run(&["jobs"]).expect(0).stdout();
    assert!(listed.starts_with("removed ") && listed.contains("`narratord jobs --forget`"), "{listed}");
    let said = desk.run(&["jobs", "--forget"]).expect(0);
    assert!(said.stderr().contains("forgot book ("), "{}", said.stderr());
    assert_eq!(said.stdout(), "");
    assert_eq!(desk.run(&["jobs", "--json"]).expect(0).stdout().trim(), "[]");
}

#[test]
fn a_job_that_runs_is_left_alone() {
    let desk = SimDesk::new(6, held_up_at(&[3]));
    let running = desk.start(&desk.run_arguments());
    desk.wait_for_events("segment_done", 2);
    assert_eq!(supervise_once(&desk).expect(0).stderr(), "");
    assert!(is_alive(running.pid()));
    let job = desk.only_job();
    assert_eq!((&job["state"], &job["tries"]), (&"running".into(), &0.into()));
    running.kill();
}

#[test]
fn two_supervisors_do_not_fight_and_a_request_to_stop_reaches_the_run() {
    let desk = killed(held_up_at(&[4, 6]), 3, 8);
    let first = desk.start(&["supervise"]);
    desk.wait_for_events("segment_done", 5);
    let second = supervise_once(&desk).expect(73);
    assert!(second.stderr().contains(&format!("at work: process {}", first.pid())), "{}", second.stderr());
    let job = desk.only_job();
    assert_eq!((&job["state"], &job["tries"]), (&"running".into(), &1.into()));

    // As `systemctl --user stop` does, twice, since the sentence in hand never ends.
    for _ in 0..2 {
        signal(first.pid(), libc::SIGTERM);
        desk.wait_for_events("draining", 1);
    }
    let said = first.wait().expect(0).stderr();
    assert!(said.contains("asked to stop"), "{said}");
    let job = desk.only_job();
    assert_eq!((&job["state"], &job["tries"]), (&"stopped".into(), &0.into()), "its try is not counted");
    assert!(desk.place().pids().iter().all(|pid| !is_alive(*pid)), "no worker is left");
    supervise_once(&desk).expect(0);
    assert_eq!(desk.only_job()["state"], "finished");
}

#[test]
fn one_bad_job_does_not_keep_the_others_waiting() {
    let desk = killed_after(1, 3);
    // An older job whose folder can take no log, and a catalog file that says nothing.
    let jobs = desk.path("state/narratord/jobs");
    let entry = std::fs::read_dir(&jobs).unwrap().map(|entry| entry.unwrap().path());
    let entry = entry.into_iter().find(|path| path.extension().is_some_and(|e| e == "toml")).unwrap();
    let other = desk.path("other.narration");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("logs"), "in the way").unwrap();
    let text = std::fs::read_to_string(&entry).unwrap();
    let started = text.lines().find(|line| line.starts_with("started")).unwrap().to_string();
    let text = text
        .replace(desk.job().to_str().unwrap(), other.to_str().unwrap())
        .replace(&started, "started = \"2000-01-01T00:00:00.000Z\"");
    std::fs::write(jobs.join("00.toml"), text).unwrap();
    std::fs::write(jobs.join("11.toml"), "no entry").unwrap();
    let said = supervise_once(&desk).0;
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("cannot open"), "{said}");
    let listed = desk.run(&["jobs"]).expect(0);
    assert!(listed.stdout().contains("finished"), "{}", listed.stdout());
    assert!(listed.stderr().contains("11.toml is no catalog entry"), "{}", listed.stderr());
}

#[test]
fn the_unit_is_one_that_systemd_accepts() {
    let desk = SimDesk::new(1, SimScript::default());
    let mut install = desk.narratord(&["install-service"]);
    let said = Ran(install.env("XDG_CONFIG_HOME", desk.path("config")).output().unwrap()).expect(0).stderr();
    assert!(said.contains("enable-linger"), "{said}");
    let unit = desk.path("config/systemd/user/narratord.service");
    let link = desk.path("config/systemd/user/default.target.wants/narratord.service");
    assert_eq!(std::fs::canonicalize(link).unwrap(), std::fs::canonicalize(&unit).unwrap());
    let printed = desk.run(&["install-service", "--print"]).expect(0).stdout();
    assert_eq!(printed.trim_end(), std::fs::read_to_string(&unit).unwrap().trim_end());
    let verify = std::process::Command::new("systemd-analyze")
        .args(["verify", "--user", "--man=no"])
        .arg(&unit)
        .env("XDG_RUNTIME_DIR", desk.path(""))
        .output();
    match verify {
        Ok(verified) => {
            let said = String::from_utf8_lossy(&verified.stderr);
            assert!(verified.status.success() && !said.contains("narratord"), "{said}");
        }
        Err(error) => println!("skipped: systemd-analyze cannot be run here ({error})"),
    }
}
