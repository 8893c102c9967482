"""The notebook of a benchmark: what was noted stays, what a kill has cut off was never noted."""

from benchmarks.notebook import Notebook


def test_findings_are_there_at_the_next_start(tmp_path):
    path = tmp_path / "new" / "findings.jsonl"
    notebook = Notebook(path)
    notebook.note("a", "one", value=1)
    notebook.note("a", "one", value=2)
    notebook.note("b", "one", value={"x": 3})
    again = Notebook(path)
    assert again.has("a", "one")
    assert not again.has("a", "two")
    assert again.of("a") == [{"part": "a", "name": "one", "value": 2}]
    assert again.findings == notebook.findings


def test_a_line_that_was_cut_off_is_passed_over_and_spoils_no_other(tmp_path):
    path = tmp_path / "findings.jsonl"
    Notebook(path).note("a", "one", value=1)
    with path.open("a") as file:
        file.write('{"part": "a", "name": "two", "value": {}')
    notebook = Notebook(path)
    assert not notebook.has("a", "two")
    notebook.note("a", "three", value=3)
    notebook.note("a", "four", value=4)
    assert [row["name"] for row in Notebook(path).of("a")] == ["one", "three", "four"]
