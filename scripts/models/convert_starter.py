"""Converts the starter voice: hibari-tts 0.2.1's ONNX graphs to safetensors and a config.json.

    convert_starter.py PACKAGE_FOLDER OUTPUT_FOLDER

PACKAGE_FOLDER is the `hibari` folder of the installed package; OUTPUT_FOLDER must exist. The graphs' weights
are copied by name; the code that runs them is crates/narrator-torch/src/starter. The matrices that the
package quantised to int8 stay int8, each with its scale: `X.weight` (in, out) and `X.scale`. Dequantising
them alone would lose nothing, but the package also rounds the activations in front of them to 8 bits, and
both together is what integer multiplication gives exactly, and fastest.
"""

import json
import os
import struct

from modelfile import ConvertError, run, write_json, write_manifest, write_safetensors

PACKAGE = "hibari-tts 0.2.1"
ONNX_TYPES = {1: "F32", 3: "I8", 7: "I64"}

# The exporter lost the names of the matrices; these are theirs, by the node that used them.
QUANTISED = {
    "acoustic.text.attn.qkv": "/Transpose_2",
    "acoustic.text.attn.out": "/out_proj/Transpose",
    "acoustic.text.attn.up": "/linear1/Transpose",
    "acoustic.text.attn.down": "/linear2/Transpose",
    "acoustic.head": "/head/Transpose",
    "prosody.text.attn.qkv": "/Transpose_25",
    "prosody.text.attn.out": "/out_proj_4/Transpose",
    "prosody.text.attn.up": "/linear1_4/Transpose",
    "prosody.text.attn.down": "/linear2_4/Transpose",
}
for _block in range(2):
    for _new, _old in (("up", "pw1"), ("down", "pw2")):
        QUANTISED[f"acoustic.text.convs.{_block}.{_new}"] = f"/convs.{_block}/{_old}/Transpose"
        QUANTISED[f"prosody.text.convs.{_block}.{_new}"] = f"/convs.{_block}/{_old}_1/Transpose"
for _stack, _path, _count in (("acoustic.decoder", "dec", 8), ("prosody.blocks", "pro", 6)):
    for _block in range(_count):
        for _new, _old in (("up", "pw1"), ("down", "pw2")):
            QUANTISED[f"{_stack}.{_block}.{_new}"] = f"/{_path}.{_block}/{_old}/Transpose"

# What the graph calls a thing, and what the code calls it.
RENAMED = (
    ("self_attn.in_proj_bias", "qkv.bias"),
    ("self_attn.out_proj.bias", "out.bias"),
    ("linear1.bias", "up.bias"),
    ("linear2.bias", "down.bias"),
    ("pw1.", "up."),
    ("pw2.", "down."),
    (".dw.", ".depthwise."),
    ("emb.weight", "embedding"),
    ("m.dec_in.", "acoustic.decoder_in."),
    ("m.dec_norm.", "acoustic.decoder_norm."),
    ("m.dec.", "acoustic.decoder."),
    ("pn.pro_in.", "prosody.blocks_in."),
    ("pn.pro_out.", "prosody.blocks_out."),
    ("pn.pro.", "prosody.blocks."),
    ("pn.dur.0.", "prosody.duration_in."),
    ("pn.dur.2.", "prosody.duration_out."),
)


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data):
    """A protobuf message's fields as (number, value); a length-delimited value is a memoryview."""
    at, end = 0, len(data)
    while at < end:
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = varint(data, at)
        elif wire == 1:
            value, at = data[at : at + 8], at + 8
        elif wire == 2:
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
        elif wire == 5:
            value, at = data[at : at + 4], at + 4
        else:
            raise ConvertError(f"not an ONNX graph: wire type {wire}")
        yield number, value


def initializer(message):
    """One TensorProto as (name, (type, shape, bytes))."""
    name, kind, shape, raw, floats, ints = "", None, [], None, b"", []
    for number, value in fields(message):
        if number == 1:
            shape += packed(value)
        elif number == 2:
            kind = value
        elif number == 4:
            floats += bytes(value)
        elif number == 5:
            ints += packed(value)
        elif number == 8:
            name = bytes(value).decode()
        elif number == 9:
            raw = bytes(value)
    if kind not in ONNX_TYPES:
        raise ConvertError(f"initializer `{name}` has the unknown type {kind}")
    if raw is None:
        raw = floats or struct.pack(f"<{len(ints)}b", *(value - (1 << 64) if value >> 63 else value for value in ints))
    return name, (ONNX_TYPES[kind], shape, raw)


