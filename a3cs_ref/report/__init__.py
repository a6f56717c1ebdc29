"""`a3cs report`: one page on a run, with its pictures. It shows what the run folder holds and says what makes the rest.

run.py reads the folder, page.py is the HTML, figures.py draws, learning.py and hardware.py are the page's sections.
"""

from __future__ import annotations

from a3cs_ref.report.write import write_report

__all__ = ["write_report"]
