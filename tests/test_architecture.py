"""Imports run one way, files stay short and tested, nothing is pickled, and only the evaluation opens a holdout."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COMMON = sorted((ROOT / "common").rglob("*.py"))
STAGES = sorted(ROOT.glob("[0-9]_*.py"))
SCRIPTS = [*STAGES, ROOT / "recommend.py"]
EVERYWHERE = [*COMMON, *SCRIPTS, *sorted((ROOT / "benchmarks").rglob("*.py"))]
FLOORS = (
    ("utils",),
    ("cluster",),
    ("data", "training"),
    ("splits",),
    ("features",),
    ("models",),
    ("evaluation", "plots"),
    ("experiments",),
    ("reranking",),
    ("serving", "reporting"),
    ("cli",),
)
"""The rooms of `common/` from the ground up. A file imports its own room and lower floors; scripts and the public API
(`common/__init__.py`) stand above all of them."""
ROOMS = tuple(room for floor in FLOORS for room in floor)
HEAVY = ("faiss", "implicit", "wandb", "wandb_workspaces", "polars", "optuna", "pyspark", "py4j")
TRAINS = ("common/models/neural/", "common/training/", "common/plots/")
"""Where torch may be imported at once: nobody gets there who does not train or draw."""
MOST_LINES, MOST_LINES_OF_STAGE, MOST_FILES = 320, 150, 12


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def dotted_name(path: Path) -> str:
    return name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


MODULES = {dotted_name(path): path for path in COMMON}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def named_by(node: ast.AST) -> Iterator[str]:
    """Modules that one statement imports; `from a import b` gives both `a` and `a.b`."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert not node.level, "relative import"
        yield node.module or ""
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def imports(path: Path) -> list[str]:
    """Every module that a file imports, anywhere in it."""
    return [name for node in ast.walk(tree(path)) for name in named_by(node)]


