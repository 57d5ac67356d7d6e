"""A distribution over sets of words: likelihood, gradient, mean target and number of words against an enumeration."""

from itertools import combinations

import pytest
import torch
from torch import Tensor

from lightning_modules.mac import MAC
from lightning_modules.outputs import WordSets
from overlapped_words.errors import SettingError

NUM_CLASSES = 5


def logits(output: WordSets) -> Tensor:
    return 2 * torch.randn(3, output.num_logits, generator=torch.Generator().manual_seed(0))


def enumerate_sets(output: WordSets, z: Tensor) -> tuple[list[tuple[int, ...]], Tensor]:
    """All sets, and their probabilities `(B, number of sets)`."""
    sizes = range(output.k[0], output.k[1] + 1)
    sets = [chosen for k in sizes for chosen in combinations(range(NUM_CLASSES), k)]
    biases = z[:, NUM_CLASSES:] if output.num_sizes > 1 else torch.zeros(len(z), 1)
    columns = [z[:, list(chosen)].sum(dim=1) + biases[:, len(chosen) - output.k[0]] for chosen in sets]
    return sets, torch.stack(columns, dim=1).softmax(dim=1)


def target(chosen: tuple[int, ...]) -> Tensor:
    words = torch.zeros(1, NUM_CLASSES)
    words[0, list(chosen)] = 1 / max(1, len(chosen))
    return words


@pytest.mark.parametrize("k", [(2, 2), (1, 3), (0, 2)])
def test_likelihood_mean_target_and_number_of_words(k: tuple[int, int]) -> None:
    output = WordSets(NUM_CLASSES, k)
    z = logits(output)
    sets, probs = enumerate_sets(output, z)
    z.requires_grad_()
    for i in range(0, len(sets), 3):
        loss, expected = output.loss(z, target(sets[i]).expand(3, -1)), -enumerate_sets(output, z)[1][:, i].log().mean()
        torch.testing.assert_close(loss, expected)
        torch.testing.assert_close(*(torch.autograd.grad(value, z)[0] for value in (loss, expected)))
    z = z.detach()
    with_words = [i for i, chosen in enumerate(sets) if chosen]
    mean = sum(probs[:, i, None] * target(sets[i]) for i in with_words) / probs[:, with_words].sum(dim=1, keepdim=True)
    torch.testing.assert_close(output(z).exp(), mean, atol=1e-5, rtol=1e-4)
    sizes = torch.tensor([len(chosen) for chosen in sets])
    number = [probs[:, sizes == size].sum(dim=1) for size in range(k[0], k[1] + 1)]
    torch.testing.assert_close(output.log_num_words(z).exp(), torch.stack(number, dim=1))


def test_extreme_logits_stay_finite_and_no_word_gets_more_than_its_share() -> None:
    output = WordSets(NUM_CLASSES, (4, 4))
    z = (100 * logits(output)).requires_grad_()
    assert output(z).exp().max() <= 0.25 + 1e-4
    (output.loss(z, target((0, 1, 2, 3)).expand(3, -1)) + output(z)[:, 0].sum()).backward()
    assert z.grad.isfinite().all()


def test_clips_of_a_curriculum_and_half_precision() -> None:
    output = WordSets(NUM_CLASSES, (2, 3))
    z = logits(output)
    expected = -z[:, :NUM_CLASSES].log_softmax(dim=1)[:, 4].mean()  # one word: a softmax
    torch.testing.assert_close(output.loss(z, target((4,)).expand(3, -1)), expected)
    output = WordSets(NUM_CLASSES, (1, 3))
    z = logits(output).half()
    assert output(z).dtype == output.loss(z, target((0, 1)).expand(3, -1)).dtype == torch.float32
    torch.testing.assert_close(output(z), output(z.float()))


def test_a_network_has_the_logits_of_its_output() -> None:
    features = torch.randn(2, 4, 80, 79)
    for k, num_logits in (((4, 4), 6), ((1, 4), 10), ((0, 4), 11)):
        network = MAC(num_classes=6, width=2, freq_bins=2, output="set", k=k).eval()
        assert network.logits(features).shape == (2, num_logits)
        torch.testing.assert_close(network(features).exp().sum(dim=1), torch.ones(2))


@pytest.mark.parametrize("k", [None, (0, 0), (2, 1), (1, 7), (-1, 2), (0, 100)])
def test_a_set_needs_a_valid_number_of_words(k) -> None:
    with pytest.raises(SettingError, match=r"model\.output=set needs the number of words per clip"):
        MAC(num_classes=200 if k == (0, 100) else 6, width=2, output="set", k=k)
