"""What every converter needs: safetensors files and manifests, with the standard library alone.

Converters run at set-up on whatever Python 3.8 or later there is, so they import no package: tensors are
carried over as the bytes that they are, in little-endian order, and are never computed with.
"""

import hashlib
import json
import os
import struct
import sys

SAFETENSORS_TYPES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1}


class ConvertError(Exception):
    """The source is not what this converter was written for; the text says what and where."""


def run(convert):
    """Runs `convert(arguments)` and turns a known failure into one line and exit status 65 or 74."""
    try:
        convert(sys.argv[1:])
    except ConvertError as error:
        sys.exit(fail(65, str(error)))
    except OSError as error:
        sys.exit(fail(74, f"{error.filename or 'a file'}: {error.strerror or error}"))


def fail(status, text):
    print(f"{os.path.basename(sys.argv[0])}: {text}", file=sys.stderr)
    return status


def element_count(shape):
    count = 1
    for size in shape:
        count *= size
    return count


def write_safetensors(path, tensors):
    """Writes {name: (type, shape, bytes)}, wide types first so that every tensor is aligned, then by name."""
    names = sorted(tensors, key=lambda name: (-SAFETENSORS_TYPES[tensors[name][0]], name))
    header, offset = {}, 0
    for name in names:
        kind, shape, data = tensors[name]
        if len(data) != element_count(shape) * SAFETENSORS_TYPES[kind]:
            raise ConvertError(f"tensor `{name}`: {len(data)} bytes do not make shape {list(shape)} of {kind}")
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 64)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for name in names:
            file.write(tensors[name][2])
        file.flush()
        os.fsync(file.fileno())


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def listing(folder):
    """The folder's files, but for the manifest, with sizes and hashes, in the order of their paths."""
    files = []
    for base, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(base, name)
            shown = os.path.relpath(path, folder).replace(os.sep, "/")
            if shown != "manifest.json":
                files.append({"path": shown, "bytes": os.path.getsize(path), "sha256": sha256_of(path)})
    return sorted(files, key=lambda file: file["path"])


def folder_hash(files):
    """SHA-256 over one `hash  path` line a file: what `sha256sum` would print, hashed once more."""
    return hashlib.sha256("".join(f"{file['sha256']}  {file['path']}\n" for file in files).encode()).hexdigest()


def write_manifest(folder, name, engine, source, license, voices=()):
    """`voices`: what the model speaks with, the default first, each {name, language, description}."""
    files = listing(folder)
    write_json(
        os.path.join(folder, "manifest.json"),
        {
            "name": name,
            "engine": engine,
            "source": source,
            "license": license,
            **({"voices": list(voices)} if voices else {}),
            "files": files,
            "sha256": folder_hash(files),
        },
    )
