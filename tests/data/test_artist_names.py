import pytest

from common.data.artist_names import artist_key, main_credit

SAME = [
    ("Sigur Rós", "sigur ros"),
    ("Otters & Sons", "Otters and Sons"),
    ("The Velvet Otters", "Velvet Otters"),
    ("Velvet Otters feat. Somebody", "Velvet Otters"),
    ("Velvet Otters (Feat. Somebody)", "Velvet Otters"),
    ("Velvet Otters ft.Somebody", "Velvet Otters"),
    ("Velvet Otters featuring Somebody & Else", "Velvet Otters"),
    ("Guns N' Roses", "guns n’ roses"),
    ("Run-D.M.C.", "Run–DMC"),
    ("N*E*R*D", "N.E.R.D."),
    ("Ke$ha", "KESHA"),
    ("ＲＥＤ", "Red"),
    ("Ａｌｌ Otters", "All  Otters"),
    ("Cafe\u0301 Tacuba", "Café Tacuba"),
]
DIFFERENT = [
    ("Egg", "The Egg"),
    ("Lu", "Lü"),
    ("Rin'", "RIN"),
    ("!!!", "???"),
    ("Little Feat", "Little"),
    ("The The", "The"),
    ("ハハ", "パパ"),
    ("ไทย", "ไท"),
    ("हिन्दी गान", "हन्द गन"),
    ("Fred A. Staire", "Fred Astaire"),
    ("X", "Y"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_spellings_of_one_artist_share_a_key(one, other):
    assert artist_key(one) == artist_key(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_two_artists_do_not_share_a_key(one, other):
    assert artist_key(one) != artist_key(other)


@pytest.mark.parametrize("name", ["!!!", "夜の海", "초콜릿", "Дельфин", "The", "...", "feat.", "+/-", "-M-"])
def test_no_name_has_an_empty_key(name):
    assert artist_key(name)


def test_letters_of_other_scripts_are_kept():
    assert artist_key("夜の海と長い道") == "夜の海と長い道"
    assert artist_key("ガラスのコップ楽団") == "ガラスのコップ楽団"


@pytest.mark.parametrize("name", ["Little Feat", "The Lovely Feathers", "Aftermath", "Ft. Otter", "feat."])
def test_a_name_that_merely_contains_feat_has_no_guests(name):
    assert main_credit(name) == name
