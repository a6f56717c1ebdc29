"""From a game's name to its environments, and back to where an interrupted run stood."""

from __future__ import annotations

import difflib
import re

import numpy as np

from a3cs_hw.files import UserError
from a3cs_ref.kernels.threads import emulator_threads
from a3cs_ref.rl import atari, games
from a3cs_ref.rl.step import FRAME_CAP, Step, VectorEnv

__all__ = ["Step", "VectorEnv", "count_actions", "find_game", "game_names", "make_env", "replay"]


def game_names() -> list[str]:
    """Every game that can be named here: the built-in ones, then Atari's where ale-py is installed."""
    return [*games.GAMES, *atari.rom_names()]


def find_game(name: str) -> str:
    """The canonical name of a game: SpaceInvaders, ALE/SpaceInvaders-v5 and space-invaders are all space_invaders.

    An unknown name is a UserError with near names; a possible Atari name without ale-py says what to install.
    """
    known = {_squeeze(candidate): candidate for candidate in game_names()}
    wanted = _squeeze(name)
    if wanted in known:
        return known[wanted]
    if wanted in map(_squeeze, atari.TWO_PLAYER_ROMS):
        raise UserError(f"game '{name}' has no mode for one player; choose another game")
    near = [known[key] for key in difflib.get_close_matches(wanted, known, n=3, cutoff=0.6)]
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    if not atari.installed():
        built_in = " and ".join(games.GAMES)
        raise UserError(f"game '{name}' is not built in ({built_in} are){hint or ';'} for Atari games: {atari.INSTALL}")
    raise UserError(f"unknown game '{name}'{hint or '; built in: ' + ', '.join(games.GAMES) + '; and every Atari ROM of ale-py'}")


def _squeeze(name: str) -> str:
    """Letters and digits alone, lower case, without gymnasium's ALE/ and -v5 decoration."""
    plain = re.sub(r"^ALE/|(NoFrameskip)?-v\d+$", "", name.strip())
    return re.sub(r"[^a-z0-9]", "", plain.lower())


def make_env(game: str, num_envs: int, seed: int, *, max_frames: int = FRAME_CAP, threads: int | None = None) -> VectorEnv:
    """`num_envs` copies of a game; the same (game, num_envs, seed, max_frames) and actions give the same bits.

    max_frames: emulator frames (4 an agent step) after which an episode is cut. threads: workers of the Atari emulator
    (default: as many as the kernels use); they change speed alone.
    """
    game = find_game(game)
    if num_envs < 1 or seed < 0:
        raise UserError(f"environments must be at least 1 and the seed at least 0, not {num_envs} and {seed}")
    if game in games.GAMES:
        return games.GAMES[game](num_envs, seed, max_frames=max_frames)
    return atari.AtariEnv(game, num_envs, seed, max_frames=max_frames, threads=threads or emulator_threads())


def count_actions(game: str) -> int:
    """How many actions a game has."""
    env = make_env(game, 1, 0)
    env.close()
    return env.num_actions


def replay(env: VectorEnv, actions: np.ndarray) -> np.ndarray:
    """Bring a fresh environment to where it stood after `actions` (T, N) uint8, and return the observations there.

    The action log holds what the policy chose, also where the environment pressed FIRE instead: it will again.
    """
    obs = env.reset()
    for row in actions:
        obs = env.step(row).obs
    return obs
