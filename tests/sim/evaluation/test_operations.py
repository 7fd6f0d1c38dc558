"""Work, memory and modelled energy against counts by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from snnc.compiler.errors import DataError, OptionError
from snnc.sim.evaluation.activity import measure
from snnc.sim.evaluation.energy import COST_TABLES, CostTable, load_costs, model_energy
from snnc.sim.evaluation.operations import LayerWork, Work, count_work
from snnc.sim.models.inputs import Samples
from tests.sim.evaluation.subjects import convolutional, with_weight


@pytest.fixture
def work() -> Work:
    """One white pixel in a corner and one in the middle; channel 0 fires where they are, at every step."""
    weight = np.zeros((3, 1, 3, 3), np.int64)
    weight[0, 0, 1, 1] = 7
    graph = with_weight(convolutional(threshold=21), 0, weight)
    images = np.zeros((1, 1, 4, 4), np.uint8)
    images[0, 0, 0, 0] = images[0, 0, 1, 2] = 255
    samples = Samples(name="one", images=images, labels=np.zeros(1, np.int64), classes=("a", "b"))
    return count_work(graph, measure(graph, samples, time_steps=3))


def test_macs_of_the_equal_ann(work):
    assert [layer.macs for layer in work.layers] == [3 * 9 * 16, 0, 2 * 12]
    assert work.macs == 456
    assert work.first_macs == 432


def test_synaptic_operations(work):
    # The corner reaches 4 positions and the middle 9, in 3 channels; each spike one window; each window's spike 2.
    assert [layer.operations for layer in work.layers] == [3 * (4 + 9), 3 * 2, 3 * 2 * 2]
    assert work.operations(first_every_step=False) == 39 + 6 + 12
    assert work.operations(first_every_step=True) == 3 * 39 + 6 + 12
    assert work.spike_operations == 18


def test_spikes_and_rates(work):
    assert [layer.spikes for layer in work.layers] == [6, 6, None]
    assert work.layers[0].firing_rate == 6 / (48 * 3)
    assert work.spikes == 12
    assert work.updates == 3 * (48 + 12 + 2)


def test_memory(work):
    conv, pool, readout = work.layers
    assert (conv.weights, conv.weight_bits, conv.weight_memory) == (27, (4,), 27 * 4)
    assert conv.constant_memory == 3 * 6  # thresholds of 21; the biases are all 0
    assert conv.membrane_memory % 48 == 0
    assert 48 * 6 <= conv.membrane_memory <= 48 * 8
    # A maximum is an OR: nothing to store.
    assert (pool.weight_memory, pool.membrane_memory, pool.constant_memory, pool.weight_bits) == (0, 0, 0, ())
    assert readout.weight_memory == 24 * 4
    assert work.memory == sum(layer.memory for layer in work.layers)


def test_one_time_step_needs_no_membranes():
    graph = convolutional(time_steps=1)
    samples = Samples(
        name="one", images=np.zeros((1, 1, 4, 4), np.uint8), labels=np.zeros(1, np.int64), classes=("a", "b")
    )
    work = count_work(graph, measure(graph, samples, time_steps=1))
    assert [layer.membrane_memory for layer in work.layers] == [0, 0, 0]


def layer(**changes) -> LayerWork:
    facts: dict[str, Any] = {
        "name": "a",
        "shape": (1, 1, 1),
        "neurons": 10,
        "weights": 0,
        "weight_bits": (4,),
        "firing_rate": None,
    }
    facts |= {"spikes": None, "direct": False, "macs": 0, "operations": 0.0, "updates": 0}
    facts |= {"weight_memory": 0, "membrane_memory": 0, "constant_memory": 0}
    return LayerWork(**facts | changes)


def test_modelled_energy_by_hand():
    first = layer(direct=True, macs=1000, operations=200.0, updates=40)
    second = layer(macs=500, operations=300.0, updates=8)
    costs = CostTable(name="x", title="x", mac_pj=2.0, ac_pj=0.5, source="made up")
    work = Work(layers=(first, second), time_steps=4)
    once = model_energy(work, costs, first_every_step=False)
    assert (once.ann, once.first, once.synapses, once.neurons) == (3.0, 2.0, 0.15, 0.024)
    assert once.total == pytest.approx(2.174)
    assert once.ratio == pytest.approx(3 / 2.174)
    every = model_energy(work, costs, first_every_step=True)
    assert (every.ann, every.first, every.synapses, every.neurons) == (3.0, 8.0, 0.15, 0.024)


def test_nothing_costs_nothing():
    free = CostTable(name="x", title="x", mac_pj=0, ac_pj=0, source="")
    assert model_energy(Work(layers=(layer(),), time_steps=1), free, first_every_step=False).ratio is None


@pytest.mark.parametrize(("name", "mac", "ac"), [("fp32", 4.6, 0.9), ("fp16", 1.5, 0.4), ("int8", 0.23, 0.03)])
def test_the_tables_hold_the_published_numbers_and_their_source(name, mac, ac):
    table = load_costs(name)
    assert (table.mac_pj, table.ac_pj) == (mac, ac)
    assert "Horowitz" in table.source
    assert name in COST_TABLES


def test_a_table_of_the_users(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"title": "mine", "mac_pj": 1, "ac_pj": 0.1, "source": "a guess"}))
    assert load_costs(str(path)).mac_pj == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "exactly"),
        ('{"title": "a", "mac_pj": 1, "ac_pj": 1}', "exactly"),
        ('{"title": "a", "mac_pj": "1", "ac_pj": 1, "source": ""}', "mac_pj is '1'"),
        ('{"title": "a", "mac_pj": -1, "ac_pj": 1, "source": ""}', "mac_pj is '-1'"),
        ('{"title": "a", "mac_pj": NaN, "ac_pj": 1, "source": ""}', "mac_pj is 'nan'"),
        ('{"title": "a", "mac_pj": true, "ac_pj": 1, "source": ""}', "mac_pj is 'True'"),
        ('{"title": 1, "mac_pj": 1, "ac_pj": 1, "source": ""}', "title is '1'"),
    ],
)
def test_what_is_no_table_is_refused(text, said, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        load_costs(str(path))


def test_unknown_and_unreadable_tables(tmp_path):
    with pytest.raises(OptionError, match=r"no costs called 'int4'; choose fp32, fp16, int8 or a \.json file"):
        load_costs("int4")
    with pytest.raises(DataError, match="cannot be read"):
        load_costs(str(tmp_path / "none.json"))
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="no text"):
        load_costs(str(tmp_path / "bytes.json"))
