"""`python -m common`: commands are listed without importing them, and an unknown name ends in one sentence."""

import subprocess
import sys
from pathlib import Path

import pytest

from common.__main__ import commands, help_text, main

ROOT = Path(__file__).resolve().parents[1]
NAMES = (
    "batch-recommend benchmark cluster compare core-metrics dashboard export interleaving judge leakage page prepare "
    "protocols report rerank run-stages search selection-on-test sensitivity serve sweep-files"
)


def test_each_file_of_cli_is_a_command_and_has_a_line_that_says_what_it_does(capsys):
    assert sorted(commands()) == sorted(NAMES.split())
    main([])
    shown = capsys.readouterr().out
    main(["--help"])
    assert capsys.readouterr().out == shown == help_text() + "\n"
    lines = {words[0]: words[1:] for line in shown.splitlines() if (words := line.split()) and line[:2] == "  "}
    assert list(lines) == sorted(commands())
    assert all(len(line) > 2 for line in lines.values())
    assert max(map(len, shown.splitlines())) <= 120


def test_an_unknown_command_ends_with_code_2_and_the_nearest_name(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["core_metric"])
    assert stop.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: unknown command 'core_metric': did you mean 'core-metrics'")


def test_flags_go_to_the_command_that_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["python"])
    with pytest.raises(SystemExit) as stop:
        main(["page", "--output-dir", str(tmp_path)])
    assert stop.value.code == 2
    assert "no results under" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["page", "--help"])
    assert stop.value.code == 0
    assert "usage: python -m common page" in " ".join(capsys.readouterr().out.split())


def test_the_list_of_commands_imports_no_command_and_no_library():
    code = (
        "import sys; from common.__main__ import main; main(['--help']); "
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'numpy', 'pandas', 'tyro', 'torch'}), "
        "[name for name in sys.modules if name.startswith('common.cli')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[] []"


def test_a_command_runs_as_a_process():
    words = [sys.executable, "-m", "common", "lists"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean" in done.stderr or "known are" in done.stderr
