"""The paper's tables and figures: which runs they need, the runs, and what is said about them."""
