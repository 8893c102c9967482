"""The bibliography and the docstrings that cite it agree."""

import ast
import re
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BIBLIOGRAPHY = ROOT / "docs" / "references.bib"
NAME = r"(?:van der )?[^\W\d_a-z][\w\-]*[^\W\d_A-Z][\w\-]*"
CITATION = re.compile(rf"({NAME}(?:(?:, {NAME})*,? (?:&|and) {NAME}| et al\.)?),? \(?((?:18|19|20)\d\d)\b")
"""Authors and year: one or several surnames, or the first with `et al.`."""
NO_AUTHORS = ("HetRec", "July")
"""Words before a year that are no authors."""
ENTRY = re.compile(r"^@\w+\{(\w+),\n(.*?)^(?=@|\Z)", re.MULTILINE | re.DOTALL)
FIELD = re.compile(r"\b(author|year|title) = \{((?:[^{}]|\{[^{}]*\})*)\}")


def plain(text: str) -> str:
    """Latin letters without accents, as LaTeX or Unicode writes them."""
    text = re.sub(r"[{}]|\\[\"'`^~\\]|\\", "", text)
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def key_of(authors: str, year: str) -> str:
    """The key of a citation.

    >>> key_of("Hu, Koren & Volinsky", "2008"), key_of("Cao et al.", "2007")
    ('HuKorenVolinsky2008', 'CaoEtAl2007')
    """
    words = re.findall(r"[^\W\d_]+", plain(authors.replace("-", "")))
    return "".join(word[0].upper() + word[1:] for word in words if word != "and") + year


@cache
def cited() -> Counter[str]:
    """How often each key is cited by docstrings of common/."""
    found: Counter[str] = Counter()
    for path in sorted((ROOT / "common").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            value = getattr(node, "value", None)
            if isinstance(node, ast.Expr) and isinstance(value, ast.Constant) and isinstance(value.value, str):
                pairs = CITATION.findall(" ".join(value.value.split()))
                found.update(key_of(*pair) for pair in pairs if pair[0] not in NO_AUTHORS)
    return found


def entries() -> dict[str, dict[str, str]]:
    """The fields of each entry by its key."""
    found = ENTRY.findall(BIBLIOGRAPHY.read_text(encoding="utf-8"))
    assert len({key for key, _ in found}) == len(found), "a key stands twice"
    return {key: dict(FIELD.findall(body)) for key, body in found}


def test_every_citation_has_an_entry_and_every_entry_is_cited():
    assert len(cited()) > 40
    assert set(cited()) - set(entries()) == set(), "cited, but not in docs/references.bib"
    assert set(entries()) - set(cited()) == set(), "in docs/references.bib, but cited nowhere"


def test_a_key_is_made_of_the_entrys_authors_and_year():
    for key, fields in entries().items():
        assert set(fields) == {"author", "year", "title"}, key
        surnames = [name.split(",")[0] for name in fields["author"].split(" and ")]
        ways = {key_of(f"{surnames[0]} et al.", fields["year"]), key_of(", ".join(surnames), fields["year"])}
        assert key in ways, f"{key}: expected one of {ways}"


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("SASRec (Kang & McAuley 2018), by Petrov & Macdonald 2023", ["KangMcAuley2018", "PetrovMacdonald2023"]),
        ("t-SNE (van der Maaten & Hinton 2008) until 2009", ["VanDerMaatenHinton2008"]),
        ("Smucker, Allan and Carterette 2007; Järvelin & Kekäläinen 2002",
         ["SmuckerAllanCarterette2007", "JarvelinKekalainen2002"]),
        ("the years from 1860 to 2100, Last.fm-2K", []),
    ],
)  # fmt: skip
def test_citations_are_recognised(text, keys):
    assert [key_of(*pair) for pair in CITATION.findall(text)] == keys
