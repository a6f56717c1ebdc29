"""`a3cs accelerate --pareto`: the most frames a second for every number of DSP slices, from searches under several limits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from a3cs_hw.files import UserError
from a3cs_hw.template import Board
from a3cs_ref.progress import say

LIMITS = 8  # searches, each under so many eighths of the board's DSP slices
COLUMNS = ("DSP", "FPS", "epoch")

Point = list[float]  # [DSP, FPS]


def limits(board: Board) -> list[int]:
    """The DSP slices of each search."""
    return [board.dsp * part // LIMITS for part in range(1, LIMITS + 1)]


@dataclass(frozen=True)
class Points:
    """[DSP, FPS] of the designs that searches met; the limits under which one had no design to begin with, and why."""

    points: list[Point]
    skipped: list[int]
    reason: str


def pareto_points(board: Board, search: Callable[[Board], Sequence[Point]]) -> Points:
    """Searches under a rising limit of DSP slices. search: the points of one on a board.

    UserError when nothing fits under any limit.
    """
    points: list[Point] = []
    skipped: list[int] = []
    reason = ""
    for dsp in limits(board):
        limited = dataclasses.replace(board, name=f"{board.name}, {dsp} DSP", dsp=dsp)
        say(f"searching with {limited.dsp} DSP")
        try:
            points += search(limited)
        except UserError as error:  # a small board may hold nothing
            skipped.append(dsp)
            reason = str(error)
    if not points:
        raise UserError(reason)
    return Points(points, skipped, reason)


def pareto_front(points: Sequence[Sequence[float]]) -> list[Point]:
    """Of [DSP, FPS] points those that no other one beats in both: DSP and FPS rise."""
    front: list[Point] = []
    for dsp, fps in sorted(map(list, points), key=lambda point: (point[0], -point[1])):
        if not front or fps > front[-1][1]:
            front.append([dsp, fps])
    return front
