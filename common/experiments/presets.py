"""Presets: a model's settings by name, from presets/*.toml."""

import dataclasses
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

from common.utils.errors import UserError, check_known
from common.utils.io import ROOT
from common.utils.settings import setting_parts

PRESETS = ROOT / "presets"


def preset_values(preset: str, dataset: str, protocol: str, model: str, kind: type, folder: Path = PRESETS) -> Any:
    """A model's settings under a preset: the class's defaults, changed by what presets/ says.

    Read in this order, later ones winning: default.toml, then <dataset>.toml; in each the tables
    [<preset>.<model>], then [<preset>.<model>.<protocol>] (`next` for `next-shuffled` where it has none). A field that
    holds another model's settings bears that model's name and takes that model's values. A table with `base` starts
    from the values of the preset that it names.
    """
    check_known("preset", known_presets(dataset, folder), preset)
    parts = setting_parts(kind)
    values: dict[str, Any] = {n: preset_values(preset, dataset, protocol, n, k, folder) for n, k in parts.items()}
    names = {f.name for f in dataclasses.fields(kind)} - parts.keys()
    for path in (folder / "default.toml", folder / f"{dataset}.toml"):
        where = f"{path.name}: [{preset}.{model}]"
        table = read_toml(path).get(preset, {}).get(model, {})
        special = table.get(protocol, table.get("next", {}) if protocol == "next-shuffled" else {})
        found = {k: v for k, v in table.items() if not isinstance(v, dict)} | special
        found.pop("validation", None)
        if base := found.pop("base", None):
            if base == preset:
                raise UserError(f"{where} base = {base!r}: name another preset")
            started = preset_values(base, dataset, protocol, model, kind, folder)
            values |= {field.name: getattr(started, field.name) for field in dataclasses.fields(kind)}
        for key in found.keys() - names:
            raise UserError(f"{where} has no setting {key!r}; it has {', '.join(sorted(names))}")
        values |= {key: typed(value, getattr(kind(), key), f"{where} {key}") for key, value in found.items()}
    return kind(**values)


def known_presets(dataset: str, folder: Path = PRESETS) -> list[str]:
    """Names of the presets that a data set has."""
    tables = [read_toml(folder / name) for name in ("default.toml", f"{dataset}.toml")]
    return sorted({"tuned", "classic"}.union(*tables))


def typed(value: Any, default: Any, where: str) -> Any:
    """A preset's value in the type of the setting's default; whole numbers do for numbers."""
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if isinstance(default, tuple) and isinstance(value, list):
        return tuple(value)
    if type(value) is not type(default):
        raise UserError(f"{where} = {value!r}: give a value like {default!r}")
    return value


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's content, empty where there is none."""
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise UserError(f"{path} is not readable TOML ({error}); mend or delete it") from error


def preset_label(preset: str, used: Any, as_preset: Any) -> str:
    """The preset's name, or, where flags changed the model's settings, that name with a hash of them.

    So a trial with other flags never overwrites the preset's own results.
    """
    if used == as_preset:
        return preset
    text = json.dumps(dataclasses.asdict(used), sort_keys=True)
    return f"{preset}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
