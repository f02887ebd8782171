"""How large an experiment is: a folder with ``scale.yaml`` and a recipe for each row."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from duende.configuration import from_mapping
from duende.errors import DuendeError
from duende.experiments.tables import TABLES, Row, Table
from duende.training.recipe import Recipe, load_recipe

SCALE = "scale.yaml"


@dataclass(frozen=True)
class Scale:
    """A scale.

    Attributes:
        about: what it is, in a sentence.
        data: folder of the data set where the command line does not name one; None for made-up movement.
        seeds: of training, one run each.
        dances: by each run to each held-out piece of music.
        piece: seconds of the pieces that dances are cut into for distances; None for the field's protocol, whole
            dances cut to 20 seconds against whole takes.
        labels: of rows that are not here what they are in the paper.
    """

    about: str
    data: str | None
    seeds: tuple[int, ...]
    dances: int = 1
    piece: float | None = None
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ScaleFolder:
    """A scale with the folder of its recipes."""

    folder: Path
    scale: Scale

    @classmethod
    def open(cls, folder: Path) -> ScaleFolder:
        """Read ``scale.yaml`` in ``folder``.

        Raises:
            DuendeError: it is missing or damaged.
        """
        path = folder / SCALE
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            others = ", ".join(sorted(p.parent.name for p in folder.parent.glob(f"*/{SCALE}")))
            known = f"there are {others}" if others else "run the command in the repository, or name --recipes"
            raise DuendeError(f"no scale {folder.name!r} in {folder.parent}; {known}") from None
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise DuendeError(f"{path} cannot be read as YAML: {str(error).splitlines()[0]}; mend that line") from error
        return cls(folder, from_mapping(Scale, values if isinstance(values, dict) else {}, str(path)))

    def rows(self, table: Table) -> list[tuple[Row, Recipe | None]]:
        """Return the table's rows with their recipes (None where there is none), then recipes of no known row.

        A recipe that is put into the folder becomes a row of generation tables without a line of code.
        """
        labels = self.scale.labels if table.kind == "generation" else {}
        found = [(replace(row, label=labels.get(row.key, row.label)), self._recipe(row.key)) for row in table.rows]
        if table.kind == "generation":
            known = {row.key for other in TABLES.values() for row in other.rows}
            own = sorted(path.stem for path in self.folder.glob("*.yaml") if path.name != SCALE)
            found += [(Row(key, key.replace("_", " ")), self._recipe(key)) for key in own if key not in known]
        return found

    def _recipe(self, key: str) -> Recipe | None:
        path = self.folder / f"{key}.yaml"
        return load_recipe(path) if path.exists() else None
