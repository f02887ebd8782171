"""Networks and losses against small independent computations."""

from __future__ import annotations

import cmath
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from duende.errors import DuendeError
from duende.models.frequency import FrequencyComplement, focal_frequency_loss
from duende.models.generation import generate
from duende.models.gpt import CrossConditionalGPT, GPTConfig
from duende.models.quantizer import Codebook
from duende.models.reach import decoder_reach
from duende.models.sampling import Sampling, drawn
from duende.models.streams import CrossConditionalStreams
from duende.models.temporal import Memory
from duende.models.vqvae import FreqVQVAE, RootDecoder, VQVAEConfig, root_loss

SMALL = VQVAEConfig(channels=6, width=16, codes=8, code_dimension=12, dilations=(1, 3))


def awake(network: FreqVQVAE) -> FreqVQVAE:
    """Give the complements, which begin at zero, something to say."""
    for complement in network.decoder.complements:
        torch.nn.init.normal_(complement.layers[-1].weight, std=0.3)  # type: ignore[index,union-attr]
    return network.eval()


def direct_loss(real: list[list[float]], fake: list[list[float]], literal: bool) -> float:
    """Equation 3 by sums over single frequencies."""
    total, count = 0.0, 0
    for first, second in zip(real, fake, strict=True):
        length = len(first)
        scale = 1.0 if literal else 1 / math.sqrt(length)
        sizes = [
            abs(
                scale
                * sum(
                    (a - b) * cmath.exp(-2j * math.pi * k * n / length)
                    for n, (a, b) in enumerate(zip(first, second, strict=True))
                )
            )
            for k in range(length)
        ]
        largest = 1.0 if literal else max(sizes)
        total += sum(size / largest * size**2 for size in sizes)
        count += length
    return total / count


@pytest.mark.parametrize("form", ["normalised", "literal"])
def test_focal_frequency_loss_is_the_direct_sum(form: str) -> None:
    torch.manual_seed(0)
    real, fake = torch.randn(1, 3, 14), torch.randn(1, 3, 14)
    expected = direct_loss(real[0].tolist(), fake[0].tolist(), form == "literal")
    assert focal_frequency_loss(real, fake, form).item() == pytest.approx(expected, rel=1e-4)  # type: ignore[arg-type]
    assert focal_frequency_loss(real, real).item() == 0.0


def test_the_weight_of_the_loss_carries_no_gradient() -> None:
    torch.manual_seed(0)
    real, fake = torch.randn(1, 1, 8), torch.randn(1, 1, 8, requires_grad=True)
    focal_frequency_loss(real, fake, "literal").backward()
    assert fake.grad is not None
    # With a constant weight w the loss is a quadratic form, whose gradient times the offset is twice its value.
    value = focal_frequency_loss(real, fake, "literal")
    assert (fake.grad * (fake - real)).sum().item() == pytest.approx(2 * value.item(), rel=1e-4)


def test_a_new_complement_adds_nothing_and_knows_no_time() -> None:
    module = FrequencyComplement(8).eval()
    features = torch.randn(2, 8, 20)
    assert module(features).abs().max() == 0
    torch.nn.init.normal_(module.layers[-1].weight)  # type: ignore[arg-type]
    changed = features.clone()
    changed[..., -1] += 100
    assert torch.equal(module(features)[..., :15], module(changed)[..., :15])


def test_the_plain_network_is_the_same_class_without_frequency() -> None:
    plain = FreqVQVAE(VQVAEConfig(channels=6, width=16, codes=8, code_dimension=12, frequency=False))
    assert not any("complement" in name for name, _ in plain.named_parameters())
    assert "signal_frequency" not in plain(torch.randn(2, 32, 6)).terms


