"""The verb discover: what it takes for knowledge, settings and seeds, and what it says of anything else."""

from __future__ import annotations

import numpy as np
import pytest

import whence as wh

RNG = np.random.default_rng(0)
DOSE = RNG.normal(size=300)
TABLE = {"dose": DOSE, "cure": DOSE + RNG.normal(size=300)}


def test_knowledge_may_be_an_order_in_time_as_text():
    found = wh.discover(TABLE, "pc", knowledge="dose < cure", confidence=False)
    assert found.graph.parents("cure") == ("dose",)
    assert wh.discover(TABLE, "pc", knowledge="", confidence=False).graph == wh.discover(TABLE, "pc").graph


WRONG = {
    "a list of names": ({"knowledge": ["dose", "cure"]}, wh.GraphError, "as text"),
    "knowledge of another column": ({"knowledge": "Dose < cure"}, wh.GraphError, "Did you mean 'dose'"),
    "a word for a seed": ({"random_state": "a"}, wh.ParameterError, "random_state='a' is no seed"),
    "a negative seed": ({"random_state": -1}, wh.ParameterError, "no seed"),
    "a setting that is not there": ({"method": "pc", "alfa": 0.05}, wh.ParameterError, "'alfa'.*Settings: 'alpha'"),
    "another case": ({"method": "PC"}, wh.ParameterError, "Did you mean 'pc'"),
    "a search that is not there": ({"method": "pcc"}, wh.ParameterError, "Known: "),
    "fewer draws than none": ({"confidence": -5}, wh.ParameterError, "-5 bootstrap draws.*0 for none"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_meant_is_said(case):
    settings, error, says = WRONG[case]
    with pytest.raises(error, match=says):
        wh.discover(TABLE, **settings)
