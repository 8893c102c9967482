"""Each leak is planted and has to be found; a clean split has to pass."""

import json

import numpy as np
import pandas as pd
import pytest

from common.cli.leakage import main
from common.data.dataset import load_dataset
from common.evaluation.leakage.findings import make_parts
from common.evaluation.leakage.order_checks import follows
from common.evaluation.leakage.split_checks import check_parts
from common.evaluation.leakage.table_checks import counted_columns, raw_tables, train_view_tables
from common.splits.store import load_split
from common.splits.train_view import make_train_view
from tests.data.worlds import dataset, pairs, rich
from tests.stages import complaint

CLEAN = {
    "train": pairs(anna="a@1 b@2 c@3", ben="c@1 d@2 a@3", cleo="b@2 d@3 e@4"),
    "valid": pairs(anna="d@4", ben="b@5", cleo="a@5"),
    "test": pairs(anna="e@6", ben="e@6", cleo="c@7"),
}


def split_of(protocol="next", negatives=None, **changed):
    frames = {**CLEAN, **changed}
    placed = {name: (frame, lambda row, name=name: f"{name} {row + 1}") for name, frame in frames.items()}
    return make_parts(protocol, placed, None if negatives is None else (negatives, lambda row: f"line {row + 2}"))


def findings(*of, **changed):
    return {finding.check: finding for finding in check_parts(split_of(*of, **changed))}


def with_rows(part, **of_users):
    return pd.concat([CLEAN[part], pairs(**of_users)], ignore_index=True)


def test_a_clean_split_passes():
    assert {f.severity for f in findings().values() if f.check != "known events after test begins"} == {"ok"}


def test_pairs_in_two_parts_are_a_leak():
    found = findings(train=with_rows("train", anna="e@5", ben="b@1"))
    assert (found["pairs in train and test"].severity, found["pairs in train and test"].count) == ("leak", 1)
    assert found["pairs in train and test"].example == "test 1"
    assert found["pairs in train and valid"].example == "valid 2"
    assert found["pairs in valid and test"].severity == "ok"


def test_repeated_rows_inside_and_across_parts():
    found = findings(train=with_rows("train", anna="a@1 b@9"), valid=with_rows("valid", cleo="b@2"))
    assert (found["repeated pairs in a part"].severity, found["repeated pairs in a part"].count) == ("look", 2)
    assert (found["repeated events in a part"].count, found["repeated events in a part"].example) == (1, "train 10")
    copied = found["events copied to another part"]
    assert (copied.severity, copied.count, copied.example) == ("leak", 1, "valid 4")


@pytest.mark.parametrize(("protocol", "severity"), [("next", "leak"), ("temporal", "leak"), ("listen", "look")])
def test_events_from_the_future_are_a_leak_where_time_counts(protocol, severity):
    found = findings(protocol, train=with_rows("train", ben="f@9"))
    for name in ("known events after the user's own test", "known events after the user's own valid"):
        assert (found[name].severity, found[name].count, found[name].example) == (severity, 1, "train 10")


def test_a_cut_in_time_leaves_nothing_known_after_test_begins():
    found = findings("temporal", train=with_rows("train", cleo="f@7"))["known events after test begins"]
    assert (found.severity, found.count, found.example) == ("leak", 1, "train 10")
    assert findings("temporal")["known events after test begins"].severity == "ok"


def test_tied_dates_are_counted_and_say_where_the_file_decides():
    test = pairs(anna="e@4", ben="e@6", cleo="c@7")  # anna's validation event has the same date
    found = findings(test=test)
    hidden = found["held-out events that share their date"]
    assert (hidden.severity, hidden.count) == ("look", 1)
    assert (found["neighbouring events of one date"].count, found["neighbouring events of one date"].of) == (1, 12)
    assert found["neighbouring events of one date"].example == "test 1"
    assert findings("next-shuffled", test=test)["held-out events that share their date"].severity == "ok"


def test_what_only_test_knows_is_told():
    found = findings(test=pairs(anna="new@6", ben="e@6", dora="c@7"))
    items = found["test rows of items only test knows"]
    assert (items.severity, items.count) == ("look", 1)
    assert found["test rows of users only test knows"].example == "test 3"


