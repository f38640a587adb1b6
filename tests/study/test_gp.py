"""The Gaussian process that proposes trials: what it sees, what it learns, and that it finds what it should."""

import math
import random

import numpy as np
import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial
from scipy.optimize import check_grad
from scipy.stats import multivariate_normal

from qpsearch.registry.samplers.gp.process import Density, GaussianProcess, fitted
from qpsearch.registry.samplers.gp.sampler import GPSampler, _log_improvement
from qpsearch.registry.samplers.trials.order import VIOLATED, best_first
from qpsearch.space import RandomChooser, Space, draw, parse_space
from qpsearch.space.domains import LogIntRange
from qpsearch.study.search.encoding import Encoding
from tests.scripted import Behaviour, space_text


@pytest.fixture(scope="module")
def conditional() -> Space:
    """Alpha is there only with a quotient block."""
    return parse_space(space_text(Behaviour.IMPROVES, Behaviour.STALLS))


def test_points_become_rows_and_back(conditional: Space) -> None:
    encoding = Encoding(conditional.sites)
    for seed in range(50):
        params = draw(conditional, RandomChooser(seed)).params
        row = encoding.row(params)
        again = encoding.params(row)
        assert again.keys() == params.keys()
        assert all(again[name] == pytest.approx(value) for name, value in params.items())
        assert np.isnan(row).sum() == encoding.size - len(params)


def test_even_shares_are_even_draws_of_the_space(conditional: Space) -> None:
    """As many quotients, and alphas exactly with them."""
    encoding = Encoding(conditional.sites)
    rows = encoding.points(np.random.default_rng(0).random((3000, encoding.size)))
    points = [encoding.params(row) for row in rows]
    quotients = [point for point in points if point["network.stages.0.block"] == "quotient"]
    assert len(quotients) == pytest.approx(1000, abs=90)
    assert [("network.rules.quotient.alpha" in point) for point in points] == [
        point["network.stages.0.block"] == "quotient" for point in points
    ]
    assert {point["network.stages.0.depth"] for point in points} == {1, 2, 3}
    rates = [math.log(float(point["training.optimizer.sgd.lr"])) for point in points]  # type: ignore[arg-type]
    assert np.mean(rates) == pytest.approx((math.log(0.01) + math.log(0.5)) / 2, abs=0.1)


@pytest.mark.parametrize("high", [30, 60_000])
def test_shares_of_a_log_range_become_those_of_its_values(high: int) -> None:
    """A short range keeps the share of each value, a long one computes it."""
    space = parse_space(space_text(Behaviour.IMPROVES), settings=[f"training.batch_size={{log_int: [2, {high}]}}"])
    (site,) = (site for site in space.sites if site.parameter == "training.batch_size")
    assert isinstance(site.domain, LogIntRange)
    shares = np.append(np.linspace(0, 1, 501), np.nan)
    rounded = Encoding([site]).points(shares[:, None])[:, 0]
    assert rounded[:-1].tolist() == [site.domain.share_of(site.domain.at(share)) for share in shares[:-1]]
    assert np.isnan(rounded[-1])


def test_features_tell_words_and_numbers_apart(conditional: Space) -> None:
    encoding = Encoding(conditional.sites)
    features = encoding.features(encoding.points(np.random.default_rng(1).random((20, encoding.size))))
    assert features.shape == (20, sum(encoding.widths))
    assert max(encoding.widths) == 3  # kinds of block
    assert not np.isnan(features).any()


def test_the_gradient_of_the_scales_is_that_of_their_density() -> None:
    generator = np.random.default_rng(0)
    points, values = generator.random((20, 4)), generator.normal(size=20)
    density = Density((1, 2, 1), points, values)
    at = density.prior[0] + np.linspace(-0.4, 0.6, 5)
    assert check_grad(lambda theta: density.loss(theta)[0], lambda theta: density.loss(theta)[1], at) < 1e-4


def test_the_density_is_that_of_a_normal_variable_times_the_prior() -> None:
    generator = np.random.default_rng(0)
    points, values = generator.random((20, 3)), generator.normal(size=20)
    theta = np.array([-0.5, 0.3, -1.0, 0.4])  # scales of two columns, the second of two features; noise; amplitude
    apart = (points[:, None] - points[None]) / np.exp([-0.5, 0.3, 0.3])
    root = np.sqrt(5 * (apart**2).sum(axis=2))
    covariance = math.exp(0.4) * (1 + root + root**2 / 3) * np.exp(-root) + (math.exp(-2.0) + 1e-6) * np.eye(20)
    density = Density((1, 2), points, values)
    expected = -multivariate_normal(cov=covariance).logpdf(values) - 10 * math.log(2 * math.pi)
    expected += 0.5 * (((theta - density.prior[0]) / density.prior[1]) ** 2).sum()
    assert density.loss(theta)[0] == pytest.approx(expected, rel=1e-9)


def test_what_is_expected_narrows_a_process_as_knowing_it_would() -> None:
    generator = np.random.default_rng(0)
    points, others, new = generator.random((20, 2)), generator.random((3, 2)), generator.random((400, 2))
    values, theta = generator.normal(size=20), np.array([-0.5, 0.3, -1.0, 0.4])
    model = GaussianProcess((1, 1), theta, points, values)
    expected, _ = model.predict(others)
    known = GaussianProcess((1, 1), theta, np.vstack([points, others]), np.concatenate([values, expected]))
    model.expect(others)
    for found, right in zip(model.predict(new), known.predict(new), strict=True):
        assert found == pytest.approx(right, abs=1e-9)


