"""Where weights are: a folder, the Hugging Face cache, or the hub."""

from __future__ import annotations

from pathlib import Path

from duende.errors import DuendeError

NAMES = {"330M": "m-a-p/MERT-v1-330M", "95M": "m-a-p/MERT-v1-95M"}
OWNER = "m-a-p/"
CONFIGS = ("config.json", "preprocessor_config.json")
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""In the order of preference."""


def advice(name: str = NAMES["330M"]) -> str:
    """Tell how to get weights."""
    return f"run `hf download {name} --local-dir weights/mert` where there is a network and give that folder"


def located(source: str | Path) -> Path:
    """Return the folder that ``source`` names, downloading it where it is a name on the hub that is not here yet.

    Raises:
        DuendeError: there is no such folder, or the weights are neither here nor to be had.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    name = NAMES.get(str(source), str(source))
    # Any `owner/name` could be meant for the hub, but is more often a folder that was misspelt.
    if not name.startswith(OWNER):
        raise DuendeError(
            f"no folder {source} with MERT's weights; name one, or 330M or 95M to fetch the published ones"
        )
    return _from_hub(name)


def weights_file(folder: Path) -> Path | None:
    """Return the file with the tensors in ``folder``, none where there is none."""
    return next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise DuendeError(
            f"fetching {name} needs huggingface_hub; `pip install huggingface_hub`, or {advice(name)}"
        ) from error
    cause: Exception | None = None
    # What is here needs no network; of the two formats only one is fetched, since each is the whole model.
    for local, files in ((True, WEIGHTS), (False, WEIGHTS[:1]), (False, WEIGHTS[1:])):
        try:
            folder = Path(snapshot_download(name, allow_patterns=[*CONFIGS, *files], local_files_only=local))
        except Exception as error:  # The library's errors of network and cache differ between its versions.
            cause = error
            continue
        if weights_file(folder) and (folder / CONFIGS[0]).is_file():
            return folder
    reason = f" ({type(cause).__name__})" if cause else ""
    raise DuendeError(
        f"{name} is not in the Hugging Face cache and cannot be downloaded{reason}; {advice(name)}"
    ) from cause
