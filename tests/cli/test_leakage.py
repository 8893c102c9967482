"""The leakage check as a command."""

import json

import pandas as pd

from common.cli.leakage import main
from common.data.dataset import load_dataset
from tests.data.worlds import pairs
from tests.evaluation.leakage.worlds import CLEAN, with_rows
from tests.stages import complaint


def test_the_generated_data_pass_on_every_protocol(small_flags, small_data, capsys, tmp_path):
    for protocol in ("listen", "next", "next-shuffled", "newcomer", "temporal"):
        main([*small_flags, "--protocol", protocol, "--json", str(tmp_path / "found.json")])
        said = capsys.readouterr().out
        assert f"{small_data.name} / {protocol}: leakage check" in said
        assert "\n0 leak, " in said
        content = json.loads((tmp_path / "found.json").read_text())
        assert content["counts"]["leak"] == 0
        assert {finding["severity"] for finding in content["findings"]} <= {"ok", "look"}
        assert max(map(len, said.splitlines()[:-1])) <= 80


def folder(path, **tables):
    path.mkdir()
    for name, frame in tables.items():
        frame.to_csv(path / f"{name}.csv", index=False)
    return path


def run(capsys, path, tmp_path, *more):
    """Exit code and what is said of a folder."""
    code: int | str | None = 0
    try:
        main(["--dataset", str(path), "--data-dir", str(tmp_path / "data"), *more])
    except SystemExit as stop:
        code = stop.code
    said = capsys.readouterr()
    return code, " ".join(said.out.split()), said.err


def test_a_clean_ready_made_split_passes(tmp_path, capsys):
    code, said, _ = run(capsys, folder(tmp_path / "mine", **CLEAN), tmp_path, "--protocol", "next")
    assert code == 0
    assert "0 leak" in said
    assert "held-out pairs shown to models, final: interactions ok" in said


def test_a_ready_made_split_that_leaks_is_checked_though_the_stages_refuse_it(tmp_path, capsys):
    path = folder(tmp_path / "mine", **{**CLEAN, "train": with_rows("train", anna="e@5 e@9")})
    code, said, err = run(capsys, path, tmp_path, "--protocol", "next", "--json", str(tmp_path / "found.json"))
    assert (code, err) == (1, "")
    assert "leak: pairs in train and test, 1 of 3 (first: test.csv, line 2)" in said
    assert "repeated pairs in a part, 1 of 17 (first: train.csv, line 12)" in said
    assert "The stages refuse this folder as it is" in said
    content = json.loads((tmp_path / "found.json").read_text())
    assert content["counts"]["leak"] >= 2, "the pair, and the event after the user's own test"
    assert "share 1 (user, item) pairs" in content["refusal"]


def test_negatives_of_a_folder_are_checked(tmp_path, capsys):
    negatives = pd.DataFrame([("anna", "e"), ("ben", "a")], columns=["user_id", "negative_id"])
    code, said, _ = run(capsys, folder(tmp_path / "mine", **CLEAN, negatives99=negatives), tmp_path)
    assert code == 1
    assert "negatives that are positives, 2 of 2 (first: negatives99.csv, line 2)" in said


def test_a_folder_of_interactions_is_split_and_checked(tmp_path, capsys):
    rows = pairs(**{f"u{user}": " ".join(f"i{(user * item) % 11}" for item in range(1, 8)) for user in range(1, 9)})
    path = folder(tmp_path / "mine", interactions=pd.concat([rows, rows.iloc[[0]]]))
    code, said, _ = run(capsys, path, tmp_path)
    assert code == 0
    assert "repeated pairs in a part look 1 of 57" in said
    assert f"(first: interactions.csv, line {len(rows) + 2})" in said
    assert "No times here" in said
    assert load_dataset(str(path), tmp_path / "data").name in said


def test_mistakes_end_in_one_sentence(small_flags, tmp_path, capsys):
    assert "unknown protocol 'lissten'" in complaint(capsys, main, *small_flags, "--protocol", "lissten")
    assert "no such folder" in complaint(capsys, main, "--dataset", str(tmp_path / "a" / "b"))
    ready = folder(tmp_path / "mine", **CLEAN)
    flags = ["--dataset", str(ready), "--data-dir", str(tmp_path / "data")]
    assert "serves --protocol listen and next alone" in complaint(capsys, main, *flags, "--protocol", "temporal")
    (ready / "test.csv").write_text("user_id\nanna\n")
    assert "column 'item_id' is missing" in complaint(capsys, main, *flags)
    alone = folder(tmp_path / "alone", train=CLEAN["train"])
    assert "lacks test" in complaint(capsys, main, "--dataset", str(alone))
