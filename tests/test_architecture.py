"""Imports run one way, nothing is pickled, and what is hidden is opened by the evaluation alone."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COMMON = sorted((ROOT / "common").rglob("*.py"))
STAGES = sorted(ROOT.glob("[0-9]_*.py"))
EVERYWHERE = [*COMMON, *STAGES, *sorted((ROOT / "benchmarks").rglob("*.py"))]
MODELS_MAY_USE = ("data", "models", "errors", "files", "machine", "ranges", "training", "retrieval")
ABOVE_MODELS = tuple(
    f"common.{path.stem}"
    for path in (ROOT / "common").iterdir()
    if path.stem not in MODELS_MAY_USE and (path.suffix == ".py" or (path / "__init__.py").exists())
)
ALLOWED_HIDDEN = ("common/evaluation/", "common/data/visible.py")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, anywhere in it; `from a import b` gives both `a` and `a.b`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name_of(path)}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def inside(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def offenders(paths: list[Path], packages: tuple[str, ...]) -> list[str]:
    return [f"{name_of(path)} imports {m}" for path in paths for m in imports(path) if inside(m, packages)]


def under(folder: str) -> list[Path]:
    found = [path for path in COMMON if name_of(path).startswith(folder)]
    assert found, f"nothing under {folder}"
    return found


def dotted(node: ast.AST) -> str:
    """`a.b.c` of nested attributes, "" for anything else."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("common/data/", ("common.models.registry", *ABOVE_MODELS)),
        ("common/models/", ABOVE_MODELS),
        (
            "common/evaluation/",
            ("common.experiments.tracking", "common.experiment", "common.experiments.tuning", "common.report"),
        ),
        ("common/evaluation/metrics.py", ("common.models.registry", "common.data", *ABOVE_MODELS)),
        ("common/files.py", ("common.data", "common.models.registry", *ABOVE_MODELS)),
        ("common/errors.py", ("common",)),
        ("common/", ("tests", "benchmarks")),
    ],
)
def test_imports_run_one_way(folder, forbidden):
    assert offenders(under(folder), forbidden) == []


def test_nothing_in_common_imports_or_runs_a_stage():
    stages = {path.stem for path in STAGES}
    for path in COMMON:
        named = set(imports(path)) | {
            node.value.removesuffix(".py")
            for call in ast.walk(tree(path))
            if isinstance(call, ast.Call) and dotted(call.func).split(".")[-1] in ("import_module", "run_path")
            for node in call.args
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert not named & stages, name_of(path)


def test_stages_do_not_import_one_another():
    assert offenders(STAGES, tuple(path.stem for path in STAGES)) == []


def test_only_tracking_and_the_dashboard_know_wandb():
    both = ("wandb", "wandb_workspaces")
    knowing = {name_of(path) for path in EVERYWHERE if any(inside(m, both) for m in imports(path))}
    assert knowing == {"common/tracking.py", "common/dashboard.py"}
    assert offenders(EVERYWHERE, ("common.cli.dashboard",)) == [], "it is a command of its own"


@pytest.mark.parametrize("module", ["pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"])
def test_nothing_is_pickled(module):
    assert offenders(EVERYWHERE, (module,)) == []


@pytest.mark.parametrize("path", EVERYWHERE, ids=name_of)
def test_no_call_reads_or_writes_a_pickle(path):
    for call in (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)):
        called = dotted(call.func)
        where = f"{name_of(path)}:{call.lineno}"
        assert called not in ("torch.load", "torch.save", "joblib.load", "joblib.dump"), where
        assert called.split(".")[-1] not in ("read_pickle", "to_pickle"), where
        for keyword in call.keywords:
            allows = keyword.arg == "allow_pickle" and not _is_false(keyword.value)
            assert not allows, where


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


@pytest.mark.parametrize("path", EVERYWHERE, ids=name_of)
def test_only_the_evaluation_opens_what_is_hidden(path):
    if name_of(path).startswith(ALLOWED_HIDDEN):
        return
    openers = ("hidden", "hidden_for", "hidden_pairs", "Hidden")
    taken = {f"common.data.visible.{name}" for name in openers} & set(imports(path))
    if name_of(path).startswith("benchmarks/"):
        taken.discard("common.splits.holdout.Hidden")  # a benchmark invents hidden items, it opens none
    assert not taken
    calls = [dotted(node.func) for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    assert not [call for call in calls if call.endswith((".hidden", ".hidden_for", ".hidden_pairs"))]


@pytest.mark.parametrize("path", under("common/models/"), ids=name_of)
def test_a_model_reads_no_split(path):
    """Models see what `fit(visible)` gives them, never the files of a split or a data set."""
    reading = ("load_split", "draw_split", "load_dataset", "visible", "read_parquet")
    taken = {m for m in imports(path) if m.split(".")[-1] in reading and m != "common.data.visible"}
    assert not taken


@pytest.mark.parametrize("path", COMMON, ids=name_of)
def test_heavy_libraries_are_imported_where_they_are_used(path):
    """A module of `common/` can be imported without the libraries that only some stages need."""
    heavy = ("faiss", "implicit", "wandb", "wandb_workspaces", "polars", "optuna")
    for node in tree(path).body:
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        assert not [m for m in modules if inside(m, heavy)]
