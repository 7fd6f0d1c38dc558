"""The doctor finds what was planted, and nothing in a network that is well."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from snnc.compiler.ir import Graph, frozen
from snnc.sim.evaluation.activity import measure
from snnc.sim.evaluation.doctor import Ailment, Finding, diagnose
from snnc.sim.evaluation.health import LayerHealth, layer_health
from tests.sim.evaluation.subjects import convolutional, random_samples, with_layer, with_weight
from tests.sim.models.test_floating import as_float, without_rounding


def examined(graph: Graph, floating: Graph | None = None) -> tuple[dict[str, LayerHealth], tuple[Finding, ...]]:
    activity = measure(graph, random_samples(graph, 40), time_steps=graph.time_steps, floating=floating)
    layers = layer_health(graph, activity)
    return {layer.name: layer for layer in layers}, diagnose(graph, activity, layers)


def found(findings: tuple[Finding, ...], ailment: Ailment, layer: str) -> Finding:
    (one,) = (finding for finding in findings if (finding.ailment, finding.layer) == (ailment, layer))
    assert one.measured.endswith(".")
    assert one.advice.endswith(".")
    return one


@pytest.fixture
def graph() -> Graph:
    """Well: weights of -5 .. 5 of 7 possible, channels that fire at times, both classes answered."""
    generator = np.random.default_rng(1)
    graph = with_weight(convolutional(), 0, generator.integers(-5, 6, (3, 1, 3, 3)))
    graph = with_weight(graph, 2, [[5, -4, 3, -2, 1, 0, -5, 4, -3, 2, -1, 0], [-4, 4, -2, 1, 0, 0, 5, -5, 1, -2, 3, 0]])
    return with_layer(graph, "conv1", threshold=np.array([25, 25, 25]))


def test_nothing_is_found_in_a_network_that_is_well(graph):
    layers, findings = examined(graph)
    assert findings == ()
    assert 0.05 < (layers["conv1"].rate or 0.0) < 0.95


def test_a_dead_channel(graph):
    layers, findings = examined(with_layer(graph, "conv1", threshold=np.array([25, 10_000, 25])))
    assert layers["conv1"].dead == (1,)
    finding = found(findings, Ailment.DEAD, "conv1")
    assert finding.channels == (1,)
    assert "1 of 3 channels (1) never fired on 40 samples" in finding.measured
    found(findings, Ailment.DEAD, "max2")  # nothing reaches its maximum either


def test_a_saturated_layer(graph):
    layers, findings = examined(with_layer(graph, "conv1", bias=np.array([10_000] * 3)))
    assert layers["conv1"].saturated == (0, 1, 2)
    assert "All 3 channels" in found(findings, Ailment.SATURATED, "conv1").measured


def test_a_channel_whose_weights_are_all_zero(graph):
    weight = graph.projections[0].weight.copy()
    weight[2] = 0
    layers, findings = examined(with_weight(graph, 0, weight))
    assert layers["conv1"].constant == (2,)
    assert found(findings, Ailment.CONSTANT, "conv1").channels == (2,)


def test_clipped_weights(graph):
    weight = np.where(graph.projections[0].weight >= 0, 7, -7)
    weight[:, :, 0] = 1
    layers, findings = examined(with_weight(graph, 0, weight))
    assert layers["conv1"].clipped == pytest.approx(2 / 3)
    assert "66.7% of its weights are at the limit of +-7" in found(findings, Ailment.CLIPPED, "conv1").measured


def test_one_weight_at_the_limit_per_channel_is_no_clipping(graph):
    weight = graph.projections[0].weight.copy()
    weight[:, 0, 0, 0] = 7
    weight[0, 0, 0, 1] = 7
    layers, findings = examined(with_weight(graph, 0, weight))
    assert layers["conv1"].clipped == pytest.approx(4 / 27)  # an even spread has 2 / 15
    assert Ailment.CLIPPED not in {finding.ailment for finding in findings}


def test_a_step_that_is_too_coarse(graph):
    _, findings = examined(with_weight(graph, 0, graph.projections[0].weight.clip(-3, 3)))
    assert "largest weight is 3, where the width allows 7" in found(findings, Ailment.COARSE, "conv1").measured


@pytest.mark.parametrize("bits", [1, 2])
def test_binary_and_ternary_weights_have_no_limit_to_be_clipped_at(bits):
    layers, findings = examined(convolutional(bits=bits, threshold=4))
    assert layers["conv1"].clipped is None
    assert not {Ailment.CLIPPED, Ailment.COARSE} & {finding.ailment for finding in findings}


def test_spikes_and_rates_that_rounding_changed(graph):
    graph = without_rounding(with_layer(graph, "conv1", threshold=np.array([5, 5, 5])))
    floating = as_float(graph)
    changes = {Ailment.SPIKES_CHANGED, Ailment.RATE_CHANGED}
    assert not changes & {finding.ailment for finding in examined(graph, floating)[1]}
    # As if thresholds of 4 had been rounded to 10.
    floating = with_layer(floating, "conv1", threshold=np.full(3, 4.0))
    layers, findings = examined(graph, floating)
    found(findings, Ailment.SPIKES_CHANGED, "conv1")
    found(findings, Ailment.RATE_CHANGED, "conv1")
    assert (layers["max2"].disagreement or 0.0) > 0.05
    assert ("max2", Ailment.SPIKES_CHANGED) not in {(finding.layer, finding.ailment) for finding in findings}


@pytest.mark.parametrize(("used", "wide"), [(5, True), (6, False)])
def test_membranes_that_are_far_wider_than_used(graph, used, wide):
    activity = measure(graph, random_samples(graph, 20), time_steps=1)
    layers = layer_health(graph, activity)
    conv = dataclasses.replace(layers[0], bits_used=used, bits_proven=8)
    findings = diagnose(graph, activity, (conv,))
    assert (Ailment.WIDE_MEMBRANE in {finding.ailment for finding in findings}) == wide


def test_a_class_that_is_never_answered(graph):
    readout = dataclasses.replace(graph.readout, bias=frozen(np.array([0, 10_000])))
    graph = dataclasses.replace(graph, populations=(*graph.populations[:-1], readout), classes=("cat", "dog"))
    finding = found(examined(graph)[1], Ailment.NEVER_ANSWERED, "readout")
    assert finding.measured == "No sample was ever called cat."
    assert finding.channels == (0,)


@pytest.mark.parametrize(
    ("confusion", "advice"),
    [
        ([[0, 12], [0, 28]], "training stood still"),
        ([[0, 3], [0, 37]], "training stood still"),
        ([[0, 9, 1], [0, 60, 0], [0, 0, 60]], "are rare"),
        ([[0, 40, 0], [0, 40, 0], [0, 0, 40]], "more weight bits"),
    ],
)
def test_more_bits_are_advised_where_bits_are_missing_only(graph, confusion, advice):
    activity = measure(graph, random_samples(graph, 20), time_steps=1)
    table = np.array(confusion)
    share = np.array([table.trace() / table.sum()])
    findings = diagnose(graph, dataclasses.replace(activity, confusion=table, accuracy=share), ())
    said = found(findings, Ailment.NEVER_ANSWERED, "readout").advice
    assert advice in said
    assert ("bits" in said) == ("bits" in advice)
