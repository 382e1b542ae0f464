#!/usr/bin/env python3
"""Learn the small vocabulary of forged checkpoints from the lines of the tokenizer's goldens.

Writes merges.txt (the path given, or the one inside the crate). Run once; the goldens depend on its result.
Made with tokenizers 0.22.1.
"""
import os
import sys

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from lines import lines

PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
           r"|\s*[\r\n]+|\s+(?!\S)|\s+")
MERGES = 900

here = os.path.dirname(os.path.abspath(__file__))
out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(
    here, "../../crates/narrator-torch/src/qwen3/forge/merges.txt")
bpe = Tokenizer(models.BPE())
bpe.normalizer = normalizers.NFC()
bpe.pre_tokenizer = pre_tokenizers.Sequence([
    pre_tokenizers.Split(Regex(PATTERN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
trainer = trainers.BpeTrainer(vocab_size=256 + MERGES, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
# The words of the templates must be single tokens.
bpe.train_from_iterator(lines() + ["assistant\nuser\n"] * 4000, trainer)
import json
merges = json.loads(bpe.to_str())["model"]["merges"]
with open(out, "w", encoding="utf-8") as file:
    file.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
print(f"{len(merges)} merges, {os.path.getsize(out)} bytes, assistant: {bpe.encode('assistant').tokens}")
