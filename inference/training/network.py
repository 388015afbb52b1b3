"""The two networks: NanoDet-g's trunk with a head for the road, and with two heads for what must be hidden.

Input is (n, 3, height, width) of (RGB - 128) / 64, height and width multiples of 32. Every head gives its outputs point by point,
stride by stride, row by row: (n, points, labels) logits and (n, points, 4 or 44) of box.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from inference.training.weights import Convolution, expecting_ronde_pixels, read_convolutions

Tensor = Any  # torch.Tensor: torch brings no types to the machines that only check them
Module = Any

STRIDES: Final = (8, 16, 32)
CHANNELS: Final = 128
BINS: Final = 11
SLOPE: Final = 0.1
# Rows of COCO's 80 classes in NanoDet's head.
COCO_PERSON: Final = 0
COCO_VEHICLES: Final = (2, 3, 5, 7)
COCO_CLASSES: Final = 80
# A head's first scores say "one point in a hundred", so that the many empty points do not drown the first steps of training.
FIRST_SCORE: Final = 0.01
FIRST_LOG_DISTANCE: Final = 0.7


class Leaky(nn.Module):  # type: ignore[misc]  # torch is untyped where it is not installed
    """LeakyReLU(0.1). In use it is two operations, since the quantizer knows no LEAKY_RELU; in training one, which is quicker."""

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as `x`."""
        return nn.functional.leaky_relu(x, SLOPE) if self.training else torch.maximum(x, SLOPE * x)


