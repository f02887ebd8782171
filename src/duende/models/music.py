"""The music condition: features of a pretrained model brought down to one row a code, beside the handcrafted ones.

ICASSP 2024, section 2.2: the output of MERT's last layer passes two 1-D convolutions of stride 2 and 5 and is
concatenated with the handcrafted features.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from duende.errors import DuendeError


@dataclass(frozen=True)
class DownsamplingConfig:
    """Columns that hold several frames one after the other, and the convolutions that bring them down to one.

    The paper gives strides of 2 and 5; kernels as long as the strides, so that a code hears its own ten frames and no
    others, and the widths are ours.

    Attributes:
        first: column where the frames begin.
        dimension: numbers in a frame.
        strides: of the convolutions, their kernels being as long; their product is the number of frames in a row.
        widths: channels after each convolution.
    """

    first: int
    dimension: int = 1024
    strides: tuple[int, ...] = (2, 5)
    widths: tuple[int, ...] = (512, 256)

    def __post_init__(self) -> None:
        if len(self.strides) != len(self.widths) or not self.strides or min(*self.strides, *self.widths) < 1:
            raise DuendeError(
                f"each convolution has a stride and a width, got strides {self.strides} and widths {self.widths}"
            )

    @property
    def frames(self) -> int:
        """Frames in a row."""
        product = 1
        for stride in self.strides:
            product *= stride
        return product

    @property
    def columns(self) -> slice:
        """Where the frames are in a row."""
        return slice(self.first, self.first + self.frames * self.dimension)


class Downsampling(nn.Module):
    """Frames of a pretrained model, ten to a code for MERT, down to one."""

    def __init__(self, config: DownsamplingConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        channels = config.dimension
        for stride, width in zip(config.strides, config.widths, strict=True):
            layers += [nn.Conv1d(channels, width, stride, stride=stride), nn.GELU()]
            channels = width
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, rows: Tensor) -> Tensor:
        """Map rows ``(B, T, frames * dimension)`` to ``(B, T, last width)``."""
        batch, length, _ = rows.shape
        frames = rows.reshape(batch, length * self.config.frames, self.config.dimension)
        down: Tensor = self.layers(frames.transpose(1, 2))
        return down.transpose(1, 2)


class MusicCondition(nn.Module):
    """All columns that one row a code gives as they are, then the downsampled ones: the paper's *m*."""

    plain: Tensor

    def __init__(self, dimension: int, downsampled: tuple[DownsamplingConfig, ...]) -> None:
        """Lay out the columns of features ``(T, dimension)``.

        Raises:
            DuendeError: columns to be downsampled overlap, or lie outside.
        """
        super().__init__()
        plain = torch.ones(dimension, dtype=torch.bool)
        for config in downsampled:
            columns = config.columns
            if columns.stop > dimension or not plain[columns].all():
                raise DuendeError(
                    f"columns {columns.start} to {columns.stop} are to be downsampled, but there are {dimension}, "
                    "each of which is downsampled once at the most; mend the config"
                )
            plain[columns] = False
        self.register_buffer("plain", plain.nonzero()[:, 0], persistent=False)
        self.downsampled = nn.ModuleList(Downsampling(config) for config in downsampled)
        self.dimension = len(self.plain) + sum(config.widths[-1] for config in downsampled)

    def forward(self, music: Tensor) -> Tensor:
        """Map features ``(B, T, D)`` to the condition ``(B, T, self.dimension)``."""
        if not len(self.downsampled):
            return music
        parts = [music[..., self.plain]]
        for module in self.downsampled:
            assert isinstance(module, Downsampling)
            parts.append(module(music[..., module.config.columns]))
        return torch.cat(parts, dim=-1)
