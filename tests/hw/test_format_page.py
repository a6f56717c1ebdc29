"""golden/FORMAT.md against the code: what the page says of word sizes is what files and cycles count."""

from pathlib import Path

from a3cs_hw.fixed import Format
from a3cs_hw.manifest import BIAS
from a3cs_hw.template import word_bytes

PAGE = (Path(__file__).parents[2] / "golden" / "FORMAT.md").read_text()
TEXT = " ".join(PAGE.split())  # wherever its lines break


def test_words_of_dram_and_of_files():
    """Someone would count cycles from the bytes of files, or read files with DRAM's packing."""
    assert "a word takes ceil(bits / 8) bytes (3 for 17 to 24 bits, 6 for a 48-bit partial sum), packed without gaps" in TEXT
    assert {word_bytes(bits) for bits in range(17, 25)} == {3} and word_bytes(48) == 6
    assert "a 12-bit word takes 2, a 24-bit word 4" in TEXT and "Biases and accumulators always take 8" in TEXT
    for signed in (True, False):
        assert [Format(bits, 0, signed).dtype.itemsize for bits in (8, 9, 12, 16, 17, 24, 32)] == [1, 2, 2, 2, 4, 4, 4]
    assert BIAS.itemsize == 8