@cache
def imports_at_once(path: Path) -> list[str]:
    """The modules that importing the file imports: those outside functions and `if TYPE_CHECKING`."""
    found: list[str] = []
    nodes: list[ast.AST] = list(tree(path).body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        found += named_by(node)
        if isinstance(node, ast.If) and dotted(node.test).endswith("TYPE_CHECKING"):
            nodes += node.orelse
        else:
            nodes += ast.iter_child_nodes(node)
    return found


@cache
def edges_at_once() -> dict[str, set[str]]:
    """Every module of `common` -> the modules that importing it imports at once."""
    return {module: set(imports_at_once(path)) for module, path in MODULES.items()}


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


def floor_of(module: str) -> int:
    """The floor of a module of `common`, from 0; the public API stands above all."""
    return next((floor for floor, rooms in enumerate(FLOORS) if {*module.split(".")[1:2]} & {*rooms}), len(FLOORS))


def reached(start: str, edges: dict[str, set[str]]) -> set[str]:
    """All that can be reached from a node, itself only where a way leads back."""
    found: set[str] = set()
    todo = [start]
    while todo:
        for target in edges.get(todo.pop(), set()) - found:
            found.add(target)
            todo.append(target)
    return found


def test_every_room_has_a_floor():
    rooms = {path.name for path in (ROOT / "common").iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    assert rooms == set(ROOMS)


@pytest.mark.parametrize("path", COMMON, ids=name_of)
def test_imports_run_down(path):
    module = dotted_name(path)
    own_room = ".".join(module.split(".")[:2])
    for imported in set(imports(path)) & set(MODULES) - {"common"}:
        lower = floor_of(imported) < floor_of(module)
        assert lower or inside(imported, (own_room,)), f"{module} imports {imported}"


def test_no_two_files_import_one_another():
    edges = {module: set(imports(path)) & set(MODULES) - {module} for module, path in MODULES.items()}
    assert [module for module in edges if module in reached(module, edges)] == []


def test_nothing_in_common_imports_or_runs_a_script():
    scripts = {path.stem for path in SCRIPTS}
    for path in COMMON:
        named = set(imports(path)) | {
            node.value.removesuffix(".py")
            for call in ast.walk(tree(path))
            if isinstance(call, ast.Call) and dotted(call.func).split(".")[-1] in ("import_module", "run_path")
            for node in call.args
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert not named & scripts, name_of(path)
        assert not [m for m in named if inside(m, ("tests", "benchmarks", "examples"))], name_of(path)


def test_stages_do_not_import_one_another():
    assert offenders(STAGES, tuple(path.stem for path in STAGES)) == []


@pytest.mark.parametrize("name", ["metrics", "registry"])
def test_a_metric_needs_arrays_alone(name):
    path = ROOT / f"common/evaluation/{name}.py"
    of_ours = {module for module in imports(path) if inside(module, ("common",))}
    assert not {module for module in of_ours if not inside(module, ("common.utils",))}


@pytest.mark.parametrize("path", under("common/plots/"), ids=name_of)
def test_drawing_takes_tables(path):
    allowed = ("common.utils", "common.plots", "common.data.tables")
    assert not [m for m in set(imports(path)) & set(MODULES) if not inside(m, allowed)]


def test_only_tracking_and_the_dashboard_know_wandb():
    both = ("wandb", "wandb_workspaces")
    knowing = {name_of(path) for path in EVERYWHERE if any(inside(m, both) for m in imports(path))}
    assert knowing == {"common/experiments/tracking.py", "common/cli/dashboard.py"}
    assert offenders(EVERYWHERE, ("common.cli.dashboard",)) == [], "it is a command of its own"


def test_only_the_store_knows_sql():
    knowing = [name_of(path) for path in EVERYWHERE if offenders([path], ("sqlite3", "sqlalchemy", "psycopg"))]
    assert knowing, "nothing keeps likes"
    assert [name for name in knowing if not name.startswith("common/serving/store/")] == []


@pytest.mark.parametrize("path", [path for path in EVERYWHERE if path.parent.name != "evaluation"], ids=name_of)
def test_only_the_evaluation_opens_a_holdout(path):
    if name_of(path).startswith(("common/evaluation/", "common/splits/holdout.py")):
        return
    taken = set(offenders([path], ("common.splits.holdout",)))
    if name_of(path).startswith("benchmarks/"):  # a benchmark makes up held-out pairs, it opens none
        taken -= {f"{name_of(path)} imports common.splits.holdout{name}" for name in ("", ".Holdout")}
    assert not taken
    calls = [dotted(node.func) for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    assert not [call for call in calls if call.split(".")[-1] in ("load_holdout", "make_holdout")]


ON_SPARK = [path for path in COMMON if "on_spark" in name_of(path) or name_of(path).startswith("common/cluster/")]
FETCHING = {"collect", "toPandas", "toArrow", "toLocalIterator", "take", "head", "first", "tail", "show", "pandas_api"}
"""Methods of a Spark table that bring rows to the driver."""


@pytest.mark.parametrize("path", ON_SPARK, ids=name_of)
def test_no_rows_of_a_cluster_come_to_the_driver(path):
    """Only counts do, through `cluster/counts.py`, which refuses all else; the preparation has a test of its own."""
    named = {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
    assert named & (FETCHING | {"rdd"}) == ({"collect"} if path.name == "counts.py" else set())


@pytest.mark.parametrize("path", under("common/models/"), ids=name_of)
def test_a_model_reads_no_split(path):
    """A model sees what `fit(train)` gives it, never the files of a split or a data set."""
    readers = ("load_split", "draw_split", "load_dataset", "load_train_view", "read_parquet")
    assert not {module for module in imports(path) if module.split(".")[-1] in readers}
    assert not offenders([path], ("common.data.dataset", "common.data.sources", "common.splits.store"))


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


@pytest.mark.parametrize("path", COMMON, ids=name_of)
def test_heavy_libraries_are_imported_where_they_are_used(path):
    """A module of `common/` can be imported without the libraries that only some stages need."""
    assert not [module for module in imports_at_once(path) if inside(module, HEAVY)]


TORCH_FREE = [path for path in COMMON if not name_of(path).startswith(TRAINS)]


@pytest.mark.parametrize("path", TORCH_FREE, ids=name_of)
def test_who_does_not_train_needs_no_torch(path):
    edges = edges_at_once()
    needed = reached(dotted_name(path), edges) | {dotted_name(path)}
    assert not [module for module in sorted(needed) if "torch" in edges.get(module, ())]


def test_importing_what_does_not_train_imports_no_torch():
    """The same by trying it: a library may import torch, too."""
    clean = [dotted_name(path) for path in TORCH_FREE if path.name != "__main__.py"]
    code = f"import sys\nfor name in {clean!r}:\n    __import__(name)\n    assert 'torch' not in sys.modules, name"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr[-2000:]


def test_an_answer_in_the_terminal_does_not_wait_for_what_it_does_not_need():
    edges = edges_at_once()
    begun = set(imports_at_once(ROOT / "recommend.py"))
    needed = begun | {found for module in begun for found in reached(module, edges)}
    assert "common.serving.store.store" in needed
    rare = ("rapidfuzz", "common.data.synthetic.generator", "common.serving.similar_songs", "common.models.knn")
    assert not [module for module in sorted(needed) if inside(module, rare)]


@pytest.mark.parametrize("path", [path for path in [*COMMON, *SCRIPTS] if path.name != "__init__.py"], ids=name_of)
def test_files_are_short(path):
    most = MOST_LINES_OF_STAGE if path in STAGES else MOST_LINES
    assert len(path.read_text(encoding="utf-8").splitlines()) <= most


def test_folders_are_small():
    sizes = Counter(name_of(path.parent) for path in COMMON if path.name != "__init__.py")
    assert {folder: size for folder, size in sizes.items() if size > MOST_FILES} == {}


def test_of(path: Path) -> Path:
    """Where the tests of a module stand: common/splits/holdout.py -> tests/splits/test_holdout.py."""
    return ROOT / "tests" / path.relative_to(ROOT / "common").parent / f"test_{path.stem}.py"


test_of.__test__ = False  # type: ignore[attr-defined]


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_has_its_test(room):
    lacking = [name_of(path) for path in under(f"common/{room}/") if path.name[0] != "_" and not test_of(path).exists()]
    assert lacking == []
