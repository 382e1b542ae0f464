use crate::{chapters::Start, flow::{Flow, FlowWriter}};
pub(crate) fn read(source: &str, name: &str, flow: FlowWriter) -> (narrator_core::Metadata, Vec<Start>, Flow) { crate::html::read(source, name, flow) }
