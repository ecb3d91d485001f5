"""The pendulum and the morphed digits: geometry by hand, truths that are their own inverses, published files."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

import whence as wh
from whence.errors import WhenceError
from whence.systems.vision import digits, pendulum


def test_the_shadow_by_hand():
    # Light from straight above (100 * pi / 200) casts the shadow below: from the pivot at 10 to the bob's end.
    length, position = pendulum.shadow([0.0, 50.0], [100.0, 100.0])
    reach = 9.5 * np.sin(np.pi / 4)
    np.testing.assert_allclose(length, [3.0, reach])
    np.testing.assert_allclose(position, [10.0, 10.0 + reach / 2])
    # Light at 45 degrees moves the shadow of a point by its height above the floor.
    _, slanted = pendulum.shadow(0.0, 50.0)
    assert float(slanted) == pytest.approx((10.0 - 11.0 + 10.0 - 1.5) / 2)


def test_the_grid_is_the_published_one():
    grid = pendulum.all_labels()
    assert grid.shape == (84 * 87, 4)
    assert 100 not in grid[:, 1]
    assert len(np.unique(grid[:, :2], axis=0)) == len(grid)


def test_the_truth_of_an_intervention_follows_the_graph():
    labels = pendulum.all_labels()[::500]
    unchanged = pendulum.truth(labels, {"angle": labels[:, 0]})
    np.testing.assert_allclose(unchanged, labels)
    moved = pendulum.truth(labels, {"angle": 20.0})
    np.testing.assert_allclose(moved, pendulum.with_shadow(np.full(len(labels), 20.0), labels[:, 1]))
    longer = pendulum.truth(labels, {"shadow_length": wh.shift_by(1.0)})
    np.testing.assert_allclose(longer - labels, np.tile([0.0, 0.0, 1.0, 0.0], (len(labels), 1)), atol=1e-12)


def test_scenes_show_their_labels():
    labels = pendulum.with_shadow([0.0, 0.0, 30.0], [100.5, 120.0, 120.0])
    straight, moved, swung = pendulum.render(labels, 24)[:, 0]
    assert straight.min() == 0.0
    assert straight.max() == 1.0
    # the ball hangs two units below... at x = 10, y = 2.5: column 12, row 24 - 4 - 1
    assert straight[19:21, 11:13].max() == 1.0
    lamp, floor = slice(0, 4), slice(22, 24)
    assert np.abs(straight[lamp] - moved[lamp]).max() > 0.3  # the light moves the lamp
    assert np.abs(moved[lamp] - swung[lamp]).max() == 0.0  # and the pendulum does not
    assert np.abs(moved[floor] - swung[floor]).max() > 0.1  # but it moves the shadow
    drawn = pendulum.scenes(20, size=16, random_state=3)
    np.testing.assert_array_equal(drawn.X, pendulum.scenes(20, size=16, random_state=3).X)


def test_vectors_are_mixed_by_one_fixed_network():
    one, other = pendulum.vectors(50, random_state=0), pendulum.vectors(50, random_state=1)
    assert np.abs(one.X).max() < 1.0
    assert np.abs(one.X - other.X).max() > 0.1
    both = np.vstack([one.X, other.X])
    assert np.linalg.matrix_rank(both - both.mean(axis=0)) == 32


def test_morphed_digits_carry_their_labels():
    drawn = digits.morphed_digits(60, random_state=0)
    thickness, brightness = drawn.labels.T
    np.testing.assert_allclose(drawn.X.max(axis=(1, 2, 3)), brightness / 255.0, rtol=0.35)
    ink = drawn.X.sum(axis=(1, 2, 3)) / brightness
    assert np.corrcoef(ink, thickness)[0, 1] > 0.6  # digits differ in the length of their lines
    assert 64 < brightness.min() < brightness.max() < 255
    same = digits.truth(drawn.labels, {"thickness": thickness})
    np.testing.assert_allclose(same, drawn.labels, rtol=1e-6)
    thicker = digits.truth(drawn.labels, {"thickness": wh.shift_by(1.0)})
    assert (thicker[:, 1] > brightness).all()
    np.testing.assert_array_equal(digits.truth(drawn.labels, {"intensity": 100.0})[:, 0], thickness)


def test_thinning_leaves_a_line_in_the_middle():
    shapes = np.zeros((2, 12, 20), dtype=bool)
    shapes[0, 3:8, 2:18] = True  # a bar five high
    shapes[1, 5, 4:9] = True  # already a line
    bar, line = digits.thinned(shapes)
    assert bar[:, 6:14].sum(axis=0).tolist() == [1] * 8
    assert bar[5, 6:14].all()
    np.testing.assert_array_equal(line, shapes[1])


def test_published_files_are_read(tmp_path):
    images = np.arange(2 * 28 * 28, dtype=np.uint8).reshape(2, 28, 28)
    head = np.array([2051, 2, 28, 28], dtype=">i4").tobytes()
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + images.tobytes()))
    (tmp_path / "t10k-morpho.csv").write_text("index,thickness,intensity\n0,2.5,100\n1,3.5,200\n")
    rows, classes = digits.read_morpho_mnist(tmp_path)
    np.testing.assert_allclose(rows.X[:, 0] * 255, images)
    assert rows.labels.tolist() == [[2.5, 100.0], [3.5, 200.0]]
    assert classes is None
    (tmp_path / "t10k-morpho.csv").write_text("index,thickness,intensity\n0,2.5,100\n1,3.5,200\n2,3.5,200\n")
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(WhenceError) as caught:
            digits.read_morpho_mnist(folder)
        assert caught.value.code == "E657"


@pytest.mark.parametrize(
    "call",
    [lambda: pendulum.render(np.zeros((1, 4)), 4), lambda: pendulum.scenes(0), lambda: digits.morphed_digits(0)],
)
def test_impossible_scenes_are_refused(call):
    with pytest.raises(WhenceError) as caught:
        call()
    assert caught.value.code == "E651"
