"""The BIF reader: hand cases, broken files, and the networks that come with an installed package."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from whence.data.bif import read_bif
from whence.errors import DataError

SMALL = """// a comment with { braces }
network "small world" { property author "nobody"; }
/* over
   two lines */
variable rain { type discrete [ 2 ] { yes, no }; property position = (1, 2); }
variable "sprinkler on" { type discrete [ 3 ] { off, low, high }; }
variable wet { type discrete [2] { yes no }; }
probability ( wet | rain, "sprinkler on" ) {
  default 0.5, 0.5;
  (yes, off) 0.9, 0.1;
  (no, high) 0.25, 0.75;
}
probability ( rain ) { table 0.2, 0.8; }
probability ( "sprinkler on" | rain ) {
  table 0.7, 0.1,  0.2, 0.3,  0.1, 0.6;
}
"""


def networks() -> dict[str, Path]:
    spec = find_spec("pgmpy")
    if spec is None or spec.origin is None:
        return {}
    folder = Path(spec.origin).parent / "utils" / "example_models"
    return {path.name.removesuffix(".bif.gz"): path for path in sorted(folder.glob("*.bif.gz"))}


def test_a_hand_written_network_is_read_whole():
    network = read_bif(SMALL)
    assert network.name == "small world"
    assert network.names == ("rain", "sprinkler on", "wet")
    assert network.levels["sprinkler on"] == ("off", "low", "high")
    assert set(network.edges) == {("rain", "wet"), ("sprinkler on", "wet"), ("rain", "sprinkler on")}
    np.testing.assert_allclose(network.tables["wet"][0, 0], [0.9, 0.1])
    np.testing.assert_allclose(network.tables["wet"][1, 2], [0.25, 0.75])
    np.testing.assert_allclose(network.tables["wet"][0, 1], [0.5, 0.5])
    # The flat form lists the child's first level for every parent level first.
    np.testing.assert_allclose(network.tables["sprinkler on"], [[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])


def test_samples_follow_the_tables():
    network = read_bif(SMALL)
    codes = network.sample_codes(40_000, random_state=0)
    rain, sprinkler, wet = codes.T
    assert abs((rain == 0).mean() - 0.2) < 0.01
    assert abs((sprinkler[rain == 1] == 2).mean() - 0.6) < 0.01
    assert abs((wet[(rain == 1) & (sprinkler == 2)] == 0).mean() - 0.25) < 0.015
    np.testing.assert_array_equal(codes, network.sample_codes(40_000, random_state=0))


def test_a_file_and_a_compressed_file_are_the_same_network(tmp_path):
    plain, packed = tmp_path / "small.bif", tmp_path / "small.bif.gz"
    plain.write_text(SMALL)
    packed.write_bytes(gzip.compress(SMALL.encode()))
    assert read_bif(plain).edges == read_bif(str(packed)).edges == read_bif(SMALL).edges


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("type discrete [ 3 ]", "type discrete [ 4 ]", 6, "announces 4 levels and lists 3"),
        ("(yes, off) 0.9, 0.1", "(yes, off) 0.9", 10, "needs 2 probabilities here, found 1"),
        ("(no, high)", "(no, loud)", 11, "'loud' is not a level of 'sprinkler on'"),
        ("(no, high)", "(no)", 11, "names 1 levels for 2 parents"),
        ("table 0.2, 0.8", "table 0.2, 0.9", 13, "do not add up to 1"),
        ("table 0.2, 0.8", "table 0.2, often", 13, "often"),
        ("( rain )", "( snow )", 13, "'snow' is not declared"),
        ("  default 0.5, 0.5;\n", "", 8, "no probabilities for some levels"),
        ("variable wet {", "variabel wet {", 7, "expected a network, variable or probability block"),
        ("probability ( rain ) { table 0.2, 0.8; }\n", "", 16, "has no probability block"),
        ("0.1, 0.6;\n}", "0.1, 0.6;\n", 14, "never closed"),
        (
            "{ table 0.2, 0.8; }",
            "{ table 0.2, 0.8; } probability ( rain ) { table 1, 0; }",
            13,
            "two probability",
        ),
    ],
)
def test_a_broken_file_is_refused_with_its_line(old, new, line, words):
    assert old in SMALL
    with pytest.raises(DataError, match=f"line {line}:") as caught:
        read_bif(SMALL.replace(old, new, 1))
    assert caught.value.code == "E160"
    assert words in str(caught.value)


def test_a_cycle_is_refused():
    cyclic = SMALL.replace(
        "probability ( rain ) { table 0.2, 0.8; }", "probability ( rain | wet ) { default 0.2, 0.8; }"
    )
    with pytest.raises(DataError, match="cycle"):
        read_bif(cyclic)


def test_an_absent_or_truncated_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot read") as caught:
        read_bif(tmp_path / "absent.bif")
    assert caught.value.code == "E161"
    broken = tmp_path / "broken.bif.gz"
    broken.write_bytes(gzip.compress(SMALL.encode())[:60])
    with pytest.raises(DataError, match="cannot read"):
        read_bif(broken)


# Nodes, edges and free parameters as published at https://www.bnlearn.com/bnrepository.
PUBLISHED = {
    "asia": (8, 8, 18),
    "alarm": (37, 46, 509),
    "sachs": (11, 17, 178),
    "child": (20, 25, 230),
    "insurance": (27, 52, 1008),
    "hailfinder": (56, 66, 2656),
    "hepar2": (70, 123, 1453),
    "win95pts": (76, 112, 574),
    "andes": (223, 338, 1157),
    "munin": (1041, 1397, 80592),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks_have_their_published_size(name):
    path = networks().get(name)
    if path is None:
        pytest.skip(f"the network {name} comes with pgmpy, which is not installed")
    network = read_bif(path)
    free = sum(table.size // table.shape[-1] * (table.shape[-1] - 1) for table in network.tables.values())
    assert (len(network.names), len(network.edges), free) == PUBLISHED[name]


def test_margins_of_a_sampled_network_are_the_exact_ones():
    path = networks().get("asia")
    if path is None:
        pytest.skip("the network asia comes with pgmpy, which is not installed")
    network = read_bif(path)
    codes = network.sample_codes(50_000, random_state=1)
    column = dict(zip(network.names, codes.T))
    lung = 0.5 * 0.1 + 0.5 * 0.01
    tub = 0.01 * 0.05 + 0.99 * 0.01
    either = lung + tub - lung * tub
    for name, probability in {
        "lung": lung,
        "tub": tub,
        "either": either,
        "xray": 0.98 * either + 0.05 * (1 - either),
    }.items():
        assert abs((column[name] == 0).mean() - probability) < 4 * np.sqrt(probability / 50_000)