def convolution(channels_in: int, channels_out: int, *, active: bool = True, size: int = 3, stride: int = 1) -> Module:
    """A convolution that keeps the size (divided by the stride), and its activation."""
    layers = [nn.Conv2d(channels_in, channels_out, size, stride, size // 2)]
    return nn.Sequential(*layers, *([Leaky()] if active else []))


class Fork(nn.Module):  # type: ignore[misc]  # as above
    """Two convolutions of half the channels each; the second one sees the first, and both go on."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = convolution(channels, channels // 2)
        self.second = convolution(channels // 2, channels // 2)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as `x`."""
        half = self.first(x)
        return torch.cat([self.second(half), half], 1)


class Stage(nn.Module):  # type: ignore[misc]  # as above
    """Entry, forks and exit; what enters the forks also goes around them. Gives twice the channels."""

    def __init__(self, channels: int, forks: int, stride: int) -> None:
        super().__init__()
        self.entry = convolution(channels, channels, stride=stride)
        self.forks = nn.Sequential(*[Fork(channels) for _ in range(forks)])
        self.exit = convolution(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, 2 * channels, h / stride, w / stride)."""
        x = self.entry(x)
        return torch.cat([self.exit(self.forks(x)), x], 1)


class Trunk(nn.Module):  # type: ignore[misc]  # as above
    """NanoDet-g up to and with the last layer before its heads: three maps of 128 channels, at strides 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(convolution(3, 32, stride=2), nn.MaxPool2d(3, 2, 1))
        shapes = ((32, 1, 1), (64, 2, 2), (128, 2, 2), (256, 3, 2))
        self.stages = nn.ModuleList([Stage(*shape) for shape in shapes])
        self.laterals = nn.ModuleList([convolution(channels, CHANNELS, active=False, size=1) for channels in (128, 256, 512)])
        self.towers = nn.ModuleList([convolution(CHANNELS, CHANNELS) for _ in STRIDES])

    def forward(self, x: Tensor) -> list[Tensor]:
        """(n, 3, h, w) -> maps of (n, 128, h / stride, w / stride)."""
        x = self.stages[0](self.stem(x))
        maps = []
        for stage, lateral in zip(self.stages[1:], self.laterals, strict=True):
            x = stage(x)
            maps.append(lateral(x))
        near, middle, far = maps
        middle = middle + _doubled(far)
        near = near + _doubled(middle)
        middle = middle + nn.functional.avg_pool2d(near, 2)
        far = far + nn.functional.avg_pool2d(middle, 2)
        return [tower(one) for tower, one in zip(self.towers, (near, middle, far), strict=True)]

    def layers(self) -> list[Module]:
        """All convolutions in the order of the tfjs graph; its heads lie between the towers."""
        order = [self.stem[0][0]]
        for stage in self.stages:
            order.append(stage.entry[0])
            order += [half[0] for fork in stage.forks for half in (fork.first, fork.second)]
            order.append(stage.exit[0])
        return order + [lateral[0] for lateral in self.laterals] + [tower[0] for tower in self.towers]


class Head(nn.Module):  # type: ignore[misc]  # as above
    """Own light head: per stride one branch for the labels and one for log distances (in strides) to left, top, right, bottom."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.score_branches = nn.ModuleList([_branch() for _ in STRIDES])
        self.box_branches = nn.ModuleList([_branch() for _ in STRIDES])
        self.scores = nn.ModuleList([nn.Conv2d(CHANNELS, labels, 1) for _ in STRIDES])
        self.boxes = nn.ModuleList([nn.Conv2d(CHANNELS, 4, 1) for _ in STRIDES])
        for layers, bias in ((self.scores, math.log(FIRST_SCORE / (1 - FIRST_SCORE))), (self.boxes, FIRST_LOG_DISTANCE)):
            for layer in layers:
                nn.init.normal_(layer.weight, std=0.01)
                nn.init.constant_(layer.bias, bias)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Maps of the trunk -> (n, points, labels) logits, (n, points, 4) log distances."""
        scores = [last(branch(one)) for last, branch, one in zip(self.scores, self.score_branches, maps, strict=True)]
        boxes = [last(branch(one)) for last, branch, one in zip(self.boxes, self.box_branches, maps, strict=True)]
        return _by_point(scores), _by_point(boxes)


class CocoHead(nn.Module):  # type: ignore[misc]  # as above
    """NanoDet's own head, untouched, reduced to person and vehicle (the strongest of car, motorcycle, bus and truck)."""

    def __init__(self, heads: Sequence[Convolution]) -> None:
        super().__init__()
        rows = (COCO_PERSON, *COCO_VEHICLES)
        self.scores = nn.ModuleList([_filled(nn.Conv2d(CHANNELS, len(rows), 1), _rows(head, rows)) for head in heads])
        bins = range(COCO_CLASSES, COCO_CLASSES + 4 * BINS)
        self.boxes = nn.ModuleList([_filled(nn.Conv2d(CHANNELS, 4 * BINS, 1), _rows(head, bins)) for head in heads])

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Maps of the trunk -> (n, points, 2) logits, (n, points, 44) logits of 4 x 11 distances."""
        five = _by_point([layer(one) for layer, one in zip(self.scores, maps, strict=True)])
        person, car, motorcycle, bus, truck = (five[..., row : row + 1] for row in range(5))
        vehicle = torch.maximum(torch.maximum(car, motorcycle), torch.maximum(bus, truck))
        boxes = _by_point([layer(one) for layer, one in zip(self.boxes, maps, strict=True)])
        return torch.cat([person, vehicle], -1), boxes


class RoadsNetwork(nn.Module):  # type: ignore[misc]  # as above
    """NanoDet-g's trunk, trained on, with one own head."""

    def __init__(self, weights: Path, labels: int) -> None:
        super().__init__()
        self.trunk = _from_coco(Trunk(), read_convolutions(weights))
        self.head = Head(labels)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, h, w) -> scores, boxes."""
        return self.head(self.trunk(pixels))  # type: ignore[no-any-return]  # as above


class PrivacyNetwork(nn.Module):  # type: ignore[misc]  # as above
    """NanoDet-g untouched for persons and vehicles, and an own head for plates and faces on the same maps."""

    def __init__(self, weights: Path, labels: int) -> None:
        super().__init__()
        convolutions = read_convolutions(weights)
        self.trunk = _from_coco(Trunk(), convolutions)
        self.coco = CocoHead(convolutions[29:34:2])
        self.head = Head(labels)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(n, 3, h, w) -> scores and boxes of persons and vehicles, scores and boxes of plates and faces."""
        maps = self.trunk(pixels)
        return *self.coco(maps), *self.head(maps)


def _branch() -> Module:
    layers: list[Module] = []
    for size, groups in ((3, CHANNELS), (1, 1)):
        layers += [
            nn.Conv2d(CHANNELS, CHANNELS, size, 1, size // 2, groups=groups, bias=False),
            nn.BatchNorm2d(CHANNELS),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)


def _doubled(x: Tensor) -> Tensor:
    return nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _by_point(maps: Sequence[Tensor]) -> Tensor:
    """Maps of (n, c, h, w) -> (n, all their points, c)."""
    return torch.cat([one.permute(0, 2, 3, 1).reshape(one.shape[0], -1, one.shape[1]) for one in maps], 1)


def _rows(head: Convolution, rows: Sequence[int]) -> Convolution:
    return Convolution(head.kernel[list(rows)], head.bias[list(rows)])


def _filled(layer: Module, values: Convolution) -> Module:
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(values.kernel))
        layer.bias.copy_(torch.from_numpy(values.bias))
    return layer


def _from_coco(trunk: Trunk, convolutions: Sequence[Convolution]) -> Trunk:
    first, *others = (*convolutions[:28], *convolutions[28:33:2])
    for layer, values in zip(trunk.layers(), (expecting_ronde_pixels(first), *others), strict=True):
        _filled(layer, values)
    return trunk