def test_a_fitted_process_predicts_and_knows_where_it_does_not() -> None:
    generator = np.random.default_rng(0)
    points = generator.random((60, 3))
    values = np.sin(5 * points[:, 0])
    model = GaussianProcess((1, 1, 1), fitted((1, 1, 1), points, values), points, values)
    new = generator.random((200, 3))
    mean, sd = model.predict(new)
    assert np.abs(mean - np.sin(5 * new[:, 0])).max() < 0.1
    _, far = model.predict(np.array([[5.0, 5.0, 5.0]]))
    assert far[0] > 5 * sd.mean()


def test_the_improvement_is_that_of_a_normal_variable() -> None:
    ahead = np.array([-30.0, -2.0, 0.0, 1.5])
    drawn = np.random.default_rng(0).normal(size=4_000_000)
    found = np.exp(_log_improvement(ahead, np.ones(4)))
    assert found[1:] == pytest.approx([np.maximum(each + drawn, 0).mean() for each in ahead[1:]], rel=0.01)
    assert np.isfinite(_log_improvement(ahead, np.ones(4))).all()


def trial(
    state: TrialState, value: float | None = None, curve: tuple[float, ...] = (), violated: bool = False
) -> FrozenTrial:
    return create_trial(
        state=state,
        value=value,
        intermediate_values=dict(enumerate(curve, 1)),
        system_attrs={VIOLATED: 1.0} if violated else {},
    )


def test_who_got_further_is_better_and_failures_are_last() -> None:
    pruned = TrialState.PRUNED
    trials = [
        trial(pruned, curve=(0.9,)),
        trial(pruned, violated=True),
        trial(TrialState.COMPLETE, 0.2),
        trial(pruned, curve=(0.1, 0.3)),
        trial(TrialState.RUNNING),
        trial(pruned, curve=(0.1, math.nan)),
        trial(TrialState.COMPLETE, 0.7),
        trial(pruned, curve=(0.1, 0.4)),
        trial(pruned),
    ]
    found = best_first(trials, [True])
    assert [trials.index(each) for each in found] == [6, 2, 7, 3, 5, 0, 1]
    assert [trials.index(each) for each in best_first(trials, [False])][:2] == [2, 6]


def test_of_several_objectives_the_front_comes_first() -> None:
    values = [(0.5, 9.0), (0.6, 5.0), (0.4, 4.0), (0.3, 6.0)]
    trials = [create_trial(state=TrialState.COMPLETE, values=list(each)) for each in values]
    assert [trials.index(each) for each in best_first(trials, [True, False])] == [1, 2, 0, 3]


PLAIN = """
study: plain
data: {dataset: digits, validation: 300}
network: {stem: {width: 4}, stages: [{width: 4, depth: {int: [1, 9]}, block: additive}]}
training:
  epochs: 1
  optimizer: {sgd: {lr: {log: [0.001, 1.0]}, momentum: {float: [0.0, 0.9]}, weight_decay: {log: [1.0e-6, 0.1]}}}
"""


def best_of(sampler: str, seed: int, trials: int = 60) -> float:
    """The distance of the best trial from an optimum inside the space."""
    space = parse_space(PLAIN)
    encoding, study = Encoding(space.sites), optuna.create_study()
    best = math.inf
    for number in range(trials):
        random_sampler = optuna.samplers.RandomSampler(seed=1000 * seed + number)
        study.sampler = GPSampler(encoding, 1000 * seed + number, 8) if sampler == "gp" else random_sampler
        asked = study.ask()
        row = encoding.row({name: domain_value(space, asked, name) for name in space.searched})
        loss = float(((row - 0.3) ** 2).sum())
        study.tell(asked, loss)
        best = min(best, loss)
    return best


def domain_value(space: Space, asked: optuna.Trial, name: str) -> object:
    domain = next(site.domain for site in space.sites if site.parameter == name)
    assert domain is not None
    return domain.suggest(name, asked)


def test_it_finds_an_optimum_that_random_draws_miss() -> None:
    found = {kind: [best_of(kind, seed) for seed in range(4)] for kind in ("gp", "random")}
    assert np.mean(found["gp"]) < np.mean(found["random"]) / 4


def test_a_proposal_is_a_function_of_the_seed_and_repeats_no_point() -> None:
    space = parse_space(space_text(Behaviour.IMPROVES))
    encoding = Encoding(space.sites)
    generator, study = random.Random(0), optuna.create_study()
    for number in range(12):
        study.add_trial(
            create_trial(
                params=draw(space, RandomChooser(number)).params,
                distributions={
                    s.parameter: s.domain.distribution()
                    for s in space.sites
                    if s.domain and s.parameter in draw(space, RandomChooser(number)).params
                },
                value=generator.random(),
            )
        )
    asked = study.ask()
    proposals = [GPSampler(encoding, seed, 8)._propose(study, asked._get_latest_trial()) for seed in (1, 1, 2)]
    assert proposals[0] == proposals[1] != proposals[2]
    assert all(proposal not in [each.params for each in study.trials] for proposal in proposals)
