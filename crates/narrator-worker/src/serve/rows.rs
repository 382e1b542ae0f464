//! The rows inside the engine, and what becomes of their samples.

use narrator_engine::{EngineError, RowId, SpeechSink, SpeechStats, Synthesizer};
use narrator_proto::{Done, Failure, FailureKind, FatalKind, FromWorker, RequestId, Speak};

use super::compute::Ending;
use super::guard::{Blame, RowFault, RowGuard, blame, brief};
use super::outbox::{Outbox, OutboxError};
use super::pulse::Pulse;

/// Half a second a chunk: often enough to be a sign of progress, large enough to cost nothing.
const CHUNKS_PER_SECOND: u32 = 2;

#[derive(Debug)]
struct Row {
    request: RequestId,
    guard: RowGuard,
    /// Samples that wait until they are a chunk.
    chunk: Vec<f32>,
    /// What the guard found; the row leaves the engine after the step.
    fault: Option<RowFault>,
}

/// Rows in the order of their admission.
#[derive(Debug)]
pub struct Rows<'a> {
    inside: Vec<Row>,
    sample_rate: u32,
    memory_ran_out: bool,
    outbox: &'a Outbox,
    pulse: &'a Pulse,
}

impl<'a> Rows<'a> {
    pub fn new(sample_rate: u32, outbox: &'a Outbox, pulse: &'a Pulse) -> Self {
        Self { inside: Vec::new(), sample_rate, memory_ran_out: false, outbox, pulse }
    }

    pub fn len(&self) -> usize {
        self.inside.len()
    }

    pub fn contains(&self, request: RequestId) -> bool {
        self.inside.iter().any(|row| row.request == request)
    }

    pub fn add(&mut self, request: RequestId, speak: &Speak) {
        let guard = RowGuard::new(speak, self.sample_rate);
        self.inside.push(Row { request, guard, chunk: Vec::new(), fault: None });
    }

    /// The engine did not take a row that was just added.
    pub fn not_admitted(&mut self, request: RequestId, error: &EngineError) -> Result<(), Ending> {
        self.fail(RowId(request.0), error)
    }

    /// Whether memory ran out since this was last asked.
    pub fn take_memory_ran_out(&mut self) -> bool {
        std::mem::take(&mut self.memory_ran_out)
    }

    /// Advances the engine by a step and settles what came of it.
    pub fn step(&mut self, engine: &mut dyn Synthesizer) -> Result<(), Ending> {
        let mut sink = Sink { rows: self, ending: None };
        let stepped = engine.step(&mut sink);
        let ending = sink.ending;
        self.pulse.step();
        if let Some(ending) = ending {
            return Err(ending);
        }
        if let Err(error) = stepped {
            return self.engine_failed(engine, &error);
        }
        self.evict_faulty(engine)?;
        if engine.rows() == 0 && !self.inside.is_empty() {
            // Nothing would ever come of them.
            return self.fail_from(0, None, FailureKind::BadOutput, "engine dropped the text without a word");
        }
        Ok(())
    }

    /// Takes one row out; false when it is not in.
    pub fn cancel(&mut self, engine: &mut dyn Synthesizer, request: RequestId) -> Result<bool, Ending> {
        let Some(at) = self.inside.iter().position(|row| row.request == request) else { return Ok(false) };
        self.inside.remove(at);
        engine.cancel(RowId(request.0));
        self.send_failure(request, FailureKind::Cancelled, "cancelled")?;
        Ok(true)
    }

    pub fn cancel_all(&mut self, engine: &mut dyn Synthesizer) -> Result<(), Ending> {
        self.fail_from(0, Some(engine), FailureKind::Cancelled, "cancelled")
    }

    pub fn send_failure(&self, request: RequestId, kind: FailureKind, what: &str) -> Result<(), Ending> {
        send_failure(self.outbox, self.pulse, request, kind, what)
    }

    /// Out of memory: the younger half makes room, so that what is nearly done is not lost. Everything
    /// else that an engine says of itself as a whole means that it is gone.
    fn engine_failed(&mut self, engine: &mut dyn Synthesizer, error: &EngineError) -> Result<(), Ending> {
        match blame(error) {
            Blame::Row(FailureKind::OutOfMemory) => {
                self.memory_ran_out = true;
                let stay = self.inside.len() / 2;
                self.fail_from(stay, Some(engine), FailureKind::OutOfMemory, &error.to_string())
            }
            Blame::Row(_) => Err(Ending::fatal(FatalKind::DeviceFault, &error.to_string())),
            Blame::Process(kind) => Err(Ending::fatal(kind, &error.to_string())),
        }
    }

