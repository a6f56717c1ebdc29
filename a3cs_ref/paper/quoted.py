"""The figures that the paper prints in its Tables I, II and III, as plain data.

Fu, Zhang, Li, Yu, Lin: "A3C-S: Automated Agent Accelerator Co-Search towards Efficient Deep Reinforcement Learning", DAC 2021,
Sec. V. Its curves and scatter plots (Figs. 1 to 3) are pictures without figures: nothing is quoted from them.

Games have their names of a3cs_ref.rl.envs and the paper's order. Scores are means over 30 episodes that start with no-ops; those
of Table I are "the highest achieved test scores". The paper states no number of seeds and no interval.
"""

from __future__ import annotations

STEPS = 30_000_000  # of a training run, Sec. V-A: "3e7 steps"
EPISODES = 30  # of a test score
TEACHER = "ResNet-20"  # of every distillation
FA3C_FPS = 260.0  # on every game of Table III
FPS_RATIOS = (2.1, 6.1)  # Sec. V-E: "2.1x ~ 6.1x better FPS" than FA3C

TABLE1_NETS = ("vanilla", "resnet14", "resnet20", "resnet38", "resnet74")
ARMS = ("none", "policy", "ac")

# Table I, "the test scores of different models on a subset of Atari games": the nets in the order of TABLE1_NETS.
_TABLE1: dict[str, tuple[float, ...]] = {
    "breakout": (523.7, 776.5, 811, 818.5, 2.2),
    "alien": (1724, 9007, 9323, 8829, 4456),
    "asterix": (4850, 708500, 856800, 756120, 539060),
    "atlantis": (3064320, 3127390, 3156130, 3181090, 3046490),
    "time_pilot": (4780, 9070, 9680, 9500, 9040),
    "space_invaders": (1171, 9848, 46870, 17962, 15111),
    "wizard_of_wor": (1320, 2690, 3580, 3160, 1850),
    "tennis": (-23.7, 13.8, 11.5, 19.6, 19.3),
    "asteroids": (2095, 5690, 5744, 1947, 4792),
    "assault": (10164, 14470, 17314, 12406.5, 9849),
    "battle_zone": (7600, 5800, 13100, 13300, 4100),
    "beam_rider": (5530, 23984, 25961, 29498, 30048),
    "bowling": (28.1, 53, 59.2, 33.2, 50.8),
    "boxing": (4.2, 100, 100, 99.3, 87.1),
    "centipede": (5025, 6690, 6410, 6384.6, 6899),
    "chopper_command": (1320, 11170, 14910, 4370, 8240),
}
# Table II: Vanilla, then ResNet-14, each with no distillation, policy distillation only, AC-distillation.
_TABLE2: dict[str, tuple[float, ...]] = {
    "alien": (1724, 3096, 3419, 9007, 14682, 15723),
    "space_invaders": (1171, 26821, 30124, 9848, 76246, 111189),
    "asterix": (4850, 59020, 64510, 708500, 749870, 849400),
    "asteroids": (2095, 4131, 4647, 5690, 15371, 15947),
    "assault": (10164, 8088.4, 9628.5, 14470, 11697, 14052),
    "battle_zone": (7600, 14200, 14400, 5800, 16300, 17500),
    "beam_rider": (5530, 14417, 21519, 23984, 38311, 39604),
    "boxing": (4.2, 2.8, 100, 100, 100, 100),
    "centipede": (5025, 5800, 6575.5, 6690, 7744.3, 8056.9),
    "chopper_command": (1320, 15900, 19120, 11170, 26320, 31190),
    "crazy_climber": (118300, 138610, 145700, 128710, 135290, 138470),
    "demon_attack": (318349, 463823, 483490, 481818, 517801, 521051),
}
# Table III: score and FPS of FA3C (as its own paper reports them), then of A3C-S.
_TABLE3: dict[str, tuple[float, float, float, float]] = {
    "beam_rider": (3100, 260, 36745, 617.7),
    "breakout": (340, 260, 670, 1596.3),
    "pong": (0, 260, 20.9, 787.4),
    "qbert": (6100, 260, 15194, 1222.9),
    "seaquest": (170, 260, 478940, 778.1),
    "space_invaders": (830, 260, 109417, 535.6),
}

TABLE1: dict[str, dict[str, float]] = {
    game: dict(zip(TABLE1_NETS, scores, strict=True)) for game, scores in _TABLE1.items()
}  # game -> net -> score
TABLE2: dict[str, dict[str, dict[str, float]]] = {
    game: {"vanilla": dict(zip(ARMS, scores[:3], strict=True)), "resnet14": dict(zip(ARMS, scores[3:], strict=True))}
    for game, scores in _TABLE2.items()
}  # game -> net -> arm -> score
TABLE3: dict[str, dict[str, tuple[float, float]]] = {
    game: {"FA3C": figures[:2], "A3C-S": figures[2:]} for game, figures in _TABLE3.items()
}  # game -> system -> (score, FPS)

GAMES: dict[str, tuple[str, ...]] = {"table1": tuple(TABLE1), "table2": tuple(TABLE2), "table3": tuple(TABLE3)}
