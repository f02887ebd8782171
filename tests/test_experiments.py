"""The paper's tables as commands: training is shared and resumed, values are honest, tables are well formed."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from duende.audio.feature_sets import feature_set
from duende.cli.main import main
from duende.datasets.store import DanceSet
from duende.errors import DuendeError
from duende.evaluation.pool import ReferencePool
from duende.experiments.generation import GenerationMeasurement
from duende.experiments.made_up import write_made_up_dances
from duende.experiments.render import comma_separated, latex, markdown
from duende.experiments.reproduce import reproduce
from duende.experiments.results import Measured, Results, findings
from duende.experiments.scales import Scale, ScaleFolder
from duende.experiments.stages import TrainedStages
from duende.experiments.statistics import Takes, estimate, gain, gain_over_takes
from duende.experiments.tables import REAL, TABLES, Claim, Measure, Row, Table, named_table

RECIPES = Path(__file__).resolve().parents[1] / "recipes" / "reproduce"


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made_up")
    write_made_up_dances(folder)
    return folder


def test_every_scale_has_recipes_of_known_rows_or_new_ones() -> None:
    for folder in sorted(RECIPES.iterdir()):
        scale = ScaleFolder.open(folder)
        for table in TABLES.values():
            rows = scale.rows(table)
            missing = (folder.name, table.name) == ("paper", "music")
            assert any(recipe is not None for _, recipe in rows) != missing, (folder.name, table.name)


def test_a_table_without_a_recipe_is_refused(made_up: Path, tmp_path: Path) -> None:
    stages = TrainedStages(DanceSet.open(made_up), tmp_path / "runs")
    with pytest.raises(DuendeError, match="paper has no recipe for any row of music"):
        reproduce(TABLES["music"], ScaleFolder.open(RECIPES / "paper"), stages, tmp_path / "out")


def test_table_2_runs_end_to_end_and_a_second_run_trains_nothing(made_up: Path, tmp_path: Path) -> None:
    scale = ScaleFolder.open(RECIPES / "smoke")
    stages = TrainedStages(DanceSet.open(made_up), tmp_path / "runs")
    path = reproduce(TABLES["table2"], scale, stages, tmp_path / "out", seeds=[0])
    first = path.read_text()
    assert "| FreqVQ-VAE | 1.32 |" in first and (path.parent / "table.tex").exists()
    trained = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("checkpoint.pt")}
    # Two rows, two stages each.
    assert len(trained) == 4
    (path.parent / "results.json").unlink()
    assert reproduce(TABLES["table2"], scale, stages, tmp_path / "out", seeds=[0]).read_text() == first
    assert trained == {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("checkpoint.pt")}


def test_an_ablation_runs_end_to_end(made_up: Path, tmp_path: Path) -> None:
    folder = tmp_path / "scale"
    folder.mkdir()
    for name in ("scale.yaml", "expressive_bailando.yaml"):
        (folder / name).write_text((RECIPES / "smoke" / name).read_text())
    stages = TrainedStages(DanceSet.open(made_up), tmp_path / "runs")
    path = reproduce(TABLES["ablation"], ScaleFolder.open(folder), stages, tmp_path / "out", seeds=[0])
    results = Results.load(path.parent / "results.json")
    real, ours = results.runs[REAL][""], results.runs["expressive_bailando"]["0"]
    assert set(ours.values) - set(real.values) == {"pace_of_dancing", "processor_minutes", "parameters"}
    assert set(real.values) >= {m.key for m in TABLES["ablation"].measures[:5]}
    # A network that has learnt nothing is further from real dances than real dances are.
    assert ours.values["fid_kinetic_corrected"] > real.values["fid_kinetic_corrected"]
    assert len(ours.takes) == 4 and "half of the pool against half" in results.facts
    assert "| without MERT (Jukebox) | 28.17 | – | – |" in path.read_text()


def test_runs_of_a_recipe_that_has_changed_are_not_mixed_with_new_ones(made_up: Path, tmp_path: Path) -> None:
    folder = tmp_path / "scale"
    folder.mkdir()
    for name in ("scale.yaml", "expressive_bailando.yaml"):
        (folder / name).write_text((RECIPES / "smoke" / name).read_text())
    stages = TrainedStages(DanceSet.open(made_up), tmp_path / "runs")
    reproduce(TABLES["table2"], ScaleFolder.open(folder), stages, tmp_path / "out", seeds=[0, 1])
    recipe = folder / "expressive_bailando.yaml"
    recipe.write_text(recipe.read_text().replace("root: {steps: 8", "root: {steps: 6"))
    path = reproduce(TABLES["table2"], ScaleFolder.open(folder), stages, tmp_path / "out", seeds=[0])
    assert set(Results.load(path.parent / "results.json").runs["expressive_bailando"]) == {"0"}


def test_without_a_length_of_pieces_distances_are_of_the_protocol(
    made_up: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("duende.experiments.generation.CROP", 240)
    data = DanceSet.open(made_up)
    train, test = data.clips("train"), data.clips("test")
    measurement = GenerationMeasurement(train, test, Scale("protocol", None, (0,)), feature_set("full_band"))
    pool = ReferencePool.of([clip.motion.positions for clip in [*train, *test]])
    expected = pool.distances([clip.motion.positions[:240] for clip in test])
    assert measurement.real().values["fid_kinetic"] == pytest.approx(expected.fid_kinetic)
    assert measurement.pool_size == 12


def test_rows_share_the_stages_that_do_not_differ(made_up: Path, tmp_path: Path) -> None:
    stages = TrainedStages(DanceSet.open(made_up), tmp_path)
    recipes = {
        row.key: recipe for row, recipe in ScaleFolder.open(RECIPES / "smoke").rows(TABLES["ablation"]) if recipe
    }
    folders = {key: stages.folders(recipe) for key, recipe in recipes.items()}
    ours = folders["expressive_bailando"]
    assert folders["without_style"]["root"] == folders["without_rhythm"]["root"] == ours["root"]
    assert len({folder["gpt"] for folder in folders.values()}) == 6
    assert folders["without_frequency"]["vqvae"] != ours["vqvae"]
    other_seed = stages.folders(replace(recipes["expressive_bailando"], seed=5))
    assert all(other_seed[name] != ours[name] for name in ours)


def test_a_recipe_put_into_the_folder_becomes_a_row(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "scale.yaml").write_text("about: mine\nseeds: [0]\ndata: here\n")
    (folder / "my_part.yaml").write_text((RECIPES / "smoke" / "expressive_bailando.yaml").read_text())
    rows = ScaleFolder.open(folder).rows(TABLES["ablation"])
    assert rows[-1][0].label == "my part" and rows[-1][1] is not None


def test_intervals_are_those_of_student() -> None:
    # By hand: mean 2, deviation 1, t(0.975, 2) = 4.3027, so 4.3027 / sqrt(3) = 2.4841.
    found = estimate([1.0, 2.0, 3.0])
    assert found.mean == 2.0
    np.testing.assert_allclose((found.low, found.high), (2 - 2.4841, 2 + 2.4841), atol=1e-4)
    assert np.isnan(estimate([1.0]).low)


def test_gains_point_to_the_better() -> None:
    assert gain(np.array(3.0), np.array(5.0), None, "lower") == 2
    assert gain(np.array(3.0), np.array(5.0), None, "higher") == -2
    assert gain(np.array(3.0), np.array(6.0), 4.0, "real") == 1


def test_redrawn_takes_find_a_difference_that_is_there_and_none_that_is_not() -> None:
    rng = np.random.default_rng(0)
    other, real, seconds = rng.normal(size=(3, 40)), np.full(40, 5.0), rng.uniform(5, 20, 40)
    low, high = gain_over_takes(Takes(other + 1.0, other, real, seconds), "real")
    assert 0.9 < low <= high < 1.1
    low, high = gain_over_takes(Takes(other + rng.normal(scale=0.5, size=(3, 40)), other, real, seconds), "real")
    assert low < 0 < high


def small_table() -> tuple[Table, Results]:
    table = Table(
        name="small",
        title="Small",
        kind="generation",
        rows=(Row(REAL, "real", {"score": 1.0}), Row("a", "A_1", {"score": 2.0}), Row("b", "B"), Row("c", "never run")),
        measures=(Measure("score", "score", "real"), Measure("extra", "extra", "higher", 1e2, 1)),
        published=1,
        claims=(Claim("A beats B", "a", "b", ("score", "extra")),),
    )
    results = Results({"data": "made up"})
    results.add(REAL, None, Measured({"score": 1.0}))
    for seed in range(3):
        results.add("a", seed, Measured({"score": 1.1 + 0.01 * seed, "extra": 0.5 + 0.01 * seed}))
        results.add("b", seed, Measured({"score": 1.5 + 0.012 * seed, "extra": 0.6 - 0.01 * seed}))
    return table, results


def test_claims_are_confirmed_contradicted_or_undecided() -> None:
    table, results = small_table()
    found = {finding.measure: finding for finding in findings(results, table, table.claims[0])}
    assert found["score"].verdict == "confirmed" and found["score"].gain == pytest.approx(0.402)
    assert found["extra"].verdict == "contradicted"
    results.add("b", 2, Measured({"score": 0.9, "extra": 0.4}))
    found = {finding.measure: finding for finding in findings(results, table, table.claims[0])}
    assert found["score"].verdict == "undecided"


def test_tables_name_published_measured_and_interval() -> None:
    table, results = small_table()
    text = markdown(table, table.rows, results)
    assert "| A_1 | 2.00 | 1.11 | 1.09 to 1.13 |" in text and "| never run | – | – | – |" in text
    assert "| A_1 | 51.0 ± 2.5 |" in text
    tex = latex(table, table.rows, results)
    assert r"A\_1 & 2.00 & 1.11 & 1.09 to 1.13 \\" in tex and tex.count(r"\\") == 6
    rows = list(csv.DictReader(io.StringIO(comma_separated(table, table.rows, results))))
    assert len(rows) == 8
    entry = next(row for row in rows if row["row"] == "A_1" and row["measure"] == "extra")
    assert float(entry["measured"]) == pytest.approx(51.0) and entry["runs"] == "3" and entry["published"] == ""


def test_results_come_back_and_damage_is_named(tmp_path: Path) -> None:
    _, results = small_table()
    path = tmp_path / "results.json"
    results.save(path)
    assert Results.load(path) == results
    path.write_text(json.dumps({"facts": {}})[:-3])
    with pytest.raises(DuendeError, match=r"results\.json is damaged"):
        Results.load(path)


def test_mistakes_end_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(*arguments: str | Path) -> str:
        assert main(["reproduce", *map(str, arguments)]) == 2
        return capsys.readouterr().err.strip().splitlines()[-1]

    assert "table9" in fails("table9")
    assert "there are paper, smoke, starter" in fails("table2", "--scale", "huge", "--recipes", RECIPES)
    assert "duende data" in fails("table2", "--data", tmp_path, "--recipes", RECIPES)
    with pytest.raises(DuendeError, match="no table"):
        named_table("table9")
