//! One file per promise.

mod audiobook;
mod bad_input;
mod catalog;
mod checkpoint;
mod logs;
mod operations;
mod resume;
mod s01_handshake;
mod s02_ready;
mod s03_hang;
mod s04_deadline;
mod s05_stop_ladder;
mod s06_restart;
mod s07_poison;
mod s08_out_of_memory;
mod s09_admission;
mod s10_orphans;
mod s11_drain;
mod s12_one_run;
mod s13_disk_full;
mod s14_clock;
mod s15_exactly_once;
mod s16_events;
mod shape;
mod status;