def test_shapes_and_loss_terms_add_up() -> None:
    torch.manual_seed(0)
    network = FreqVQVAE(SMALL)
    result = network(torch.randn(2, 32, 6))
    assert result.poses.shape == (2, 32, 6)
    assert result.codes.shape == (2, 4)
    terms, config = result.terms, SMALL
    expected = terms["reconstruction"] + terms["velocity"] + terms["acceleration"]
    expected = expected + config.commitment_weight * terms["commitment"] + terms["signal_frequency"]
    assert result.loss.item() == pytest.approx((expected + 0.1 * terms["feature_frequency"]).item(), rel=1e-5)


def test_four_complements_sit_on_the_decoder_and_guide_the_encoder() -> None:
    torch.manual_seed(0)
    network = FreqVQVAE(SMALL)
    features = network._features(torch.randn(1, 32, 6))
    _, complements = network.decoder(features[-1])
    assert [c.shape for c in complements] == [f.shape for f in reversed(features)]
    loss = sum(focal_frequency_loss(a, c) for a, c in zip(reversed(features), complements, strict=True))
    assert isinstance(loss, torch.Tensor)
    loss.backward()
    assert network.encoder.stages[0][0].weight.grad.abs().sum() > 0  # type: ignore[index,union-attr]


def test_codes_alone_decode_and_encode_agrees_with_forward() -> None:
    torch.manual_seed(0)
    network = FreqVQVAE(SMALL).eval()
    poses = torch.randn(2, 40, 6)
    assert torch.equal(network.encode(poses), network(poses).codes)
    assert torch.allclose(network.decode(network.encode(poses)), network(poses).poses, atol=1e-6)
    with pytest.raises(DuendeError, match="multiple of 8"):
        network.encode(torch.randn(1, 33, 6))


@pytest.mark.parametrize("look_ahead", [None, 0, 1, 3])
@pytest.mark.parametrize("frequency", [True, False])
def test_the_stated_reach_of_the_decoder_is_the_real_one(look_ahead: int | None, frequency: bool) -> None:
    torch.manual_seed(0)
    config = replace(SMALL, look_ahead=look_ahead, frequency=frequency)
    network = awake(FreqVQVAE(config))
    reach = decoder_reach(config)
    vectors = torch.randn(1, 12, 121, requires_grad=True)
    network.decoder(vectors)[0][0, :, 60 * 8 : 61 * 8].sum().backward()
    assert vectors.grad is not None
    touched = vectors.grad[0].abs().sum(dim=0).nonzero()[:, 0]
    assert (60 - int(touched.min()), int(touched.max()) - 60) == (reach.before, reach.after)
    assert look_ahead is None or reach.after == look_ahead


def test_the_published_decoder_sees_over_three_seconds_ahead_and_causal_ones_wait_for_their_look_ahead() -> None:
    published = decoder_reach(VQVAEConfig(channels=45, frequency=False))
    # A single frame sees 50 codes, one at the other end of its code the next 50.
    assert (published.before, published.after) == (25, 25)
    assert published.latency(7.5) == pytest.approx(26 / 7.5)
    assert decoder_reach(VQVAEConfig(channels=45, look_ahead=1)).latency(7.5) == pytest.approx(2 / 7.5)
    with pytest.raises(DuendeError, match="look_ahead is a number"):
        VQVAEConfig(channels=45, look_ahead=-1)


@pytest.mark.parametrize("look_ahead", [0, 2])
def test_a_causal_decoder_gives_the_same_piece_by_piece(look_ahead: int) -> None:
    torch.manual_seed(0)
    decoder = awake(FreqVQVAE(replace(SMALL, look_ahead=look_ahead))).decoder
    vectors = torch.randn(2, 12, 50)
    held = torch.cat([vectors, vectors[..., -1:].expand(-1, -1, look_ahead)], dim=-1)
    memory: Memory = {}
    pieces = [decoder.delayed(piece, memory)[0] for piece in held.split([1, 1, 3, 20, 25 + look_ahead], dim=-1)]
    whole = decoder(vectors)[0]
    assert torch.allclose(torch.cat(pieces, dim=-1)[..., 8 * look_ahead :], whole, atol=1e-5)
    assert whole.shape[-1] == 400