    /// Fails every row from place `first` on, and takes it out of the engine if there is one.
    fn fail_from(
        &mut self,
        first: usize,
        engine: Option<&mut dyn Synthesizer>,
        kind: FailureKind,
        what: &str,
    ) -> Result<(), Ending> {
        let leaving = self.inside.split_off(first.min(self.inside.len()));
        if let Some(engine) = engine {
            for row in &leaving {
                engine.cancel(RowId(row.request.0));
            }
        }
        leaving.iter().try_for_each(|row| self.send_failure(row.request, kind, what))
    }

    fn evict_faulty(&mut self, engine: &mut dyn Synthesizer) -> Result<(), Ending> {
        let faulty = self.inside.extract_if(.., |row| row.fault.is_some()).collect::<Vec<_>>();
        for row in faulty {
            engine.cancel(RowId(row.request.0));
            if let Some((kind, what)) = row.fault {
                self.send_failure(row.request, kind, &what)?;
            }
        }
        Ok(())
    }

    fn hear(&mut self, row: RowId, pcm: &[f32]) -> Result<(), Ending> {
        let chunk_samples = (self.sample_rate / CHUNKS_PER_SECOND).max(1) as usize;
        let Some(row) = self.inside.iter_mut().find(|known| known.request.0 == row.0) else { return Ok(()) };
        if row.fault.is_some() {
            return Ok(());
        }
        if let Err(fault) = row.guard.hear(pcm) {
            row.fault = Some(fault);
            row.chunk = Vec::new();
            return Ok(());
        }
        row.chunk.extend_from_slice(pcm);
        let whole = row.chunk.len() - row.chunk.len() % chunk_samples;
        for chunk in row.chunk[..whole].chunks(chunk_samples) {
            self.outbox.pcm(row.request, chunk)?;
            self.pulse.step();
        }
        row.chunk.drain(..whole);
        Ok(())
    }

    fn finish(&mut self, row: RowId, stats: SpeechStats) -> Result<(), Ending> {
        let Some(at) = self.inside.iter().position(|known| known.request.0 == row.0) else { return Ok(()) };
        let row = self.inside.remove(at);
        if let Err((kind, what)) = row.fault.map_or_else(|| row.guard.judge(), Err) {
            return self.send_failure(row.request, kind, &what);
        }
        if !row.chunk.is_empty() {
            self.outbox.pcm(row.request, &row.chunk)?;
        }
        let done = Done { samples: row.guard.samples(), compute_ms: stats.compute_ms };
        Ok(self.outbox.send(&FromWorker::Done { request: row.request, done })?)
    }

    fn fail(&mut self, row: RowId, error: &EngineError) -> Result<(), Ending> {
        let Some(at) = self.inside.iter().position(|known| known.request.0 == row.0) else { return Ok(()) };
        let row = self.inside.remove(at);
        match blame(error) {
            Blame::Row(kind) => self.send_failure(row.request, kind, &error.to_string()),
            Blame::Process(kind) => Err(Ending::fatal(kind, &error.to_string())),
        }
    }
}

/// Says that one request failed, and why.
pub fn send_failure(
    outbox: &Outbox,
    pulse: &Pulse,
    request: RequestId,
    kind: FailureKind,
    what: &str,
) -> Result<(), Ending> {
    let failure =
        Failure { kind, message: brief(what), wanted_bytes: None, device_memory: pulse.device_memory() };
    Ok(outbox.send(&FromWorker::Failed { request, failure })?)
}

/// What an engine sees of the rows during a step. The first ending is kept, the rest of the step is void.
struct Sink<'a, 'b> {
    rows: &'a mut Rows<'b>,
    ending: Option<Ending>,
}

impl Sink<'_, '_> {
    fn settle(&mut self, act: impl FnOnce(&mut Rows<'_>) -> Result<(), Ending>) {
        if self.ending.is_none() {
            self.ending = act(self.rows).err();
        }
    }
}

impl SpeechSink for Sink<'_, '_> {
    fn samples(&mut self, row: RowId, pcm: &[f32]) {
        self.settle(|rows| rows.hear(row, pcm));
    }

    fn finished(&mut self, row: RowId, stats: SpeechStats) {
        self.settle(|rows| rows.finish(row, stats));
    }

    fn failed(&mut self, row: RowId, error: EngineError) {
        self.settle(|rows| rows.fail(row, &error));
    }
}

impl From<OutboxError> for Ending {
    fn from(error: OutboxError) -> Self {
        match error {
            OutboxError::Closed => Self::Orphaned,
            // A message of ours that is no frame: nothing that follows could be trusted.
            OutboxError::Message(error) => Self::fatal(FatalKind::ProtocolError, &error.to_string()),
        }
    }
}
