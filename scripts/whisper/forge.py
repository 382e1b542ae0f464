"""Writes a Whisper checkpoint of random numbers in the published layout.

    forge.py SHAPE BASE_FOLDER OUTPUT_FOLDER

SHAPE is `small-v3` (as large-v3 in all but its size), `large-v3` or `large-v3-turbo`. BASE_FOLDER is an older
multilingual checkpoint: its tokenizer and lists of tokens are taken over, with the language that version 3 has more
and every token behind it one further on. Weights are drawn from a fixed seed and kept in float16, as published.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

LARGE = {"d_model": 1280, "layers": 32, "heads": 20, "ffn": 5120}
SHAPES = {
    "small-v3": ({"d_model": 256, "layers": 3, "heads": 4, "ffn": 512}, 2, [[0, 1], [1, 0], [1, 3]]),
    "large-v3": (
        LARGE,
        32,
        [[7, 0], [10, 17], [12, 18], [13, 12], [16, 1], [17, 14], [19, 11], [21, 4], [24, 1], [25, 6]],
    ),
    "large-v3-turbo": (LARGE, 4, [[2, 4], [2, 11], [3, 3], [3, 6], [3, 11], [3, 14]]),
}
BINS = 128
NEW_LANGUAGE = "<|yue|>"
VOCABULARY = 51_866


def shift_tokens(tokenizer):
    """Makes room for the new language behind the others; returns its id."""
    added = tokenizer["added_tokens"]
    at = next(token["id"] for token in added if token["content"] == "<|translate|>")
    for token in added:
        token["id"] += token["id"] >= at
    new = dict(next(token for token in added if token["id"] == at - 1), id=at, content=NEW_LANGUAGE)
    added.append(new)
    added.sort(key=lambda token: token["id"])
    return at


def main(shape, base, output):
    sizes, decoder_layers, alignment_heads = SHAPES[shape]
    base, output = Path(base), Path(output)
    output.mkdir(parents=True, exist_ok=True)
    tokenizer = json.loads((base / "tokenizer.json").read_text(encoding="utf-8"))
    new = shift_tokens(tokenizer)
    (output / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    generation = json.loads((base / "generation_config.json").read_text())
    for name in ("suppress_tokens", "begin_suppress_tokens"):
        generation[name] = [token + (token >= new) for token in generation[name]]
    generation["alignment_heads"] = alignment_heads
    (output / "generation_config.json").write_text(json.dumps(generation))
    features = {"feature_size": BINS, "hop_length": 160, "n_fft": 400, "sampling_rate": 16_000}
    (output / "preprocessor_config.json").write_text(json.dumps(features))

    torch.manual_seed(20)
    config = WhisperConfig(
        vocab_size=VOCABULARY,
        num_mel_bins=BINS,
        d_model=sizes["d_model"],
        encoder_layers=sizes["layers"],
        decoder_layers=decoder_layers,
        encoder_attention_heads=sizes["heads"],
        decoder_attention_heads=sizes["heads"],
        encoder_ffn_dim=sizes["ffn"],
        decoder_ffn_dim=sizes["ffn"],
        max_source_positions=1500,
        max_target_positions=448,
    )
    torch.set_default_dtype(torch.float16)
    WhisperForConditionalGeneration(config).save_pretrained(output, safe_serialization=True, max_shard_size="20GB")
    # What the tokenizer says of generation is in the folder already; the library writes its own defaults over it.
    (output / "generation_config.json").write_text(json.dumps(generation))


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in SHAPES:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
