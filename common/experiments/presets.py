"""Presets: a model's settings by name, from presets/*.toml."""

import dataclasses
import hashlib
import json
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from common.data.sources.registry import DEDUPLICATED
from common.splits.protocols import PROTOCOLS
from common.utils.errors import UserError, check_known, short, unknown_name
from common.utils.io import ROOT
from common.utils.settings import check_field, kept_values, setting_parts

PRESETS = ROOT / "presets"
AS_ON = {"next-shuffled": "next"} | dict.fromkeys(("random-8020", "random-811", "listen-stratified"), "listen")
"""Protocols that take the settings chosen on another one, which asks the same question, where they have none."""


def preset_values(preset: str, dataset: str, protocol: str, model: str, kind: type, folder: Path = PRESETS) -> Any:
    """A model's settings under a preset: the class's defaults, changed by what presets/ says.

    Read in this order, later ones winning: default.toml, then <dataset>.toml (of a deduplicated data set first that of
    the data set as it was); in each the tables [<preset>.<model>], then [<preset>.<model>.<protocol>], or where it has
    none that of its protocol in AS_ON. A field that holds another model's settings bears that model's name and takes
    that model's values. A table with `base` starts from the values of the preset that it names.

    Raises a UserError that names file and table for whatever else stands there.
    """
    check_known("preset", known_presets(dataset, folder), preset)
    return _values((preset,), dataset, protocol, model, kind, folder)


def _values(presets: tuple[str, ...], dataset: str, protocol: str, model: str, kind: type, folder: Path) -> Any:
    """`preset_values` of the last of some presets, each of which the one before starts from."""
    preset, parts = presets[-1], setting_parts(kind)
    values = {name: _values((preset,), dataset, protocol, name, part, folder) for name, part in parts.items()}
    names = {field.name for field in dataclasses.fields(kind)} - parts.keys()
    for path in _files(dataset, folder):
        where, found = f"{path.name}: [{preset}.{model}]", read_settings(path, preset, model, protocol)
        if (base := found.pop("base", None)) is not None:
            check_base(base, presets, known_presets(dataset, folder), where)
            started = _values((*presets, base), dataset, protocol, model, kind, folder)
            values |= {field.name: getattr(started, field.name) for field in dataclasses.fields(kind)}
        for key in found.keys() - names:
            raise UserError(f"{where} has no setting {key!r}; it has {', '.join(sorted(names))}")
        for key, value in found.items():
            values[key] = typed(value, getattr(kind(), key), f"{where} {key}")
            check_field(kind, key, values[key], f"{where} {key} =")
    return kind(**values)


def check_base(base: Any, presets: tuple[str, ...], known: list[str], where: str) -> None:
    """Raise a UserError for a `base` that is no known preset, or that leads back to where it starts."""
    if not isinstance(base, str):
        raise UserError(f"{where} base = {short(base)}: give the name of another preset, in quotation marks")
    if base in presets:
        back = " -> ".join((*presets, base))
        raise UserError(f"{where} base = {base!r}: name another preset, {back} leads back to itself")
    if base not in known:
        raise UserError(f"{where} base: {unknown_name('preset', base, known)}")


def read_settings(path: Path, preset: str, model: str, protocol: str) -> dict[str, Any]:
    """What the tables of a model and of its protocol say in a file, without notes on how it was found."""
    of_presets = _table(read_toml(path), preset, path, f"[{preset}.{model}]")
    table = _table(of_presets, model, path, f"[{preset}.{model}]", f"{preset}.")
    found = {key: value for key, value in table.items() if key not in (*PROTOCOLS, "validation")}
    for key in (key for key, value in found.items() if isinstance(value, dict)):
        raise UserError(f"{path.name}: [{preset}.{model}.{key}]: {unknown_name('protocol', key, PROTOCOLS)}")
    name = protocol if protocol in table else AS_ON.get(protocol, protocol)
    special = _table(table, name, path, f"[{preset}.{model}.{name}]", f"{preset}.{model}.")
    return found | {key: value for key, value in special.items() if key != "validation"}


def _table(tables: dict[str, Any], key: str, path: Path, right: str, above: str = "") -> dict[str, Any]:
    """One of some tables, empty where there is none; a UserError where something else stands there."""
    table = tables.get(key, {})
    if not isinstance(table, dict):
        raise UserError(
            f"{path.name}: {above}{key} = {short(table)} is no table; write {right} and the settings below it"
        )
    return table


def known_presets(dataset: str, folder: Path = PRESETS) -> list[str]:
    """Names of the presets that a data set has."""
    return sorted({"tuned", "classic"}.union(*map(read_toml, _files(dataset, folder))))


def _files(dataset: str, folder: Path) -> list[Path]:
    """What is read of a data set, later files winning; of a deduplicated one also what was chosen for it as it was."""
    names = dict.fromkeys(("default", dataset.removesuffix(DEDUPLICATED), dataset))
    return [folder / f"{name}.toml" for name in names]


def typed(value: Any, default: Any, where: str) -> Any:
    """A preset's value in the type of the setting's default; whole numbers do for numbers."""
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if isinstance(default, tuple) and isinstance(value, list):
        return tuple(value)
    if type(value) is not type(default):
        raise UserError(f"{where} = {short(value)}: give a value like {default!r}")
    return value


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's content, empty where there is none."""
    if not path.exists():
        return {}
    try:
        return parsed(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise UserError(f"{path} is not readable TOML (nested too deeply); mend or delete it") from None
    except (ValueError, OSError) as error:
        raise UserError(f"{path} is not readable TOML ({error}); mend or delete it") from error


@lru_cache(64)
def parsed(text: str) -> dict[str, Any]:
    """What a TOML text says, not to be changed by who reads it: a stage asks for the settings of its models many times.

    Raises ValueError or RecursionError.
    """
    return tomllib.loads(text)


def preset_label(preset: str, used: Any, as_preset: Any) -> str:
    """The preset's name, or, where flags changed the model's settings, that name with a hash of them.

    So a trial with other flags never overwrites the preset's own results.
    """
    if used == as_preset:
        return preset
    text = json.dumps(kept_values(used), sort_keys=True)
    return f"{preset}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
