"""Writes what transformers makes of some clips, for the parity tests of Whisper.

    goldens.py MODEL_FOLDER OUTPUT.safetensors CLIP.wav... [--full] [--tokens N]

Each CLIP is mono, 16 bits, at 24 kHz; `CLIP.txt` beside it has its words. A case `N` has `N.pcm` (the clip at
16 kHz, 16 bits), `N.mel` and `N.states` (features and encoder states, thinned out by `N.stride` unless --full),
`N.tokens` (greedy, without timestamps, prompt and end left out), `N.text` (the words), `N.scores` (log-probability
of every token of the words, read after the prompt), and for the transcript with timestamps `N.timed` (its tokens
with their timestamps) and `N.seconds` (where on the path each is read, which is where the word before it ends).
With --tokens N transcripts end there, and `N.limit` says so: random weights never come to an end.
"""

import json
import sys
import wave
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from transformers import GenerationConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

RATE = 16_000
STRIDE = {"mel": (5, 41), "states": (23, 17)}
WHOLE = {"mel": (1, 1), "states": (1, 1)}


def read_clip(path):
    """Samples at 16 kHz, as 16-bit integers."""
    with wave.open(str(path), "rb") as file:
        if (file.getnchannels(), file.getsampwidth()) != (1, 2) or file.getframerate() % 8000:
            raise SystemExit(f"{path}: a mono file of 16 bits at a multiple of 8 kHz is needed")
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)
    return np.clip(np.round(resample(samples, rate)), -32768, 32767).astype(np.int16)


def resample(samples, rate):
    """A windowed sinc, evaluated for every output sample."""
    if rate == RATE:
        return samples
    reach, cutoff = 64, 0.95 * RATE / rate
    padded = np.pad(samples, reach)
    times = np.arange(int(len(samples) * RATE / rate)) * rate / RATE
    near = np.floor(times).astype(int)[:, None] + np.arange(-reach + 1, reach + 1)
    offset = near - times[:, None]
    taps = cutoff * np.sinc(cutoff * offset) * np.cos(np.pi * offset / 2 / reach) ** 2
    return (padded[near + reach] * taps).sum(1)


class Reference:
    def __init__(self, folder, limit):
        self.limit = limit
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        settings = json.loads((folder / "generation_config.json").read_text())
        ident = self.tokenizer.token_to_id
        self.end, self.start = ident("<|endoftext|>"), ident("<|startoftranscript|>")
        config = GenerationConfig(**settings)
        config.no_timestamps_token_id = ident("<|notimestamps|>")
        config.eos_token_id = config.pad_token_id = config.bos_token_id = self.end
        config.decoder_start_token_id, config.max_length = self.start, 448
        self.language = {}
        self.prompt = [self.start]
        if settings.get("is_multilingual"):
            config.lang_to_id = {"<|en|>": ident("<|en|>")}
            config.task_to_id = {"transcribe": ident("<|transcribe|>")}
            self.language = {"language": "en", "task": "transcribe"}
            self.prompt += [ident("<|en|>"), ident("<|transcribe|>")]
        self.model = WhisperForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager"
        ).eval()
        self.model.generation_config = config
        self.features = WhisperFeatureExtractor(feature_size=self.model.config.num_mel_bins)
        self.no_timestamps = config.no_timestamps_token_id

    def generate(self, inputs, timestamps):
        found = self.model.generate(
            inputs.input_features,
            attention_mask=inputs.attention_mask,
            return_timestamps=timestamps,
            return_token_timestamps=True,
            return_dict_in_generate=True,
            do_sample=False,
            num_beams=1,
            **({"max_new_tokens": self.limit} if self.limit else {}),
            **self.language,
        )
        return found["sequences"][0].tolist(), found["token_timestamps"][0].tolist()

    def hear(self, pcm, text, stride):
        audio = pcm.astype(np.float32) / 32768
        inputs = self.features(audio, sampling_rate=RATE, return_tensors="pt", return_attention_mask=True)
        states = self.model.model.encoder(inputs.input_features).last_hidden_state[0]
        tokens, _ = self.generate(inputs, False)
        tokens = [token for token in tokens if token < self.end]
        timed, seconds = self.generate(inputs, True)
        begin = next(at for at, token in enumerate(timed) if token > self.no_timestamps)
        if timed[-1] == self.end:
            timed, seconds = timed[:-1], seconds[:-1]
        words = self.tokenizer.encode(" " + text, add_special_tokens=False).ids
        prompt = self.prompt + [self.no_timestamps]
        logits = self.model(
            encoder_outputs=(states[None],), decoder_input_ids=torch.tensor([prompt + words])
        ).logits[0, len(prompt) - 1 : -1]
        scores = torch.log_softmax(logits, -1).gather(1, torch.tensor(words)[:, None])[:, 0]
        thin = lambda x, by: np.ascontiguousarray(x.numpy()[:: by[0], :: by[1]])
        return {
            "pcm": pcm,
            "mel": thin(inputs.input_features[0], stride["mel"]),
            "states": thin(states, stride["states"]),
            "tokens": np.array(tokens, np.int64),
            "text": np.frombuffer(text.encode(), np.uint8),
            "words": np.array(words, np.int64),
            "scores": scores.numpy(),
            "timed": np.array(timed[begin:], np.int64),
            "seconds": np.array(seconds[begin : len(timed)], np.float32),
            "stride": np.array([*stride["mel"], *stride["states"]], np.int64),
            **({"limit": np.array([self.limit], np.int64)} if self.limit else {}),
        }


def main(arguments):
    full, limit = "--full" in arguments, 0
    if "--tokens" in arguments:
        at = arguments.index("--tokens")
        limit = int(arguments[at + 1])
        del arguments[at : at + 2]
    folder, output, *clips = [Path(one) for one in arguments if one != "--full"]
    torch.set_grad_enabled(False)
    reference, tensors = Reference(folder, limit), {}
    for number, clip in enumerate(clips):
        text = clip.with_suffix(".txt").read_text(encoding="utf-8").strip()
        case = reference.hear(read_clip(clip), text, WHOLE if full else STRIDE)
        tensors.update({f"{number}.{name}": array for name, array in case.items()})
        print(f"{number + 1}/{len(clips)} {clip.name}", file=sys.stderr)
    save_file(tensors, output)


if __name__ == "__main__":
    main(sys.argv[1:])
