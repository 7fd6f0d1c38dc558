"""The margin of an exit: the least that keeps the answers, against a search through all of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnc.compiler.errors import OptionError
from snnc.compiler.ir import Exit
from snnc.sim.evaluation.exits import Answers, answers_of, choose_margin, exiting
from snnc.sim.models import golden
from snnc.sim.models.inputs import encoded_batches
from tests.sim.evaluation.subjects import convolutional, random_samples

STEPS = 3


def drawn(seed: int, samples: int = 30) -> Answers:
    generator = np.random.default_rng(seed)
    return Answers(
        classes=generator.integers(0, 2, (STEPS + 1, samples)),
        margins=generator.integers(0, 12, (STEPS + 1, samples)),
        labels=generator.integers(0, 2, samples),
    )


@given(st.integers(0, 2**32 - 1), st.sampled_from([(1,), (2,), (1, 3), (1, 2, 3)]), st.sampled_from([0.5, 0.8, 0.9]))
def test_the_least_margin_from_which_on_the_answers_are_kept(seed, steps, agreement):
    answers = drawn(seed)
    kept = [exiting(answers, Exit(margin=margin, steps=steps)).agreement >= agreement for margin in range(1, 15)]
    lost = [margin for margin, keeps in enumerate(kept, start=1) if not keeps]
    wanted = max(lost, default=0) + 1
    if wanted > answers.margins[[step - 1 for step in steps]].max():
        with pytest.raises(OptionError, match="--agreement"):
            choose_margin(answers, steps, agreement=agreement)
    else:
        assert choose_margin(answers, steps, agreement=agreement) == Exit(margin=wanted, steps=steps)


def test_what_it_says_of_an_exit_is_what_the_network_does():
    graph = convolutional()
    samples = random_samples(graph, 40)
    answers = answers_of(graph, samples)
    sealed = Exit(margin=int(np.median(answers.margins[0])) + 1, steps=(1, 2))
    told = exiting(answers, sealed)
    ((_, inputs),) = encoded_batches(graph, samples, time_steps=graph.time_steps, batch=40)
    trace = golden.run(dataclasses.replace(graph, exit=sealed), inputs, time_steps=graph.time_steps)
    without = golden.run(graph, inputs, time_steps=graph.time_steps)
    assert 0 < np.count_nonzero(trace.steps < graph.time_steps) < 40
    assert told.steps.mean == trace.steps.mean()
    assert told.agreement == np.mean(trace.classes == without.classes)
    assert told.accuracy == golden.accuracy(trace.classes, samples.labels)
    assert told.accuracy_of_all_steps == golden.accuracy(without.classes, samples.labels)