def test_complements_of_a_late_decoder_are_those_of_their_own_time() -> None:
    torch.manual_seed(0)
    network = awake(FreqVQVAE(replace(SMALL, look_ahead=2)))
    outputs, complements = network.decoder(torch.randn(1, 12, 10))
    assert [c.shape[-1] for c in complements] == [10, 10, 20, 40]
    assert outputs.shape[-1] == 80
    assert torch.isfinite(network(torch.randn(1, 80, 6)).loss)


def test_paper_sizes() -> None:
    def millions(module: torch.nn.Module) -> float:
        return sum(parameter.numel() for parameter in module.parameters()) / 1e6

    plain = VQVAEConfig(channels=45, frequency=False)
    assert millions(FreqVQVAE(plain)) == pytest.approx(25.87, abs=0.01)
    assert millions(FreqVQVAE(VQVAEConfig(channels=27, frequency=False))) == pytest.approx(25.81, abs=0.01)
    assert millions(FreqVQVAE(VQVAEConfig(channels=45))) - 25.87 == pytest.approx(6.30, abs=0.02)
    assert millions(RootDecoder(plain, 3)) == pytest.approx(13.39, abs=0.01)
    assert millions(CrossConditionalGPT(GPTConfig(positions="learned"))) == pytest.approx(87.03, abs=0.01)


def test_root_loss_counts_values_and_differences() -> None:
    target = torch.zeros(1, 3, 1)
    predicted = torch.tensor([[[0.0], [3.0], [0.0]]])
    assert root_loss(predicted, target).item() == pytest.approx(1.0 + 3.0)


def test_codebook_moves_as_computed_by_hand() -> None:
    book = Codebook(2, 1, decay=0.5, restart_below=0.0)
    book.vectors.copy_(torch.tensor([[0.0], [10.0]]))
    book.sums.copy_(book.vectors)
    book.updates.fill_(1)
    result = book.train()(torch.tensor([[[1.0], [2.0], [12.0]]]))
    assert result.codes.tolist() == [[0, 0, 1]]
    assert result.vectors.detach().flatten().tolist() == [0.0, 0.0, 10.0]
    assert result.commitment.item() == pytest.approx((1 + 4 + 4) / 3)
    # Counts 0.5 + 0.5 * (2, 1), sums 0.5 * (0, 10) + 0.5 * (3, 12).
    assert book.vectors.flatten().tolist() == pytest.approx([1.5 / 1.5, 11.0 / 1.0])
    assert result.perplexity.item() == pytest.approx(math.exp(-(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))))


def test_gradients_pass_straight_through_the_codebook() -> None:
    book = Codebook(4, 3).eval()
    inputs = torch.randn(1, 5, 3, requires_grad=True)
    book(inputs).vectors.sum().backward()
    assert torch.equal(inputs.grad, torch.ones_like(inputs))  # type: ignore[arg-type]


def test_dead_codes_come_back_to_life_among_the_inputs() -> None:
    book = Codebook(16, 2, decay=0.5).train()
    book.updates.fill_(1)
    book.vectors.fill_(1000.0)
    book.vectors[0] = 0.0
    book.sums.copy_(book.vectors)
    inputs = torch.randn(1, 200, 2)
    for _ in range(10):
        book(inputs)
    assert book.vectors.abs().max() < 10
    assert int(book(inputs).used) > 8


def test_a_codebook_goes_on_from_its_saved_state() -> None:
    torch.manual_seed(0)
    batches = [torch.randn(1, 50, 2) for _ in range(4)]
    whole = Codebook(8, 2).train()
    for batch in batches:
        whole(batch)
    first = Codebook(8, 2).train()
    for batch in batches[:2]:
        first(batch)
    second = Codebook(8, 2).train()
    second.load_state_dict(first.state_dict())
    for batch in batches[2:]:
        second(batch)
    assert torch.equal(whole.vectors, second.vectors)


