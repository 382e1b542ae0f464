//! What models take of a card, before anything is loaded: for whoever plans for several workers on one.

use narrator_torch::Card;

use crate::cli::WeighArgs;
use crate::synth::SynthError;

/// Prints the footprint of every model on standard output, a JSON object a line, in the order given.
#[expect(clippy::print_stdout, reason = "the footprints are the command's data")]
pub fn weigh(args: &WeighArgs) -> Result<(), SynthError> {
    let card = Card { total_bytes: args.card_bytes, multiplies_bfloat16: !args.no_bfloat16 };
    for model in &args.models {
        let footprint = narrator_torch::weigh(model, card)?;
        println!("{}", serde_json::json!(footprint));
    }
    Ok(())
}
