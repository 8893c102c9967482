import re

from benchmarks import ials_speed


def test_a_round_is_told_by_the_difference_of_two_fits(monkeypatch):
    moments = iter([0.0, 5.0, 10.0, 21.0])  # one round takes 5 CPU seconds, three take 11
    monkeypatch.setattr(ials_speed.time, "process_time", lambda: next(moments))
    asked: list[int] = []
    assert ials_speed.cpu_per_round(asked.append) == 3.0
    assert asked == [1, 3]


def test_a_line_for_each_size_and_width(capsys):
    ials_speed.main(["--turns", "1", "--users", "150", "--factors", "4", "8"])
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [re.findall(r"^150, 1,000, [\d,]+, (\d+): ", line) for line in lines] == [["4"], ["8"]]
