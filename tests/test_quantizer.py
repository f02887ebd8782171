"""The codebook where numbers are coarse, and where several processes share it."""

from __future__ import annotations

import pytest
import torch

from duende.models import quantizer
from duende.models.quantizer import Codebook
from duende.models.vqvae import FreqVQVAE, VQVAEConfig


def test_distances_stay_exact_under_mixed_precision() -> None:
    torch.manual_seed(0)
    inputs = 3.0 + 0.05 * torch.randn(400, 16)
    book = Codebook(64, 16).eval()
    # Neighbours closer than bfloat16 can tell apart at this distance from zero.
    book.vectors.copy_(inputs[:64])
    exact = torch.cdist(inputs.double(), book.vectors.double()).argmin(dim=1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (book.nearest(inputs) == exact).float().mean() > 0.99
        assert (book(inputs[None]).codes[0] == exact).float().mean() > 0.99


def test_encoding_and_training_name_the_same_codes_under_mixed_precision() -> None:
    torch.manual_seed(0)
    network = FreqVQVAE(VQVAEConfig(channels=6, width=16, codes=64, code_dimension=16, dilations=(1,))).eval()
    poses = torch.randn(8, 160, 6)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        features = network._features(poses)[-1].transpose(1, 2).flatten(0, 1).float()
        network.codebook.vectors.copy_(features[:64])
        assert torch.equal(network.encode(poses), network(poses).codes)


def test_processes_share_counts_sums_and_restarted_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process that saw the same batch doubles counts and sums; the first one's draws are everyone's."""
    broadcast: list[torch.Tensor] = []

    def from_first(tensor: torch.Tensor, src: int) -> None:
        assert src == 0
        tensor.fill_(7.0)
        broadcast.append(tensor)

    monkeypatch.setattr(quantizer.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(quantizer.dist, "all_reduce", lambda tensor: tensor.mul_(2))
    monkeypatch.setattr(quantizer.dist, "broadcast", from_first)
    book = Codebook(3, 1, decay=0.5, restart_below=0.6).train()
    book.vectors.copy_(torch.tensor([[0.0], [10.0], [100.0]]))
    book.sums.copy_(book.vectors)
    book.updates.fill_(1)
    book(torch.tensor([[[1.0], [2.0], [12.0]]]))
    # Counts 0.5 + 0.5 * (4, 2, 0), sums 0.5 * (0, 10, 100) + 0.5 * (6, 24, 0); the third code died.
    assert book.counts.tolist() == pytest.approx([2.5, 1.5, 1.0])
    assert book.sums.flatten().tolist() == pytest.approx([3.0, 17.0, 7.0])
    assert book.vectors.flatten().tolist() == pytest.approx([3 / 2.5, 17 / 1.5, 7.0])
    assert len(broadcast) == 1


def test_a_first_batch_smaller_than_the_codebook_fills_it() -> None:
    book = Codebook(32, 2).train()
    inputs = torch.randn(1, 5, 2)
    book(inputs)
    assert torch.isfinite(book.vectors).all()
    assert len(book.vectors.unique(dim=0)) == 32
    assert torch.cdist(book.vectors, inputs[0]).amin(dim=1).max() < 0.1


def test_evaluation_leaves_the_codebook_alone() -> None:
    book = Codebook(8, 2).train()
    book(torch.randn(1, 40, 2))
    before = {name: value.clone() for name, value in book.state_dict().items()}
    book.eval()(torch.randn(1, 40, 2))
    assert all(torch.equal(before[name], value) for name, value in book.state_dict().items())