def test_newcomers_have_to_be_absent_from_train():
    given = pairs(dora="a@1 b@2")
    found = findings("newcomer", given=given, test=pairs(dora="c@7"), valid=pairs(anna="d@4"))
    assert (found["newcomers who are in train"].count, found["newcomers who are in train"].example) == (1, "valid 1")
    assert found["newcomers who are in train"].severity == "leak"


def test_ids_and_rows_that_follow_popularity_are_seen():
    counts = np.arange(1, 13)
    rows = [(f"u{user:02}", f"i{99 - item}") for item in range(12) for user in range(counts[item])]
    train = pd.DataFrame(rows, columns=["user_id", "item_id"])
    train["timestamp"] = train["item_id"].str[1:].astype(int)
    test = pd.DataFrame({"user_id": ["u00"], "item_id": ["i50"], "timestamp": [200]})
    found = findings("next", train=train, test=test, valid=test.assign(item_id="i88"))
    assert found["item ids against popularity"].value < -0.9
    assert found["item ids against time"].value > 0.9
    assert found["item ids against popularity"].severity == found["item ids against time"].severity == "look"
    assert found["rows of a user against popularity"].value > 0.3
    shuffled = train.sample(frac=1, random_state=0)
    calm = findings("next", train=shuffled, test=test, valid=test.assign(item_id="i88"))
    assert calm["rows of a user against popularity"].severity == "ok"
    assert np.isnan(follows(np.arange(5), np.arange(5)))


def test_negatives_that_the_user_has_are_a_leak():
    rows = [("anna", "e", "a"), ("anna", "e", "d"), ("anna", "e", "e"), ("ben", "e", "x"), ("ben", "e", "x")]
    table = pd.DataFrame(rows, columns=["user_id", "item_id", "negative_id"])
    for negatives in (table, table.drop(columns="item_id")):
        found = findings(negatives=negatives)
        wrong = found["negatives that are positives"]
        assert (wrong.severity, wrong.count, wrong.of, wrong.example) == ("leak", 3, 5, "line 2")
        again = found["negatives repeated in their list"]
        assert (again.severity, again.count, again.example) == ("look", 1, "line 6")
        assert found["lists not of 99 negatives"].count == 2


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return rich(tmp_path_factory.mktemp("world"))


def test_held_out_pairs_in_other_tables_are_reported_and_encore_shows_none(world):
    split = load_split(world, "next")
    [raw] = list(raw_tables(world, split, "next"))
    assert (raw.check, raw.severity) == ("held-out pairs in user_item_tags", "look")
    assert raw.count > 0
    train = make_train_view(world, split, "next", "final")
    assert {f.severity for f in train_view_tables(train, split) if "shown" in f.check} == {"ok"}


def test_a_held_out_pair_that_a_model_would_see_is_a_leak(world):
    split = load_split(world, "next")
    shown = make_train_view(world, split, "next", "final")
    user = shown.users["user_id"].tolist().index(split.test["user_id"].iloc[0])
    item = shown.items["item_id"].tolist().index(split.test["item_id"].iloc[0])
    for name in ("interactions", "user_item_tags"):
        table = getattr(shown, name)
        table.loc[len(table)] = table.iloc[0]
        table.loc[len(table) - 1, ["user", "item"]] = user, item
        found = {f.check: f for f in train_view_tables(shown, split)}[f"held-out pairs shown to models, final: {name}"]
        assert (found.severity, found.count, found.example) == ("leak", 1, f"{name}, row {len(table)}")


def test_a_column_that_counts_held_out_listeners_is_a_leak(tmp_path):
    frame = pairs(**{f"u{user}": " ".join(f"i{item}" for item in range(user, user + 6)) for user in range(12)})
    counts = frame["item_id"].value_counts()
    items = pd.DataFrame({"item_id": counts.index, "popularity": counts.to_numpy(float), "tempo": 120.0})
    data = dataset(tmp_path, frame, items=items)
    [found] = list(counted_columns(data, load_split(data, "listen")))
    assert (found.check, found.severity) == ("items.popularity counts held-out rows", "leak")


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
