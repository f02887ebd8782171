"""EDGE's network: its size, and what it computes beside a plain rewrite of the published one under its own names."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from duende.errors import DuendeError
from duende.models.denoiser import Denoiser, DenoiserConfig
from duende.systems.published.edge import edge_denoiser_config, edge_denoiser_weights, edge_scaling

SMALL = DenoiserConfig(
    channels=11, music_dimension=7, width=32, layers=2, heads=8, feedforward=24, music_layers=2, frames=10
)


def published_state(config: DenoiserConfig = SMALL) -> dict[str, Tensor]:
    """Random weights under the names, and of the shapes, of EDGE's DanceDecoder."""
    width, hidden = config.width, config.feedforward
    shapes: dict[str, tuple[int, ...]] = {
        "null_cond_embed": (1, config.frames, width),
        "null_cond_hidden": (1, width),
        "norm_cond": (width,),
        "time_mlp.1": (4 * width, width),
        "to_time_cond.0": (width, 4 * width),
        "to_time_tokens.0": (2 * width, 4 * width),
        "input_projection": (width, config.channels),
        "cond_projection": (width, config.music_dimension),
        "non_attn_cond_projection.0": (width,),
        "non_attn_cond_projection.1": (width, width),
        "non_attn_cond_projection.3": (width, width),
        "final_layer": (config.channels, width),
    }
    layers = {f"cond_encoder.{i}": False for i in range(config.music_layers)}
    layers |= {f"seqTransDecoder.stack.{i}": True for i in range(config.layers)}
    for layer, dances in layers.items():
        for attention in ["self_attn", "multihead_attn"][: 1 + dances]:
            shapes[f"{layer}.{attention}.in_proj_weight"] = (3 * width, width)
            shapes[f"{layer}.{attention}.in_proj_bias"] = (3 * width,)
            shapes[f"{layer}.{attention}.out_proj"] = (width, width)
        shapes |= {f"{layer}.linear1": (hidden, width), f"{layer}.linear2": (width, hidden)}
        shapes |= {f"{layer}.norm{i}": (width,) for i in (1, 2, 3)[: 2 + dances]}
        shapes |= {f"{layer}.film{i}.block.1": (2 * width, width) for i in (1, 2, 3) if dances}
    generator = torch.Generator().manual_seed(5)
    state = {}
    for name, shape in shapes.items():
        if name.startswith("null") or "in_proj" in name:
            state[name] = torch.randn(shape, generator=generator) * 0.3
        else:
            state[f"{name}.weight"] = torch.randn(shape, generator=generator) * 0.3
            state[f"{name}.bias"] = torch.randn(shape[:1], generator=generator) * 0.3
    for prefix in ["", *(f"{layer}." for layer in layers)]:
        state[f"{prefix}rotary.freqs"] = torch.zeros(width // 2)
    return state


class Published:
    """What EDGE's decoder computes, one function after the other, without any of our modules."""

    def __init__(self, state: dict[str, Tensor], heads: int) -> None:
        self.state, self.heads = state, heads

    def linear(self, name: str, tokens: Tensor) -> Tensor:
        return F.linear(tokens, self.state[f"{name}.weight"], self.state[f"{name}.bias"])

    def norm(self, name: str, tokens: Tensor) -> Tensor:
        return F.layer_norm(tokens, tokens.shape[-1:], self.state[f"{name}.weight"], self.state[f"{name}.bias"])

    @staticmethod
    def turn(tokens: Tensor) -> Tensor:
        """Pair i of the coordinates of token p by p / 10000^(2 i / width)."""
        width, result = tokens.shape[-1], torch.empty_like(tokens)
        for place in range(tokens.shape[1]):
            for pair in range(0, width, 2):
                angle = place / 10_000 ** (pair / width)
                one, two = tokens[:, place, pair], tokens[:, place, pair + 1]
                result[:, place, pair] = math.cos(angle) * one - math.sin(angle) * two
                result[:, place, pair + 1] = math.cos(angle) * two + math.sin(angle) * one
        return result

    def attend(self, name: str, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        attended, _ = F.multi_head_attention_forward(
            *(tokens.transpose(0, 1) for tokens in (queries, keys, values)),
            queries.shape[-1],
            self.heads,
            self.state[f"{name}.in_proj_weight"],
            self.state[f"{name}.in_proj_bias"],
            None,
            None,
            False,
            0.0,
            self.state[f"{name}.out_proj.weight"],
            self.state[f"{name}.out_proj.bias"],
            training=False,
        )
        return attended.transpose(0, 1)

    def hidden(self, layer: str, tokens: Tensor) -> Tensor:
        return self.linear(f"{layer}.linear2", F.gelu(self.linear(f"{layer}.linear1", tokens)))

    def film(self, name: str, features: Tensor, moment: Tensor) -> Tensor:
        both = self.linear(f"{name}.block.1", F.mish(moment))
        width = features.shape[-1]
        return features * (1 + both[:, None, :width]) + both[:, None, width:]

    def music_layer(self, layer: str, x: Tensor) -> Tensor:
        normed = self.norm(f"{layer}.norm1", x)
        turned = self.turn(normed)
        x = x + self.attend(f"{layer}.self_attn", turned, turned, normed)
        return x + self.hidden(layer, self.norm(f"{layer}.norm2", x))

    def dance_layer(self, layer: str, x: Tensor, memory: Tensor, moment: Tensor) -> Tensor:
        normed = self.norm(f"{layer}.norm1", x)
        turned = self.turn(normed)
        own = self.attend(f"{layer}.self_attn", turned, turned, normed)
        x = x + self.film(f"{layer}.film1", own, moment)
        queries = self.turn(self.norm(f"{layer}.norm2", x))
        heard = self.attend(f"{layer}.multihead_attn", queries, self.turn(memory), memory)
        x = x + self.film(f"{layer}.film2", heard, moment)
        return x + self.film(f"{layer}.film3", self.hidden(layer, self.norm(f"{layer}.norm3", x)), moment)

    def __call__(self, noisy: Tensor, music: Tensor, times: Tensor, keep: list[bool]) -> Tensor:
        state = self.state
        tokens = self.linear("cond_projection", music)
        for i in range(SMALL.music_layers):
            tokens = self.music_layer(f"cond_encoder.{i}", tokens)
        tokens = torch.cat([tokens[[i]] if kept else state["null_cond_embed"] for i, kept in enumerate(keep)])
        pooled = self.norm("non_attn_cond_projection.0", tokens.mean(dim=1))
        pooled = self.linear("non_attn_cond_projection.3", F.silu(self.linear("non_attn_cond_projection.1", pooled)))
        pooled = torch.cat([pooled[[i]] if kept else state["null_cond_hidden"] for i, kept in enumerate(keep)])
        half = SMALL.width // 2
        # In single precision as published: at time 999 another rounding shows.
        angles = times[:, None] * torch.exp(torch.arange(half) * -(math.log(10_000) / (half - 1)))[None]
        waves = torch.cat([angles.sin(), angles.cos()], dim=1)
        time = F.mish(self.linear("time_mlp.1", waves))
        moment = self.linear("to_time_cond.0", time) + pooled
        extra = self.linear("to_time_tokens.0", time).reshape(len(times), 2, SMALL.width)
        memory = self.norm("norm_cond", torch.cat([tokens, extra], dim=1))
        x = self.linear("input_projection", noisy)
        for i in range(SMALL.layers):
            x = self.dance_layer(f"seqTransDecoder.stack.{i}", x, memory, moment)
        return self.linear("final_layer", x)


def loaded(state: dict[str, Tensor]) -> Denoiser:
    network = Denoiser(edge_denoiser_config(state)).eval()
    network.load_state_dict(edge_denoiser_weights(state))
    return network


def test_it_has_as_many_parameters_as_the_published_one() -> None:
    with torch.device("meta"):
        network = Denoiser(DenoiserConfig())
    assert sum(parameter.numel() for parameter in network.parameters()) == 49_464_471
    assert not list(network.buffers())


def test_it_computes_what_the_published_one_does() -> None:
    state, network = published_state(), loaded(published_state())
    generator = torch.Generator().manual_seed(1)
    noisy = torch.randn(3, 10, 11, generator=generator)
    music = torch.randn(3, 10, 7, generator=generator)
    times = torch.tensor([0, 17, 999])
    with torch.no_grad():
        for withheld in (torch.tensor([False, True, False]), torch.tensor([True, False, True])):
            expected = Published(state, heads=8)(noisy, music, times, (~withheld).tolist())
            ours = network(noisy, times, network.hear(music), withheld)
            torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)
        expected = Published(state, heads=8)(noisy, music, times, [True] * 3)
        torch.testing.assert_close(network(noisy, times, network.hear(music)), expected, rtol=1e-5, atol=1e-5)
    assert expected.std() > 0.1


def test_withheld_music_is_not_heard() -> None:
    network, noisy, times = loaded(published_state()), torch.randn(2, 10, 11), torch.tensor([3, 500])
    heard = [network.hear(torch.randn(2, 10, 7)) for _ in range(2)]
    one, other = (network(noisy, times, music, torch.tensor([True, False])) for music in heard)
    assert torch.equal(one[0], other[0])
    assert not torch.allclose(one[1], other[1], atol=1e-2)


@pytest.mark.parametrize("length", [4, 23])
def test_dances_may_be_shorter_and_longer_than_in_training(length: int) -> None:
    network = loaded(published_state())
    heard = network.hear(torch.randn(2, length, 7))
    dance = network(torch.randn(2, length, 11), torch.tensor([3, 500]), heard, torch.tensor([True, False]))
    assert dance.shape == (2, length, 11) and dance.isfinite().all()


def test_training_begins_with_attention_as_torch_has_it() -> None:
    torch.manual_seed(2)
    ours = Denoiser(SMALL).layers[0].attention
    theirs = torch.nn.MultiheadAttention(SMALL.width, SMALL.heads)
    for one, other in ((ours.projection.weight, theirs.in_proj_weight), (ours.output.weight, theirs.out_proj.weight)):
        assert one.std().item() == pytest.approx(other.std().item(), rel=0.1)
    assert not ours.projection.bias.any() and not ours.output.bias.any()


@pytest.mark.parametrize("shape", [{"width": 30}, {"width": 9, "heads": 3}, {"width": 2, "heads": 1}, {"heads": 0}])
def test_an_impossible_width_is_refused_in_a_sentence(shape: dict[str, int]) -> None:
    with pytest.raises(DuendeError, match="a width of"):
        DenoiserConfig(**shape)  # type: ignore[arg-type]


def test_the_shape_is_read_off_the_weights_wrapped_or_not() -> None:
    state = published_state()
    wrapped = {f"module.{name}": weight for name, weight in state.items()}
    assert edge_denoiser_config(state) == edge_denoiser_config(wrapped) == SMALL
    for name, weight in edge_denoiser_weights(wrapped).items():
        assert torch.equal(weight, edge_denoiser_weights(state)[name])


def test_what_is_no_checkpoint_of_edge_is_told_by_its_first_difference() -> None:
    state = published_state()
    lacking = {name: weight for name, weight in state.items() if name != "seqTransDecoder.stack.1.norm3.bias"}
    with pytest.raises(
        DuendeError, match=r"^old\.pt is not a checkpoint of EDGE: seqTransDecoder\.stack\.1\.norm3\.bias"
    ):
        edge_denoiser_weights(lacking, "old.pt")
    with pytest.raises(DuendeError, match=r"is not a checkpoint of EDGE: .*genre\.weight"):
        edge_denoiser_weights({**state, "genre.weight": torch.zeros(3)})
    with pytest.raises(DuendeError, match=r"is not a checkpoint of EDGE: to_time_cond\.0\.weight .*\(1, 2\)"):
        edge_denoiser_weights({**state, "to_time_cond.0.weight": torch.zeros(1, 2)})
    with pytest.raises(DuendeError, match=r"is not a checkpoint of EDGE: input_projection\.weight is missing"):
        edge_denoiser_config({})
    with pytest.raises(DuendeError, match="is not a checkpoint of EDGE"):
        edge_denoiser_config({**state, "null_cond_embed": torch.zeros(4)})


def test_the_published_scaling_is_ours() -> None:
    low, reach = torch.tensor([-2.0, 0.0, 0.7]), torch.tensor([5.0, 1.0, 0.0])
    factor = 2 / torch.where(reach == 0, 1.0, reach)
    scaler = SimpleNamespace(feature_range=(-1, 1), scale_=factor, min_=-1 - low * factor)
    channels = low + torch.rand(4, 3) * reach * 1.2
    for original in (scaler, SimpleNamespace(scaler=scaler)):
        scaling = edge_scaling(original)
        expected = (channels * scaler.scale_ + scaler.min_).clamp(-1, 1)
        torch.testing.assert_close(scaling.scale(channels), expected)
        torch.testing.assert_close(scaling.unscale(expected), (expected - scaler.min_) / scaler.scale_)


def test_another_scaling_is_refused() -> None:
    with pytest.raises(DuendeError, match=r"is not a checkpoint of EDGE: .*scale_"):
        edge_scaling(object())
    with pytest.raises(DuendeError, match=r"is not a checkpoint of EDGE: .*\(0, 1\)"):
        edge_scaling(SimpleNamespace(feature_range=(0, 1), scale_=torch.ones(3), min_=torch.ones(3)))
