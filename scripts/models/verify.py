"""Checks model folders against their manifests: every file there, of its size and SHA-256, and none besides.

    verify.py FOLDER...
"""

import json
import os
import sys

from modelfile import ConvertError, folder_hash, listing, run


def verify(folders):
    for folder in folders:
        try:
            with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as file:
                manifest = json.load(file)
            expected, whole = manifest["files"], manifest["sha256"]
        except (ValueError, KeyError) as error:
            raise ConvertError(f"{folder}/manifest.json is damaged ({error}): remove the folder, set up again") from error
        found = {file["path"]: file for file in listing(folder)}
        for file in expected:
            if found.pop(file["path"], None) != file:
                raise ConvertError(f"{folder}/{file['path']} is missing or damaged: remove the folder, set up again")
        if found or folder_hash(expected) != whole:
            raise ConvertError(f"{folder} is not what its manifest says: remove the folder, set up again")


if __name__ == "__main__":
    run(verify if sys.argv[1:] else lambda _: None)