def packed(value):
    if isinstance(value, int):
        return [value]
    out, at = [], 0
    while at < len(value):
        number, at = varint(value, at)
        out.append(number)
    return out


def initializers(path):
    """Every named constant of the ONNX file at `path`, in the file's order."""
    with open(path, "rb") as file:
        model = memoryview(file.read())
    try:
        graph = next(value for number, value in fields(model) if number == 7)
        return dict(initializer(value) for number, value in fields(graph) if number == 5)
    except (IndexError, StopIteration, UnicodeDecodeError) as error:
        raise ConvertError(f"{path} is not an ONNX graph") from error


def voice_tensors(graph):
    tensors = {}
    for new, old in QUANTISED.items():
        prefix = f"{old}_output_0_"
        try:
            weight, scale = graph[prefix + "quantized"], graph[prefix + "scale"]
            zero = graph[prefix + "zero_point"]
        except KeyError as error:
            raise ConvertError(f"the voice's graph has no {error}: is this {PACKAGE}?") from error
        if weight[0] != "I8" or any(zero[2]):
            raise ConvertError(f"`{prefix}quantized` is not symmetric int8")
        tensors[f"{new}.weight"], tensors[f"{new}.scale"] = weight, ("F32", [], scale[2])
    for old, tensor in graph.items():
        if not old.startswith(("m.", "pn.")):
            continue
        new = old
        for before, after in RENAMED:
            new = new.replace(before, after)
        if new.startswith("m."):
            new = "acoustic." + new[2:]
        elif new.startswith("pn."):
            new = "prosody." + new[3:]
        tensors[new] = tensor
    return tensors


def oov_tensors(graph):
    """The spelling network: four transformer layers whose matrices are numbered in the order of use."""
    matrices = [tensor for name, tensor in graph.items() if name.startswith("onnx::MatMul_")]
    names = [f"layers.{layer}.{part}" for layer in range(4) for part in ("qkv", "out", "up", "down")] + ["head"]
    if len(matrices) != len(names):
        raise ConvertError(f"the spelling network has {len(matrices)} matrices instead of {len(names)}")
    tensors = {f"spelling.{name}.weight": matrix for name, matrix in zip(names, matrices)}
    for old, tensor in graph.items():
        if old.startswith("m."):
            new = old[2:]
            for before, after in RENAMED:
                new = new.replace(before, after)
            tensors["spelling." + new.replace("pos", "positions")] = tensor
    return tensors


VOICE = {"name": "heart", "description": "American English, a woman's voice"}


def convert(arguments):
    if len(arguments) != 2:
        raise ConvertError("usage: convert_starter.py PACKAGE_FOLDER OUTPUT_FOLDER")
    package, output = arguments
    assets = os.path.join(package, "assets")
    tensors = voice_tensors(initializers(os.path.join(assets, "hibari.onnx")))
    tensors.update(oov_tensors(initializers(os.path.join(assets, "oov.onnx"))))
    write_safetensors(os.path.join(output, "model.safetensors"), tensors)
    with open(os.path.join(assets, "vocab.json"), encoding="utf-8") as file:
        vocabulary = json.load(file)
    with open(os.path.join(assets, "oov.json"), encoding="utf-8") as file:
        spelling = json.load(file)
    write_json(
        os.path.join(output, "config.json"),
        {
            "engine": "starter",
            "sample_rate": 24000,
            "language": "en",
            "voice": VOICE,
            "phonemes": vocabulary,
            "spelling": {
                "letters": spelling["in"],
                "phonemes": spelling["out"],
                "slots": spelling["slots"],
                "max_letters": spelling["maxlen"],
            },
        },
    )
    voices = [{"language": "en", **VOICE}]
    write_manifest(output, "starter-en", "starter", PACKAGE, "Apache-2.0", voices)


if __name__ == "__main__":
    run(convert)
