//! See the workspace's DESIGN.
