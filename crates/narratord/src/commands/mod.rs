//! The commands that look: everything but `run`.

pub mod checkpoint;
pub mod doctor;
pub mod jobs;
pub mod logs;
pub mod models;
pub mod plan;
pub mod retake;
pub mod service;
pub mod status;
pub mod supervise;
pub mod verify;
pub mod voices;
