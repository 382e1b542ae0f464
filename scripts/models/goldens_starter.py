"""Writes what the package itself makes of some phonemes, for the starter voice's parity tests.

    goldens_starter.py OUTPUT.safetensors [--full]

Needs, in a virtual environment of its own: hibari-tts==0.2.1 onnxruntime==1.32.0 numpy==2.4.6 onnx==1.23.2 scipy.
A case `N` has `N.ids`, `N.speed`, and for the graph as the package has it (`N.rounded`) and for the same graph
with its matrices dequantised and their inputs left as they are (`N.real`): `.pitch`, `.spectra` (rows and
columns thinned out by `N.stride`, so that the file stays small; --full keeps them all) and `.envelope`, the
root mean square of the package's samples in every 10 ms. `words` holds readings of the spelling network.
"""

import json
import sys

import numpy as np
import onnx
import onnxruntime as ort
from hibari import Hibari, dsp
from modelfile import write_safetensors

CASES = (
    ("Mr. Bennet of Netherfield said hello.", 1.0),
    (
        "It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in "
        "want of a wife.",
        1.0,
    ),
    ("Yes.", 1.0),
    ("How strange! Was it you, or the wind?", 0.5),
    ("The quick brown fox jumps over the lazy dog.", 2.0),
)
WORDS = ("Netherfield", "Bennet", "Lucas", "Bingley", "Rumpelstiltskin", "Qzxwv", "Žižek", "O'Shaughnessy", "a", "Mmm")
STRIDE = (11, 17)


def real_graph(path):
    """The graph at `path` with every rounded product replaced by a product of real numbers."""
    model = onnx.load(path)
    constants = {constant.name: onnx.numpy_helper.to_array(constant) for constant in model.graph.initializer}
    source = {output: node for node in model.graph.node for output in node.output}
    products, nodes, added = {}, [], set()
    for node in model.graph.node:
        if node.op_type == "MatMulInteger":
            matrix = node.input[1]
            products[node.output[0] + "_cast_output"] = (source[node.input[0]].input[0], matrix + "_real")
            if matrix not in added:
                added.add(matrix)
                real = constants[matrix].astype(np.float32) * constants[matrix.replace("_quantized", "_scale")]
                model.graph.initializer.append(onnx.numpy_helper.from_array(real, matrix + "_real"))
        elif node.op_type == "Mul" and node.input[0] in products:
            nodes.append(onnx.helper.make_node("MatMul", products[node.input[0]], node.output))
        elif node.op_type != "DynamicQuantizeLinear" and "_quant" not in node.output[0]:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model.SerializeToString()


def outputs(voice, session, ids, speed, stride):
    """Pitch, thinned spectra and envelope of what `session` makes of `ids`."""
    inputs = {"ids": np.asarray([ids], np.int64), "speed": np.asarray([speed], np.float32)}
    *parts, pitch = (part[0] for part in session.run(None, inputs))
    samples = dsp.synth(*parts, pitch, np.random.default_rng(1))
    spectra = np.concatenate(parts).T[:: stride[0], :: stride[1]]
    hops = samples[: len(samples) // 240 * 240].reshape(-1, 240).astype(np.float64)
    return {"pitch": pitch, "spectra": spectra, "envelope": np.sqrt((hops**2).mean(1))}


def main(output, full):
    voice = Hibari()
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    sessions = {
        "rounded": voice.sess,
        "real": ort.InferenceSession(real_graph(voice.model_path), options, providers=["CPUExecutionProvider"]),
    }
    stride = (1, 1) if full else STRIDE
    tensors = {}

    def put(name, kind, array):
        array = np.asarray(array)
        data = np.ascontiguousarray(array, dtype="<i8" if kind == "I64" else "<f4").tobytes()
        tensors[name] = (kind, list(array.shape), data)

    for number, (text, speed) in enumerate(CASES):
        ids = voice.ids(" ".join(voice.phonemize(text)))
        put(f"{number}.ids", "I64", ids)
        put(f"{number}.speed", "F32", [speed])
        put(f"{number}.stride", "I64", stride)
        for name, session in sessions.items():
            for part, array in outputs(voice, session, ids, speed, stride).items():
                put(f"{number}.{name}.{part}", "F32", array)
    words = json.dumps({word: voice.g2p.oov(word) for word in WORDS}, ensure_ascii=False).encode()
    tensors["words"] = ("U8", [len(words)], words)
    write_safetensors(output, tensors)


if __name__ == "__main__":
    main(sys.argv[1], "--full" in sys.argv[2:])
