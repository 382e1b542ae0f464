//! `SQLite` as the log's peer (WAL, FULL, one connection): the same records into both, the same answers
//! out of both. What the database says is computed by SQL, not by this crate.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use narrator_core::{ContentKey, SegmentId};
use narrator_journal::{Journal, Record, RecordLog, Reopening, Replay, SegmentReopened, Standing, StdFs};
use proptest::prelude::*;
use rusqlite::{Connection, params};

use crate::jobs::{done, fault, key, opening, quarantine};

/// What stands of a segment, as far as both logs can say it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum State {
    Pending { faults: usize },
    Done { bytes: u64, samples: u64 },
    Quarantined { reason: String },
}

#[derive(Debug)]
struct SqliteLog(Connection);

impl SqliteLog {
    fn open(path: &Path) -> rusqlite::Result<Self> {
        let db = Connection::open(path)?;
        db.pragma_update(None, "journal_mode", "wal")?;
        db.pragma_update(None, "synchronous", "full")?;
        db.execute_batch(
            "create table if not exists log(
                 seq integer primary key, kind text not null, key blob, bytes integer, samples integer,
                 reason text, incarnation integer, attempt integer)",
        )?;
        Ok(Self(db))
    }

    fn append(&mut self, records: &[Record]) -> rusqlite::Result<()> {
        let commit = self.0.transaction()?;
        let insert = "insert into log(kind, key, bytes, samples, reason, incarnation, attempt)
                      values(?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        for record in records {
            let none = None::<i64>;
            match record {
                Record::SegmentDone(r) => {
                    let (bytes, samples) = (r.bytes as i64, r.samples as i64);
                    commit.execute(insert, params!["done", r.key.0, bytes, samples, none, none, none])?
                }
                Record::SegmentFault(r) => {
                    let (incarnation, attempt) = (r.incarnation.0 as i64, i64::from(r.attempt));
                    commit
                        .execute(insert, params!["fault", r.key.0, none, none, none, incarnation, attempt])?
                }
                Record::SegmentQuarantined(r) => commit
                    .execute(insert, params!["quarantined", r.key.0, none, none, r.reason, none, none])?,
                Record::SegmentReopened(r) => {
                    commit.execute(insert, params!["reopened", r.key.0, none, none, none, none, none])?
                }
                _ => commit.execute(insert, params!["other", none, none, none, none, none, none])?,
            };
        }
        commit.commit()
    }

    fn states(&self) -> rusqlite::Result<BTreeMap<ContentKey, State>> {
        let mut query = self.0.prepare(
            "with live as (
                 select * from log a where key is not null and kind <> 'reopened' and seq > coalesce(
                     (select max(seq) from log b where b.key = a.key and b.kind = 'reopened'), 0))
             select k.key,
                 (select bytes from live where key = k.key and kind = 'done' order by seq desc limit 1),
                 (select samples from live where key = k.key and kind = 'done' order by seq desc limit 1),
                 (select reason from live where key = k.key and kind = 'quarantined'
                      order by seq desc limit 1),
                 (select count(distinct incarnation || '/' || attempt) from live
                      where key = k.key and kind = 'fault')
             from (select distinct key from log where key is not null) k",
        )?;
        let rows = query.query_map([], |row| {
            let key = ContentKey(row.get(0)?);
            let (bytes, samples): (Option<i64>, Option<i64>) = (row.get(1)?, row.get(2)?);
            let (reason, faults): (Option<String>, i64) = (row.get(3)?, row.get(4)?);
            let state = match (bytes, samples, reason) {
                (Some(bytes), Some(samples), _) => {
                    State::Done { bytes: bytes as u64, samples: samples as u64 }
                }
                (_, _, Some(reason)) => State::Quarantined { reason },
                _ => State::Pending { faults: faults as usize },
            };
            Ok((key, state))
        })?;
        rows.collect()
    }
}

/// What a replay says of these keys.
pub fn states(replay: &Replay, keys: impl IntoIterator<Item = ContentKey>) -> BTreeMap<ContentKey, State> {
    let state = |key: &ContentKey| match replay.standing(key) {
        Standing::Pending(faults) => State::Pending { faults: faults.len() },
        Standing::Done(done) => State::Done { bytes: done.bytes, samples: done.samples },
        Standing::Quarantined(given_up) => State::Quarantined { reason: given_up.reason.clone() },
    };
    keys.into_iter().map(|key| (key, state(&key))).collect()
}

pub fn any_records() -> impl Strategy<Value = Vec<Record>> {
    let one = (1..12_u32, 0..8_u8, 1..5_u64).prop_map(|(n, kind, incarnation)| match kind {
        0..=2 => Record::SegmentDone(done(n)),
        3 | 4 => fault(n, incarnation),
        5 => quarantine(n),
        _ => Record::SegmentReopened(SegmentReopened {
            segment: SegmentId(n),
            key: key(n),
            why: Reopening::Asked,
        }),
    });
    prop::collection::vec(one, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn journal_and_sqlite_tell_the_same_story(
        sessions in prop::collection::vec(prop::collection::vec(any_records(), 0..8), 1..4)
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("segments.ckpt");
        for (i, batches) in sessions.iter().enumerate() {
            let opening = opening(i as u8);
            let mut journal = if i == 0 {
                Journal::create(Arc::new(StdFs), &path, &opening).unwrap().0
            } else {
                Journal::open(Arc::new(StdFs), &path, &opening).unwrap().0
            };
            let mut sqlite = SqliteLog::open(&folder.path().join("peer.db")).unwrap();
            for batch in batches {
                journal.append_batch(batch).unwrap();
                sqlite.append(batch).unwrap();
            }
            let theirs = sqlite.states().unwrap();
            prop_assert_eq!(&states(&journal.replay().unwrap(), theirs.keys().copied()), &theirs);
            // Some sessions end in order, some do not.
            if i % 2 == 0 {
                journal.close().unwrap();
            }
        }
    }
}