def gpt(positions: str = "rotary", window: int = 6, styles: int = 0) -> CrossConditionalGPT:
    torch.manual_seed(1)
    config = GPTConfig(
        music_dimension=5,
        codes=7,
        width=16,
        layers=2,
        heads=2,
        window=window,
        positions=positions,
        styles=styles,  # type: ignore[arg-type]
    )
    network = CrossConditionalGPT(config).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return network


def test_the_mask_is_the_hand_made_one() -> None:
    seen = CrossConditionalStreams(window=2).mask(3)
    block = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 1, 1]], dtype=torch.bool)
    assert torch.equal(seen, block.repeat(3, 3))
    assert CrossConditionalStreams().mask(3)[2, :3].all()
    assert "m0 m1" in CrossConditionalStreams().describe(2)


def test_the_docs_show_the_mask_that_is_used() -> None:
    docs = Path(__file__).resolve().parents[1] / "docs" / "network.md"
    assert CrossConditionalStreams().describe(4) in docs.read_text(encoding="utf-8")


@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_the_future_changes_nothing_in_the_past(positions: str) -> None:
    network = gpt(positions)
    music = torch.randn(1, 6, 5, requires_grad=True)
    codes = torch.randint(0, 7, (1, 6))
    logits = network(music, codes, codes)
    (logits.upper[:, 3].sum() + logits.lower[:, 3].sum()).backward()
    assert music.grad is not None
    assert music.grad[:, 4:].abs().max() == 0
    assert music.grad[:, 3].abs().max() > 0
    changed = codes.clone()
    changed[:, 4:] = (changed[:, 4:] + 1) % 7
    other = network(music, changed, changed)
    assert torch.equal(logits.upper[:, :4], other.upper[:, :4])
    assert not torch.equal(logits.lower[:, 4:], other.lower[:, 4:])


def test_each_half_hears_the_other() -> None:
    network, music = gpt(), torch.randn(1, 4, 5)
    codes = torch.zeros(1, 4, dtype=torch.long)
    assert not torch.equal(network(music, codes, codes).lower, network(music, codes + 1, codes).lower)


def test_learned_positions_recompute_the_last_codes() -> None:
    network, music = gpt("learned", window=4), torch.randn(1, 9, 5)
    codes = generate(network, music, torch.tensor([[1, 2]])).clone()
    # Past the window the context is one code shorter than it was in training, as upstream.
    first = 9 - 1 - 3
    past = codes[:, first : first + 3]
    logits = network(music[:, first : first + 3], past[..., 0], past[..., 1])
    assert codes[0, 8].tolist() == [int(logits.upper[0, -1].argmax()), int(logits.lower[0, -1].argmax())]
    with pytest.raises(DuendeError, match="9 steps"):
        network(music, codes[..., 0], codes[..., 1])


def test_targets_past_the_end_do_not_count() -> None:
    network, music = gpt(), torch.randn(1, 4, 5)
    codes = torch.zeros(1, 4, dtype=torch.long)
    logits = network(music, codes, codes)
    ignored = torch.tensor([[0, 0, -100, -100]])
    short = network(music[:, :2], codes[:, :2], codes[:, :2])
    assert network.loss(logits, ignored, ignored).item() == pytest.approx(
        network.loss(short, codes[:, :2], codes[:, :2]).item(), rel=1e-5
    )


def test_sampling_keeps_to_its_bounds() -> None:
    scores = torch.tensor([[0.0, 1.0, 2.0, 3.0]]).repeat(500, 1)
    generator = torch.Generator().manual_seed(0)
    assert set(drawn(scores, Sampling(), None).tolist()) == {3}
    assert set(drawn(scores, Sampling(1.0, top_k=2), generator).tolist()) == {2, 3}
    assert set(drawn(scores, Sampling(5.0, top_p=0.3), generator).tolist()) == {3}
    assert set(drawn(scores, Sampling(5.0), generator).tolist()) == {0, 1, 2, 3}


def test_a_width_that_heads_do_not_divide_is_named() -> None:
    with pytest.raises(DuendeError, match="30"):
        GPTConfig(width=30, heads=4)
